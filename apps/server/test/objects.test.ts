/** The holder's role: one peer's objects are nothing to another, quotas hold, and no cut, stall or restart tears an object. */
import { readdirSync } from "node:fs";
import { parsePolicy, toHex, utf8 } from "@chartseal/crypto";
import { verifyErasedCopy } from "@chartseal/ledger";
import { deposit, erase } from "@chartseal/sharing";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { failure, source as textSource, World } from "../../../packages/sharing/test/world.ts";
import { collect, names, patternBytes, source } from "../../../packages/storage/test/conformance.ts";
import { seeded, wholeBetween } from "../../../test/seeded.ts";
import { signRequest } from "../src/client/index.ts";
import { Holder, peers, stranger } from "./holder.ts";

const ends: (() => Promise<void>)[] = [];
const holding = async (options: Parameters<typeof Holder.create>[0] = {}): Promise<Holder> => {
  const holder = await Holder.create(options);
  ends.push(() => holder.close());
  return holder;
};
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });

describe("of two peers", () => {
  it("neither sees, reads, replaces or removes what is the other's, under the same name", async () => {
    const holder = await holding();
    const [one, other] = [holder.store(peers[0]), holder.store(peers[1])];
    await one.put("shards/a", source(utf8("of one")));
    await expect(other.stat("shards/a")).rejects.toEqual(coded("object-missing"));
    await expect(collect(other.get("shards/a"))).rejects.toEqual(coded("object-missing"));
    expect(await names(other.list())).toEqual([]);
    expect(await other.remove("shards/a")).toBe(false);
    await other.put("shards/a", source(utf8("of the other")));
    expect(await collect(one.get("shards/a"))).toEqual(utf8("of one"));
    expect(await one.usage()).toMatchObject({ bytes: 6, objects: 1 });
  });

  it("neither goes on with the other's upload, whose id it saw", async () => {
    const holder = await holding();
    const begun = await holder.connection(peers[0]).json({ target: "/v1/objects/uploads", json: {} });
    const target = `/v1/objects/uploads/${begun.upload}`;
    const theirs = holder.connection(peers[1]);
    const part = { target, bytes: utf8("x"), fields: { "upload-offset": "0" } };
    await failure("object-missing", () => theirs.json({ target }));
    await failure("object-missing", () => theirs.json({ method: "PATCH", ...part }));
    await failure("object-missing", () => theirs.json({ method: "DELETE", target }));
    const commit = { target: `${target}/committed`, json: { name: "a", size: 0 } };
    await failure("object-missing", () => theirs.json(commit));
    await holder.connection(peers[0]).json(commit);
  });

  it("an account that is no peer is refused everywhere, and who does not sign as well", async () => {
    const holder = await holding();
    await holder.store(peers[0]).put("a", source(utf8("x")));
    const unknown = holder.connection(stranger);
    const unsigned = { signer: null };
    const calls = [
      { target: "/v1/objects" },
      { target: "/v1/objects/content/a" },
      { target: "/v1/objects/names" },
      { target: "/v1/objects/uploads", json: {} },
      { method: "DELETE", target: "/v1/objects/content/a" },
      { method: "PUT", target: "/v1/objects/content/a", bytes: utf8("y") },
    ] as const;
    for (const call of calls) {
      await failure("peer-unknown", () => unknown.json(call));
      await failure("signature-invalid", () => unknown.json({ ...call, ...unsigned }));
    }
    expect(await collect(holder.store(peers[0]).get("a"))).toEqual(utf8("x"));
  });
});

describe("a signed request", () => {
  /** Sends one request as it is, any number of times. */
  const sending = async (
    holder: Holder,
    request: { method: string; target: string; body?: Uint8Array; fields?: Record<string, string> },
    altered: Partial<{ target: string; body: Uint8Array; fields: Record<string, string> }> = {},
  ) => {
    const { method, target, body, fields = {} } = request;
    const authority = `127.0.0.1:${holder.host.port}`;
    const nonce = toHex(crypto.getRandomValues(new Uint8Array(16)));
    const signed = signRequest(
      peers[0],
      { method, authority, target, fields, ...(body === undefined ? {} : { body }) },
      { nowMs: Date.now(), nonce },
    );
    const type = body === undefined ? {} : { "content-type": "application/octet-stream" };
    const headers = { ...type, ...signed, ...fields, ...altered.fields };
    const sent = altered.body ?? body;
    const send = () =>
      fetch(`${holder.host.url}${altered.target ?? target}`, {
        method,
        headers,
        ...(sent === undefined ? {} : { body: new Uint8Array(sent) }),
      });
    return { send, first: await send() };
  };
  const told = async (response: Response) => [
    response.status,
    ((await response.json()) as { data?: { part?: string } }).data?.part,
  ];

  it("counts once, for its own path, bytes and offset", async () => {
    const holder = await holding();
    const put = { method: "PUT", target: "/v1/objects/content/a", body: utf8("bytes") };
    const { first, send } = await sending(holder, put);
    expect(first.status).toBe(200);
    expect(await told(await send())).toEqual([401, "replayed"]);
    const otherPath = await sending(holder, put, { target: "/v1/objects/content/b" });
    expect(await told(otherPath.first)).toEqual([401, "signature"]);
    const otherBytes = await sending(holder, put, { body: utf8("others") });
    expect(await told(otherBytes.first)).toEqual([401, "digest"]);
    expect(await names(holder.store().list())).toEqual(["a"]);

    const begun = await holder.connection(peers[0]).json({ target: "/v1/objects/uploads", json: {} });
    const target = `/v1/objects/uploads/${begun.upload}`;
    const part = { method: "PATCH", target, body: utf8("part"), fields: { "upload-offset": "0" } };
    const moved = await sending(holder, part, { fields: { "upload-offset": "4" } });
    expect(await told(moved.first)).toEqual([401, "signature"]);
    const { fields: _, ...without } = part;
    const added = await sending(holder, without, { fields: { "upload-offset": "0" } });
    expect(await told(added.first)).toEqual([401, "components"]);
    expect((await sending(holder, part)).first.status).toBe(200);
  });
});

describe("a quota", () => {
  it("counts what is stored and what is under way, and frees what is replaced or removed", async () => {
    const holder = await holding({ quotaBytes: 100_000 });
    const store = holder.store(peers[0]);
    await store.put("a", source(patternBytes(60_000)));
    const handle = await store.begin();
    await handle.write(patternBytes(30_000));
    await expect(store.put("b", source(patternBytes(50_000)))).rejects.toEqual(coded("store-unreachable"));
    await handle.commit("c");
    await expect(store.put("b", source(patternBytes(10_001)))).rejects.toEqual(coded("store-unreachable"));
    await store.put("b", source(patternBytes(10_000)));
    expect(await store.usage()).toMatchObject({ bytes: 100_000, objects: 3, quotaBytes: 100_000 });
    await store.remove("a");
    await store.put("b", source(patternBytes(1)));
    expect(await store.usage()).toMatchObject({ bytes: 30_001, objects: 2 });
    // The other peer has a quota of its own.
    await holder.store(peers[1]).put("a", source(patternBytes(90_000)));
    // Counted again by a server that begins.
    await holder.host.close();
    await holder.start();
    expect(await holder.store(peers[0]).usage()).toMatchObject({ bytes: 30_001, objects: 2 });
  });
});

describe("connections that break", () => {
  it.each([1, 2, 3])(
    "after any number of bytes, either way (seed %i): whole objects, and nothing else",
    // Hundreds of parts, each on the disk before the next.
    { timeout: 600_000 },
    async (seed) => {
      const holder = await holding();
      const store = holder.store(peers[0], { through: "proxy", partBytes: 256 * 1024 });
      const random = seeded(seed);
      holder.proxy.faults = {
        plan: () => ({
          upBytes: wholeBetween(random, 20_000, 400_000),
          downBytes: wholeBetween(random, 500, 900_000),
        }),
      };
      const [large, small] = [patternBytes(3_000_000, seed), patternBytes(300_000, seed + 1)];
      await store.put("large", source(large));
      await store.put("small", source(small));
      const handle = await store.begin();
      await handle.write(large);
      await handle.commit("begun");
      for (const [name, bytes] of [
        ["large", large],
        ["small", small],
        ["begun", large],
      ] as const)
        expect(Buffer.compare(await collect(store.get(name)), bytes), name).toBe(0);
      const range = { from: 1_234_567, toInclusive: 2_345_678 };
      expect(
        Buffer.compare(await collect(store.get("large", range)), large.subarray(1_234_567, 2_345_679)),
      ).toBe(0);
      expect(holder.proxy.struck).toBeGreaterThan(8);
      holder.proxy.faults = undefined;
      expect(await names(store.list())).toEqual(["begun", "large", "small"]);
    },
  );

  it("a reader that was cut off from an object that is another by now is told so, and never given both", async () => {
    const holder = await holding();
    const store = holder.store(peers[0], { through: "proxy" });
    await store.put("a", source(patternBytes(8_000_000, 1)));
    holder.proxy.faults = { plan: () => ({ downBytes: 2_000_000 }) };
    const reader = store.get("a")[Symbol.asyncIterator]();
    await reader.next();
    await holder.store(peers[0]).put("a", source(patternBytes(8_000_000, 2)));
    await expect(collect({ [Symbol.asyncIterator]: () => reader })).rejects.toEqual(
      coded("store-unreachable"),
    );
  });

  it("a server that goes and comes back in the middle of an upload goes on where it stood", async () => {
    const holder = await holding();
    const bytes = patternBytes(2_500_000);
    const store = holder.store(peers[0], { through: "proxy", partBytes: 200_000, pauseMs: 30 });
    const handle = await store.begin();
    await handle.write(bytes.subarray(0, 1_000_000));
    await holder.host.close();
    expect(readdirSync(`${holder.folder}/uploads`)).toHaveLength(3);
    const back = holder.start();
    await handle.write(bytes.subarray(1_000_000));
    await back;
    expect(await handle.commit("a")).toEqual({ size: 2_500_000 });
    expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
  });

  it("a holder that says nothing more is given up, and nothing hangs", async () => {
    const holder = await holding();
    const store = holder.store(peers[0], { through: "proxy", stallMs: 100 });
    await store.put("a", source(patternBytes(500_000)));
    holder.proxy.isSilent = true;
    const begun = Date.now();
    await expect(collect(store.get("a"))).rejects.toEqual(coded("store-unreachable"));
    await expect(store.put("b", source(patternBytes(10)))).rejects.toEqual(coded("store-unreachable"));
    expect(Date.now() - begun).toBeLessThan(15_000);
    holder.proxy.isSilent = false;
    expect(await names(holder.store(peers[0]).list())).toEqual(["a"]);
  });

  it("uploads that nobody goes on with are removed after the grace time, those at work are not", async () => {
    const holder = await holding();
    const store = holder.store(peers[0]);
    const [left, used] = [await store.begin(), await store.begin()];
    await left.write(patternBytes(10));
    holder.clock.nowMs += 3_000_000;
    await used.write(patternBytes(5_000_000));
    holder.clock.nowMs += 1_000_000;
    expect(await holder.staging.sweep()).toBe(1);
    await used.commit("used");
    await expect(left.commit("left")).rejects.toThrow();
    expect(await names(store.list())).toEqual(["used"]);
  });
});

describe("an erasure", () => {
  const world = World.create();
  afterAll(async () => (await world).close());

  it("is attested by the holder's own account, once the ledger shows it, and what it held is gone", async () => {
    const { pairing, now, ledger, provider, providerIdentity } = await world;
    const owner = await (await world).member();
    const holder = await holding({ attest: (copy) => provider.attestErased(copy) });
    const store = holder.store(peers[0]);
    for (const name of ["s1", "s2", "other"]) await store.put(name, source(utf8(name)));
    const surroundings = { pairing, now, ledger, provider };
    const { recordId } = await deposit(surroundings, {
      by: owner,
      owner: owner.account,
      policy: parsePolicy(`${toHex(owner.account)}@self`),
      source: textSource(utf8("text")),
      metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
    });
    await failure("input-invalid", () => store.attestErased({ recordId, names: ["s1"] }).catch(causeOf));
    expect(await names(store.list())).toEqual(["other", "s1", "s2"]);
    await erase(surroundings, { owner, recordId });
    // Parts of a piece that the peer's crash left: nobody knows any more what they are of, so that they go when it is signed.
    const parts = async (signer: (typeof peers)[number]): Promise<string> => {
      const connection = holder.connection(signer);
      const { upload } = await connection.json({ target: "/v1/objects/uploads", json: {} });
      const target = `/v1/objects/uploads/${upload}`;
      const bytes = utf8("half a piece");
      await connection.json({ method: "PATCH", target, bytes, fields: { "upload-offset": "0" } });
      return target;
    };
    const left = await parts(peers[0]);
    const others = await parts(peers[1]);
    holder.clock.nowMs += 11 * 60_000;
    const moving = await parts(peers[0]);
    const signed = await store.attestErased({ recordId, names: ["s1", "s2"], address: "copy-7" });
    expect(signed).toHaveLength(1);
    const each = await store.attestErased({ recordId, names: ["s1", "s2"] });
    for (const [at, address] of ["copy-7", "s1", "s2"].entries()) {
      const copy = [...signed, ...each][at]!;
      const meant = { chainId: ledger.chainId, recordId, address };
      expect(verifyErasedCopy(providerIdentity.publicKey, copy, meant)).toBe(true);
    }
    expect(await names(store.list())).toEqual(["other"]);
    await failure("object-missing", () => holder.connection(peers[0]).json({ target: left }));
    expect(await holder.connection(peers[0]).json({ target: moving })).toEqual({ offset: 12 });
    expect(await holder.connection(peers[1]).json({ target: others })).toEqual({ offset: 12 });
  });
});

function causeOf(error: unknown): never {
  throw (error as { cause?: unknown }).cause ?? error;
}
