/** Payloads over connections that break: uploads and downloads go on at the byte where they were, over restarts too. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parsePolicy, randomBytes, toHex } from "@chartseal/crypto";
import { deposit, retrieve } from "@chartseal/sharing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failure, type Member, readOut } from "../../../packages/sharing/test/world.ts";
import { collect, patternBytes, source } from "../../../packages/storage/test/conformance.ts";
import { seeded, wholeBetween } from "../../../test/seeded.ts";
import { ServedWorld } from "./served-world.ts";

let served: ServedWorld;
let ana: Member;
beforeAll(async () => {
  served = await ServedWorld.create();
  ana = await served.world.member();
});
afterEach(() => {
  served.proxy.faults = undefined;
});
afterAll(() => served.close());

const parts = { partBytes: 300_000 };
const client = (through: "directly" | "proxy" = "proxy") => served.client(ana, { through, sending: parts });

async function sealed(bytes: Uint8Array, from: AsyncIterable<Uint8Array> = source(bytes)) {
  return await deposit(client(), {
    by: ana,
    owner: ana.account,
    policy: parsePolicy(`${toHex(ana.account)}@self`),
    source: from,
    metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
  });
}

async function objects(): Promise<string[]> {
  const all: string[] = [];
  for await (const name of served.world.stores.objects.list()) all.push(name);
  return all;
}

describe("over a connection that breaks after any number of bytes", () => {
  it.each([1, 2, 3])("a record is deposited and read, whole (seed %i)", async (seed) => {
    const bytes = patternBytes(3_000_000, seed);
    const random = seeded(seed);
    served.proxy.faults = {
      plan: () => ({
        upBytes: wholeBetween(random, 60_000, 500_000),
        downBytes: wholeBetween(random, 400_000, 900_000),
      }),
    };
    const before = served.proxy.struck;
    const { recordId } = await sealed(bytes);
    const opened = await retrieve(client(), { member: ana, recordId });
    expect(Buffer.compare(await collect(opened.read()), bytes)).toBe(0);
    expect(served.proxy.struck - before).toBeGreaterThan(8);
    expect(served.staging.count).toBe(0);
  });
});

describe("an upload", () => {
  it("goes on where it was when the server is another process by now", async () => {
    const bytes = patternBytes(2_000_000, 4);
    let restarted = false;
    const slow = (async function* () {
      for (let at = 0; at < bytes.length; at += 100_000) {
        if (at === 1_200_000) {
          await served.host.close();
          await served.start();
          restarted = true;
          // What was acknowledged before is there.
          expect(served.staging.count).toBe(0);
          await served.staging.open();
          expect(served.staging.count).toBe(1);
          expect(served.staging.bytes()).toBeGreaterThan(0);
        }
        yield bytes.subarray(at, at + 100_000);
      }
    })();
    const { recordId } = await sealed(bytes, slow);
    expect(restarted).toBe(true);
    const opened = await retrieve(client("directly"), { member: ana, recordId });
    expect(Buffer.compare(await collect(opened.read()), bytes)).toBe(0);
  });

  it("that its source gives up leaves nothing, here and there", async () => {
    const before = await objects();
    const broken = (async function* () {
      yield* source(patternBytes(1_500_000));
      throw new Error("the scanner was switched off");
    })();
    await expect(sealed(new Uint8Array(0), broken)).rejects.toThrow("the scanner was switched off");
    const left = (ending: string): number =>
      readdirSync(join(served.folder, "uploads")).filter((name) => name.endsWith(ending)).length;
    // Results of uploads that were taken are kept for whoever asks again.
    await expect.poll(() => left("bytes") - left("json"), { timeout: 30_000 }).toBe(0);
    await expect.poll(() => served.staging.count, { timeout: 30_000 }).toBe(0);
    expect(served.staging.bytes()).toBe(0);
    expect(await objects()).toEqual(before);
  });

  it("takes bytes where it stands and nowhere else, and none once it is complete", async () => {
    const connection = served.connection();
    const begun = await connection.json({ target: "/v1/provider/uploads", json: {} });
    const target = `/v1/provider/uploads/${begun.upload}`;
    const patch = (offset: number, bytes: Uint8Array, last = false) =>
      connection.json({
        method: "PATCH",
        target,
        stream: source(bytes),
        fields: { "upload-offset": String(offset), "upload-complete": last ? "?1" : "?0" },
      });
    expect(await patch(0, randomBytes(1000))).toMatchObject({ offset: 1000, complete: false, result: null });
    for (const offset of [0, 999, 1001]) {
      const { data } = await failure("input-invalid", () => patch(offset, randomBytes(10)));
      expect(data.offset).toBe(1000);
    }
    const raw = await fetch(`${served.host.url}${target}`, {
      method: "PATCH",
      headers: { "content-type": "application/partial-upload", "upload-offset": "5" },
      body: new Uint8Array(3),
    });
    expect([raw.status, raw.headers.get("upload-offset")]).toEqual([409, "1000"]);
    const head = await fetch(`${served.host.url}${target}`, { method: "HEAD" });
    expect([head.status, head.headers.get("upload-offset"), head.headers.get("upload-complete")]).toEqual([
      204,
      "1000",
      "?0",
    ]);
    const done = await patch(1000, randomBytes(24), true);
    expect(done).toMatchObject({ offset: 1024, complete: true, result: { bytes: 1024 } });
    // Asked again, for an answer that was lost: the same address, and no second object.
    const before = await objects();
    expect(await connection.json({ target })).toEqual(done);
    expect(await objects()).toEqual(before);
    await failure("input-invalid", () => patch(1024, randomBytes(1)));
    await connection.json({ method: "DELETE", target });
    await failure("object-missing", () => connection.json({ target }));
  });

  it("whose id nobody was told is found by nobody", async () => {
    const target = `/v1/provider/uploads/${"ab".repeat(32)}`;
    const connection = served.connection();
    await failure("object-missing", () => connection.json({ target }));
    await failure("object-missing", () =>
      connection.json({ method: "DELETE", target }).then(() => connection.json({ target })),
    );
    await failure("input-invalid", () => connection.json({ target: "/v1/provider/uploads/..%2f..%2fx" }));
  });

  it("is one of few: more are refused, and so are bytes beyond what there is room for", async () => {
    const small = await ServedWorld.create({ provider: { payloadBytesMax: 50_000 } });
    try {
      const connection = small.connection();
      const begin = () => connection.json({ target: "/v1/provider/uploads", json: {} });
      const { upload } = await begin();
      const patch = { method: "PATCH", target: `/v1/provider/uploads/${upload}` } as const;
      const fields = { "upload-offset": "0" };
      const stream = source(randomBytes(50_001));
      await failure("input-invalid", () => connection.json({ ...patch, stream, fields }));
      for (let open = 1; open < 16; open++) await begin();
      await failure("rate-limited", begin);
      // What nobody goes on with makes room after its grace time.
      small.world.advance(86_400_000);
      await begin();
      expect(small.staging.count).toBe(1);
    } finally {
      await small.close();
    }
  });
});

/** Every connection after a number of bytes from the server. */
function cutDown(random: () => number, from: number, to: number): void {
  served.proxy.faults = { plan: () => ({ downBytes: wholeBetween(random, from, to) }) };
}

describe("a download", () => {
  it("goes on with a new ticket when the server forgot the one it gave", async () => {
    const bytes = patternBytes(2_000_000, 7);
    const { recordId } = await sealed(bytes);
    const opened = await retrieve(client(), { member: ana, recordId });
    cutDown(seeded(5), 300_000, 500_000);
    let restarted = false;
    const read: Uint8Array[] = [];
    for await (const piece of opened.read()) {
      read.push(piece.slice());
      if (restarted) continue;
      restarted = true;
      await served.host.close();
      await served.start();
    }
    expect(Buffer.compare(Buffer.concat(read), bytes)).toBe(0);
  });

  it("of ranges over cut connections gives exactly these bytes", async () => {
    const bytes = patternBytes(1_500_000, 8);
    const { recordId } = await sealed(bytes);
    cutDown(seeded(6), 300_000, 400_000);
    const opened = await retrieve(client(), { member: ana, recordId });
    const part = await collect(opened.read({ from: 123_456, to: 1_234_567 }));
    expect(Buffer.compare(part, bytes.subarray(123_456, 1_234_568))).toBe(0);
    expect(await readOut(await retrieve(client(), { member: ana, recordId }))).toHaveLength(
      new TextDecoder().decode(bytes).length,
    );
  });
});
