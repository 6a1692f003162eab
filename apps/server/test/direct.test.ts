/** Payloads that lie in a bucket of a real S3 server are read from it by the URL that a transform names, and checked as ever. */

import { parsePolicy, toHex } from "@chartseal/crypto";
import { type S3Server, startVersitygw } from "@chartseal/lab";
import { deposit, type Opened, retrieve } from "@chartseal/sharing";
import { openS3Store, type S3Store } from "@chartseal/storage/s3";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { failure, type Member } from "../../../packages/sharing/test/world.ts";
import { collect, patternBytes, source } from "../../../packages/storage/test/conformance.ts";
import { describeTool } from "../../../test/tools.ts";
import type { Transport } from "../src/client/index.ts";
import { ServedWorld } from "./served-world.ts";

describeTool("versitygw", "a provider whose objects lie in a bucket", (program) => {
  let server: S3Server;
  let store: S3Store;
  let served: ServedWorld;
  let ana: Member;
  const asked: { port: string; range: string | undefined; bytes: number }[] = [];
  let real: Transport["send"];
  /** What becomes of an answer of the bucket. */
  let spoil: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> = (body) => body;

  beforeAll(async () => {
    server = await startVersitygw(program);
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
    store = openS3Store({ endpoint, region, bucket, accessKeyId, secretAccessKey });
    served = await ServedWorld.create({ stores: (world) => ({ ...world.stores, objects: store }) });
    ana = await served.world.member();
    const { transport } = served;
    real = transport.send.bind(transport);
    const send: Transport["send"] = async (origin, request) => {
      const response = await real(origin, request);
      if (origin.port !== String(server.port)) return response;
      expect(request.headers["signature-input"]).toBeUndefined();
      const seen = { port: origin.port, range: request.headers.range, bytes: 0 };
      asked.push(seen);
      const body = (async function* () {
        for await (const piece of spoil(response.body)) {
          seen.bytes += piece.length;
          yield piece;
        }
      })();
      return { ...response, body };
    };
    Object.assign(transport, { send });
  });
  afterEach(() => {
    asked.length = 0;
    spoil = (body) => body;
  });
  afterAll(async () => {
    await served?.close();
    store?.close();
    await server?.stop();
  });

  async function sealed(bytes: Uint8Array): Promise<Uint8Array> {
    const made = await deposit(served.client(ana), {
      by: ana,
      owner: ana.account,
      policy: parsePolicy(`${toHex(ana.account)}@self`),
      source: source(bytes),
      metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" as const }),
    });
    return made.recordId;
  }
  const opened = (recordId: Uint8Array): Promise<Opened> =>
    retrieve(served.client(ana), { member: ana, recordId });

  it("the ciphertext comes from the bucket, whole and in ranges", async () => {
    const bytes = patternBytes(1_500_000);
    const record = await opened(await sealed(bytes));
    expect(Buffer.compare(await collect(record.read()), bytes)).toBe(0);
    expect(asked.reduce((sum, one) => sum + one.bytes, 0)).toBeGreaterThan(bytes.length);
    const part = await collect(record.read({ from: 700_000, to: 700_099 }));
    expect(Buffer.compare(part, bytes.subarray(700_000, 700_100))).toBe(0);
  });

  it("where the bucket breaks off or refuses, the provider gives the rest", async () => {
    const bytes = patternBytes(1_500_000, 2);
    const record = await opened(await sealed(bytes));
    spoil = async function* (body) {
      let left = 400_000;
      for await (const piece of body) {
        yield piece.subarray(0, left);
        left -= piece.length;
        if (left <= 0) throw new Error("cut");
      }
    };
    expect(Buffer.compare(await collect(record.read()), bytes)).toBe(0);
    expect(asked.length).toBeGreaterThan(0);
  });

  it("a bucket that gives other bytes is found by the first chunk of them", async () => {
    const record = await opened(await sealed(patternBytes(600_000, 3)));
    spoil = async function* (body) {
      for await (const piece of body) yield piece.map((byte) => byte ^ 1);
    };
    await failure("object-altered", () => collect(record.read()));
  });

  it("the payload of a ticket answers HEAD, and Range with its validator", async () => {
    let target = "";
    const { transport } = served;
    const before = transport.send;
    Object.assign(transport, {
      send: async (...given: Parameters<Transport["send"]>) => {
        if (/\/payload\?/.test(given[1].target)) target = given[1].target.replace(/\?.*/, "");
        return await before(...given);
      },
    });
    const bytes = patternBytes(300_000, 4);
    const recordId = await sealed(bytes);
    spoil = () => {
      throw new Error("cut");
    };
    await collect((await opened(recordId)).read());
    Object.assign(transport, { send: before });
    const url = `${served.host.url}${target}`;
    const head = await fetch(url, { method: "HEAD" });
    const size = Number(head.headers.get("content-length"));
    expect([head.status, size > bytes.length]).toEqual([200, true]);
    const etag = head.headers.get("etag")!;
    const whole = new Uint8Array(await (await fetch(url)).arrayBuffer());
    expect(whole.length).toBe(size);
    const part = await fetch(url, { headers: { range: "bytes=10-19", "if-range": etag } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 10-19/${size}`]);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(whole.subarray(10, 20));
    const other = await fetch(url, { headers: { range: "bytes=10-19", "if-range": '"other"' } });
    expect([other.status, (await other.arrayBuffer()).byteLength]).toEqual([200, size]);
    expect((await fetch(url, { headers: { range: `bytes=${size}-` } })).status).toBe(416);
  });
});
