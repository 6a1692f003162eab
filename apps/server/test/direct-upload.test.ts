/** Payloads that go past the provider into its bucket, over a real S3 server: counted, read back, and swept where nobody ends them. */
import { hashPayload, parsePolicy, toHex } from "@chartseal/crypto";
import { type S3Server, startVersitygw } from "@chartseal/lab";
import { deposit, retrieve } from "@chartseal/sharing";
import { openS3Store, type S3Store } from "@chartseal/storage/s3";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { failure, type Member } from "../../../packages/sharing/test/world.ts";
import { collect, names, patternBytes, source } from "../../../packages/storage/test/conformance.ts";
import { describeTool } from "../../../test/tools.ts";
import type { Transport } from "../src/client/index.ts";
import { ServedWorld } from "./served-world.ts";

const MiB = 2 ** 20;
const partBytes = 5 * MiB;
const hourMs = 3_600_000;

describeTool("versitygw", "a provider whose bucket takes parts itself", (program) => {
  let server: S3Server;
  let store: S3Store;
  let served: ServedWorld;
  let ana: Member;
  let real: Transport["send"];
  /** Bytes of bodies that went to the bucket and to the provider. */
  const sent = { bucket: 0, provider: 0 };
  /** What is sent in the place of the n-th part that goes to the bucket; throwing: the connection breaks. */
  let spoil: (bytes: Uint8Array, at: number) => Uint8Array = (bytes) => bytes;
  let puts = 0;

  beforeAll(async () => {
    server = await startVersitygw(program);
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
    store = openS3Store({ endpoint, region, bucket, accessKeyId, secretAccessKey, partBytes });
    served = await ServedWorld.create({
      stores: (world) => ({ ...world.stores, objects: store }),
      provider: { payloadBytesMax: 100 * MiB, dayBytesMax: 400 * MiB },
    });
    ana = await served.world.member();
    const { transport } = served;
    real = transport.send.bind(transport);
    const send: Transport["send"] = async (origin, request) => {
      const { body } = request;
      if (origin.port !== String(server.port)) {
        if (body instanceof Uint8Array || body === undefined) {
          sent.provider += body?.length ?? 0;
          return await real(origin, request);
        }
        const counted = (async function* () {
          for await (const piece of body) {
            sent.provider += piece.length;
            yield piece;
          }
        })();
        return await real(origin, { ...request, body: counted });
      }
      if (request.method !== "PUT" || !(body instanceof Uint8Array)) return await real(origin, request);
      expect(request.headers["signature-input"]).toBeUndefined();
      const spoilt = spoil(body, ++puts);
      sent.bucket += spoilt.length;
      return await real(origin, { ...request, body: spoilt });
    };
    Object.assign(transport, { send });
  });
  afterEach(() => {
    Object.assign(sent, { bucket: 0, provider: 0 });
    spoil = (bytes) => bytes;
    puts = 0;
  });
  afterAll(async () => {
    await served?.close();
    store?.close();
    await server?.stop();
  });

  const sending = { partBytes: MiB, pauseMs: 1 };
  const client = () => served.client(ana, { sending });

  async function sealed(bytes: Uint8Array): Promise<Uint8Array> {
    const made = await deposit(client(), {
      by: ana,
      owner: ana.account,
      policy: parsePolicy(`${toHex(ana.account)}@self`),
      source: source(bytes),
      metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" as const }),
    });
    return made.recordId;
  }

  async function comesBack(recordId: Uint8Array, bytes: Uint8Array): Promise<void> {
    const record = await retrieve(client(), { member: ana, recordId });
    expect(Buffer.compare(await collect(record.read()), bytes)).toBe(0);
  }

  const connection = () => served.connection();
  /** An upload as a client begins it that speaks for itself. */
  async function begun(): Promise<string> {
    const json = { direct: true };
    const { upload, direct } = await connection().json({ target: "/v1/provider/uploads", json });
    expect(direct).toMatchObject({
      sizes: [{ from: 1, bytes: partBytes }, { from: 1_001 }, { from: 2_001 }],
      partsMax: 10_000,
    });
    return `/v1/provider/uploads/${String(upload)}`;
  }
  async function put(target: string, number: number, bytes: Uint8Array): Promise<void> {
    const { parts } = await connection().json({
      target: `${target}/parts`,
      json: { parts: [{ number, size: bytes.length }] },
    });
    const [{ url }] = parts as [{ url: string }];
    await connection().putElsewhere(url, bytes);
  }
  async function digestOf(bytes: Uint8Array): Promise<string> {
    const { chunks, finished } = hashPayload({ source: source(bytes) });
    for await (const _ of chunks);
    return toHex((await finished).digest);
  }

  it("takes all bytes of a large payload, of which none passes the provider", async () => {
    const bytes = patternBytes(12 * MiB + 5);
    const recordId = await sealed(bytes);
    expect(puts).toBe(3);
    expect(sent.bucket).toBeGreaterThan(bytes.length);
    expect(sent.provider).toBeLessThan(MiB);
    expect(await store.unfinished()).toBe(0);
    await comesBack(recordId, bytes);
    expect(served.staging.count).toBe(0);
  });

  it.each([5 * MiB, 5 * MiB - 16 * 80, 10 * MiB])(
    "a payload of %i bytes, near the ends of parts",
    async (size) => {
      const bytes = patternBytes(size, 7);
      await comesBack(await sealed(bytes), bytes);
      expect(puts).toBeGreaterThan(0);
    },
  );

  it("goes on at the part where a connection broke", async () => {
    const bytes = patternBytes(12 * MiB, 2);
    spoil = (part, at) => {
      if (at === 2 || at === 4) throw new Error("cut");
      return part;
    };
    await comesBack(await sealed(bytes), bytes);
    expect(puts).toBe(5);
  });

  it("goes through the provider where the bucket cannot be reached from the client", async () => {
    const bytes = patternBytes(12 * MiB, 3);
    spoil = () => {
      throw new Error("no route");
    };
    const recordId = await sealed(bytes);
    expect(sent.bucket).toBe(0);
    expect(sent.provider).toBeGreaterThan(bytes.length);
    await comesBack(recordId, bytes);
    expect(await store.unfinished()).toBe(0);
  });

  // The attack: a bucket, or somebody on the way to it, keeps other bytes than were sent.
  it("keeps nothing of a payload that reads back as another", async () => {
    const before = await names(store.list());
    spoil = (part, at) => (at === 2 ? part.map((byte, index) => (index === 77 ? byte ^ 1 : byte)) : part);
    await failure("object-altered", () => sealed(patternBytes(12 * MiB, 4)));
    expect(await names(store.list())).toEqual(before);
    expect([await store.unfinished(), served.staging.count]).toEqual([0, 0]);
  });

  it("keeps nothing of a client that says another digest, another size, or leaves a part out", async () => {
    const before = await names(store.list());
    const bytes = patternBytes(partBytes + 100, 5);
    const digest = await digestOf(bytes);
    const target = await begun();
    const complete = (json: { size: number; digest: string }) =>
      connection().json({ target: `${target}/completed`, json });
    await put(target, 2, bytes.subarray(partBytes));
    await put(target, 1, bytes.subarray(0, partBytes));
    await failure("object-altered", () => complete({ size: bytes.length, digest: "00".repeat(32) }));
    await failure("object-missing", () => complete({ size: bytes.length, digest }));

    const other = await begun();
    await put(other, 2, bytes.subarray(partBytes));
    await failure("input-invalid", () =>
      connection().json({ target: `${other}/completed`, json: { size: bytes.length, digest } }),
    );
    await connection().json({ method: "DELETE", target: other });
    expect(await names(store.list())).toEqual(before);
    expect(await store.unfinished()).toBe(0);
  });

  it("takes by a URL one part of the size that was said, and nothing once the upload is over", async () => {
    const target = await begun();
    const json = { parts: [{ number: 1, size: 1000 }] };
    const { parts } = await connection().json({ target: `${target}/parts`, json });
    const [{ url }] = parts as [{ url: string }];
    const longer = await fetch(url, { method: "PUT", body: patternBytes(1001) });
    expect(longer.status).toBe(403);
    const right = patternBytes(1000, 6);
    expect((await fetch(url, { method: "PUT", body: right })).status).toBe(200);
    const end = { target: `${target}/completed`, json: { size: 1000, digest: await digestOf(right) } };
    const { result } = await connection().json(end);
    const { address } = result as { address: string };
    // Its answer was lost: asked again, it is told again.
    expect(await connection().json(end)).toMatchObject({ result: { address, bytes: 1000 } });
    expect((await fetch(url, { method: "PUT", body: patternBytes(1000, 9) })).status).toBe(404);
    expect(await collect(store.get(address))).toEqual(right);
    await failure("input-invalid", () => connection().json({ target: `${target}/parts`, json }));
  });

  it("an upload goes one way or the other, and is bounded as any", async () => {
    const target = await begun();
    const patch = {
      method: "PATCH",
      target,
      fields: { "upload-offset": "0", "upload-complete": "?0" },
    } as const;
    await failure("input-invalid", () => connection().json({ ...patch, stream: source(patternBytes(10)) }));
    const relayed = await connection().json({ target: "/v1/provider/uploads", json: {} });
    expect(relayed.direct).toBeNull();
    const at = `/v1/provider/uploads/${String(relayed.upload)}`;
    const one = { parts: [{ number: 1, size: 5 }] };
    await failure("input-invalid", () => connection().json({ target: `${at}/parts`, json: one }));
    const tooLarge = { parts: [{ number: 1, size: partBytes + 1 }] };
    await failure("input-invalid", () => connection().json({ target: `${target}/parts`, json: tooLarge }));
    const all = Array.from({ length: 21 }, (_, index) => ({ number: index + 1, size: partBytes }));
    const ask = (parts: typeof all) => connection().json({ target: `${target}/parts`, json: { parts } });
    await ask(all.slice(0, 16));
    // Over 100 MiB, the largest payload that this provider takes.
    expect((await failure("input-invalid", () => ask(all.slice(16)))).message).toMatch(/larger/);
    const others: string[] = [];
    const more = async (): Promise<void> => {
      for (let count = 0; count < 5; count++) {
        const next = await begun();
        others.push(next);
        await connection().json({ target: `${next}/parts`, json: { parts: all.slice(0, 16) } });
      }
    };
    await failure("rate-limited", more);
    for (const one of [target, at, ...others]) await connection().json({ method: "DELETE", target: one });
    expect(await store.unfinished()).toBe(0);
  });

  it("survives a restart of the server, and is swept when nobody goes on with it", async () => {
    served.world.clock.nowMs += 25 * hourMs;
    const bytes = patternBytes(partBytes + 9, 8);
    const target = await begun();
    await put(target, 1, bytes.subarray(0, partBytes));
    await served.host.close();
    await served.start();
    await put(target, 2, bytes.subarray(partBytes));
    const json = { size: bytes.length, digest: await digestOf(bytes) };
    expect(await connection().json({ target: `${target}/completed`, json })).toMatchObject({
      complete: true,
    });

    const left = await begun();
    await put(left, 1, bytes.subarray(0, partBytes));
    served.world.clock.nowMs += 23 * hourMs;
    await served.staging.sweep();
    expect(await store.unfinished()).toBe(1);
    await put(left, 2, bytes.subarray(partBytes));
    served.world.clock.nowMs += 23 * hourMs;
    await served.staging.sweep();
    // Somebody was at it two days ago less an hour, and a day ago less an hour.
    expect(await store.unfinished()).toBe(1);
    served.world.clock.nowMs += 2 * hourMs;
    await served.staging.sweep();
    expect(await store.unfinished()).toBe(0);
    await failure("object-missing", () => connection().json({ target: left }));
  });
});
