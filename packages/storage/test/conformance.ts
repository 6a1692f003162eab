/**
 * What every object store must do, whatever it is made of. An implementation's test hands in how to open a fresh store
 * and how to count what is unfinished in it.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { type ObjectStore, segmentLengthMax } from "../src/index.ts";

export interface Candidate {
  store: ObjectStore;
  /** How many objects lie unfinished in the store: 0 once every put has ended, well or badly. */
  unfinished(): Promise<number>;
}

/** Bytes that differ everywhere, so that a misplaced range shows. */
export function patternBytes(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (Math.imul(i + seed, 2654435761) >>> 13) & 255;
  return bytes;
}

/** A source of `bytes` in chunks of `chunkSize`, which reuses one buffer as a careless caller may. */
export async function* source(bytes: Uint8Array, chunkSize = 64 * 1024): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(chunkSize);
  for (let from = 0; from < bytes.length; from += chunkSize) {
    const part = bytes.subarray(from, from + chunkSize);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
    buffer.fill(0xee);
  }
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

export async function names(stream: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const name of stream) all.push(name);
  return all;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });

export function conformance(title: string, open: () => Promise<Candidate>): void {
  describe(`${title} keeps the contract of an object store:`, () => {
    let candidate: Candidate;
    let store: ObjectStore;
    beforeEach(async () => {
      candidate = await open();
      store = candidate.store;
    });
    wholeObjects(() => store);
    naming(() => store);
    ranges(() => store);
    failures(() => candidate);
    handles(() => candidate);
    concurrency(() => store);
  });
}

function wholeObjects(store: () => ObjectStore): void {
  it.each([0, 1, 4095, 65_536, 1_048_576, 1_048_577, 3_000_001])(
    "an object of %i bytes comes back",
    async (size) => {
      const bytes = patternBytes(size);
      expect(await store().put("a/b.c", source(bytes))).toEqual({ size });
      expect(await store().stat("a/b.c")).toEqual({ size });
      expect(Buffer.compare(await collect(store().get("a/b.c")), bytes)).toBe(0);
    },
  );

  it("lent chunks are right while they are lent, and what is not lent stays the caller's", async () => {
    const bytes = patternBytes(5_000_001);
    await store().put("lent", source(bytes));
    const copies: Uint8Array[] = [];
    for await (const chunk of store().get("lent", undefined, { lend: true })) {
      copies.push(Uint8Array.from(chunk));
    }
    expect(Buffer.compare(Buffer.concat(copies), bytes)).toBe(0);
    const range = { from: 1_000_000, toInclusive: 4_000_000 };
    const kept: Uint8Array[] = [];
    for await (const chunk of store().get("lent", range)) kept.push(chunk);
    expect(Buffer.compare(Buffer.concat(kept), bytes.subarray(1_000_000, 4_000_001))).toBe(0);
  });

  it("a source of one byte at a time, with empty chunks between, comes back", async () => {
    const bytes = patternBytes(20_000);
    async function* single() {
      for (const byte of bytes) {
        yield Uint8Array.of(byte);
        yield new Uint8Array(0);
      }
    }
    await store().put("single", single());
    expect(Buffer.compare(await collect(store().get("single")), bytes)).toBe(0);
  });

  it("a second put replaces the object", async () => {
    await store().put("a", source(patternBytes(5000, 1)));
    await store().put("a", source(patternBytes(10, 2)));
    expect(await collect(store().get("a"))).toEqual(patternBytes(10, 2));
    expect(await names(store().list())).toEqual(["a"]);
  });

  it("remove says whether there was an object, and then there is none", async () => {
    await store().put("x/y", source(patternBytes(3)));
    expect(await store().remove("x/y")).toBe(true);
    expect(await store().remove("x/y")).toBe(false);
    expect(await store().remove("never/was")).toBe(false);
    await expect(store().stat("x/y")).rejects.toEqual(coded("object-missing"));
    await expect(collect(store().get("x/y"))).rejects.toEqual(coded("object-missing"));
    expect(await names(store().list())).toEqual([]);
  });

  it("a reader that has begun gets the object as it was, though it is replaced or removed", async () => {
    const old = patternBytes(4_000_000, 1);
    for (const change of [() => store().put("a", source(bytesOf("new"))), () => store().remove("a")]) {
      await store().put("a", source(old));
      const reader = store().get("a")[Symbol.asyncIterator]();
      const first = await reader.next();
      await change();
      const rest = await collect({ [Symbol.asyncIterator]: () => reader });
      expect(Buffer.compare(Buffer.concat([first.value as Uint8Array, rest]), old)).toBe(0);
    }
  });

  it("a reader that leaves early harms nothing", async () => {
    await store().put("a", source(patternBytes(5_000_000)));
    for await (const chunk of store().get("a")) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(await store().remove("a")).toBe(true);
  });
}

function naming(store: () => ObjectStore): void {
  it("list gives every name once in byte order, and those of a prefix", async () => {
    const all = ["a-b", "a.b", "a/b", "a/c/d", "a0", "ab/c", "b", "a_/x"];
    for (const name of all) await store().put(name, source(bytesOf(name)));
    const sorted = [...all].sort();
    expect(await names(store().list())).toEqual(sorted);
    for (const prefix of ["a", "a/", "a/c", "a/c/d", "b", "zz", "a/b/c"]) {
      expect(await names(store().list(prefix)), prefix).toEqual(
        sorted.filter((name) => name.startsWith(prefix)),
      );
    }
  });

  const long = "n".repeat(segmentLengthMax);
  it.each([["a"], ["0"], ["a..b"], ["a.-_"], [`${long}/${long}`], ["a/b/c/d/e/f/g/h"]])(
    "%j is a name",
    async (name) => {
      await store().put(name, source(bytesOf("x")));
      expect(await names(store().list())).toEqual([name]);
    },
  );

  const bad = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    "..",
    "../a",
    "a/../b",
    "a/.",
    ".a",
    "-a",
    "_a",
    "A",
    "é",
    "a b",
    "a\\b",
  ];
  const worse = ["a\0b", "a\n", "c:a", `${long}n`, `${"a/".repeat(16)}a`];
  it.each([...bad, ...worse].map((name) => [name]))("%j is no name, for any call", async (name) => {
    const never = source(bytesOf("x"));
    await expect(store().put(name, never)).rejects.toEqual(coded("name-invalid"));
    await expect(collect(store().get(name))).rejects.toEqual(coded("name-invalid"));
    await expect(store().stat(name)).rejects.toEqual(coded("name-invalid"));
    await expect(store().remove(name)).rejects.toEqual(coded("name-invalid"));
    expect(await names(store().list())).toEqual([]);
  });
}

function ranges(store: () => ObjectStore): void {
  it("any range inside gives exactly its bytes, any other is refused", async () => {
    const size = 2_500_000;
    const bytes = patternBytes(size);
    await store().put("r", source(bytes));
    const edges = [
      0,
      1,
      999,
      1000,
      65_535,
      1_048_575,
      1_048_576,
      1_048_577,
      size - 2,
      size - 1,
      size,
      size + 1,
      -1,
    ];
    const position = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: -2, max: size + 2 }));
    await fc.assert(
      fc.asyncProperty(position, position, async (from, toInclusive) => {
        const read = collect(store().get("r", { from, toInclusive }));
        if (0 <= from && from <= toInclusive && toInclusive < size) {
          expect(Buffer.compare(await read, bytes.subarray(from, toInclusive + 1))).toBe(0);
        } else await expect(read).rejects.toEqual(coded("range-invalid"));
      }),
      { numRuns: 150 },
    );
  });

  it("ranges beyond the end are refused as often as they are asked for", async () => {
    await store().put("r", source(patternBytes(500_000)));
    // More often than a client has connections: what a refusal leaves unread must not keep one.
    for (let time = 0; time < 40; time++) {
      const read = collect(store().get("r", { from: time, toInclusive: 500_000 }));
      await expect(read).rejects.toEqual(coded("range-invalid"));
    }
    expect((await collect(store().get("r"))).length).toBe(500_000);
  });

  it.each([
    [0.5, 1],
    [0, 1.5],
    [Number.NaN, 1],
    [0, Number.POSITIVE_INFINITY],
    [0, 2 ** 53],
  ])("a range from %d to %d is refused", async (from, toInclusive) => {
    await store().put("r", source(patternBytes(9)));
    await expect(collect(store().get("r", { from, toInclusive }))).rejects.toEqual(coded("range-invalid"));
  });

  it("an empty object has no range, and comes back whole", async () => {
    await store().put("empty", source(new Uint8Array(0)));
    await expect(collect(store().get("empty", { from: 0, toInclusive: 0 }))).rejects.toEqual(
      coded("range-invalid"),
    );
    expect(await collect(store().get("empty"))).toEqual(new Uint8Array(0));
  });
}

function failures(candidate: () => Candidate): void {
  const old = bytesOf("the old object");
  async function expectUntouched() {
    expect(await collect(candidate().store.get("a"))).toEqual(old);
    expect(await names(candidate().store.list())).toEqual(["a"]);
    expect(await candidate().unfinished()).toBe(0);
  }

  it.each([0, 10, 3_000_000])("a source that fails after %i bytes leaves the old object", async (size) => {
    await candidate().store.put("a", source(old));
    const failure = new RangeError("the source broke");
    async function* failing() {
      yield* source(patternBytes(size));
      throw failure;
    }
    await expect(candidate().store.put("a", failing())).rejects.toBe(failure);
    await expect(candidate().store.put("b", failing())).rejects.toBe(failure);
    await expectUntouched();
  });

  it("an object of sizeMax is taken, a larger one is refused before its source ends", async () => {
    await candidate().store.put("a", source(old), { sizeMax: old.length });
    let given = 0;
    async function* endless() {
      for (;;) {
        given += 1000;
        yield patternBytes(1000);
      }
    }
    const put = candidate().store.put("a", endless(), { sizeMax: 9_999 });
    await expect(put).rejects.toEqual(coded("too-large"));
    expect(given).toBe(10_000);
    await expectUntouched();
  });
}

function handles(candidate: () => Candidate): void {
  it("an object begun is invisible until it is committed under its name", async () => {
    const { store, unfinished } = candidate();
    const handle = await store.begin();
    await handle.write(bytesOf("one "));
    await handle.write(bytesOf("two"));
    expect(await names(store.list())).toEqual([]);
    expect(await unfinished()).toBe(1);
    expect(await handle.commit("late/name")).toEqual({ size: 7 });
    expect(await collect(store.get("late/name"))).toEqual(bytesOf("one two"));
    expect(await unfinished()).toBe(0);
    await handle.abort();
    expect(await names(store.list())).toEqual(["late/name"]);
  });

  it("abort leaves nothing, twice too, and the handle takes nothing more", async () => {
    const { store, unfinished } = candidate();
    const handle = await store.begin();
    await handle.write(patternBytes(2_000_000));
    await handle.abort();
    await handle.abort();
    expect(await unfinished()).toBe(0);
    await expect(handle.write(bytesOf("x"))).rejects.toEqual(coded("store-unreachable"));
    await expect(handle.commit("a")).rejects.toEqual(coded("store-unreachable"));
    expect(await names(store.list())).toEqual([]);
  });

  it("a commit under a bad name can be corrected", async () => {
    const handle = await candidate().store.begin();
    await handle.write(bytesOf("x"));
    await expect(handle.commit("../a")).rejects.toEqual(coded("name-invalid"));
    await handle.commit("a");
    expect(await collect(candidate().store.get("a"))).toEqual(bytesOf("x"));
  });

  it("after too many bytes the handle can only be aborted", async () => {
    const handle = await candidate().store.begin({ sizeMax: 3 });
    await expect(handle.write(bytesOf("four"))).rejects.toEqual(coded("too-large"));
    await expect(handle.commit("a")).rejects.toEqual(coded("store-unreachable"));
    await handle.abort();
    expect(await candidate().unfinished()).toBe(0);
  });
}

function concurrency(store: () => ObjectStore): void {
  it("of many puts of one name one stays, whole, and readers never see another state", async () => {
    const versions = Array.from({ length: 8 }, (_, i) => patternBytes(300_000 + i, i + 1));
    const whole = (bytes: Uint8Array) => versions.some((version) => Buffer.compare(version, bytes) === 0);
    await store().put("a", source(versions[0]!));
    const puts = versions.map((version) => store().put("a", source(version, 10_000)));
    const reads = Array.from({ length: 8 }, () => collect(store().get("a")));
    for (const bytes of await Promise.all(reads)) expect(whole(bytes)).toBe(true);
    await Promise.all(puts);
    expect(whole(await collect(store().get("a")))).toBe(true);
  });

  it("many puts below one new folder all arrive", async () => {
    const all = Array.from({ length: 30 }, (_, i) => `deep/er/n${String(i).padStart(2, "0")}`);
    await Promise.all(all.map((name) => store().put(name, source(bytesOf(name)))));
    expect(await names(store().list("deep/"))).toEqual(all);
    for (const name of all) expect(await collect(store().get(name))).toEqual(bytesOf(name));
  });
}
