/** Objects whole at one place, over what was stored before: the contract, what counts after a crash, moving, URLs. */
import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type DirectAccess, PlacedStore, SplitStore, WholeStore } from "../src/index.ts";
import { collect, conformance, names, source } from "./conformance.ts";
import { MemoryStore } from "./memory.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (store: Pick<MemoryStore, "put">, name: string, text: string) =>
  store.put(name, source(bytesOf(text)));
const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });

/** A store that gives URLs, which say what they are for. */
class Bucket extends MemoryStore {
  readonly direct: DirectAccess = {
    partSizes: [{ from: 1, bytes: 8 }],
    partsMax: 3,
    getUrl: async (name) => `https://bucket/${name}`,
    openUpload: async () => "id",
    partUrl: async (name) => `https://bucket/${name}?part`,
    completeUpload: async (_name, { size }) => ({ size }),
    abortUpload: async () => {},
  };
}

let folder: MemoryStore;
let bucket: Bucket;
let whole: WholeStore;
const over = (earlier: ConstructorParameters<typeof WholeStore>[1], store = bucket) =>
  new WholeStore({ name: "cloud", region: "eu", store }, earlier);
const textOf = async (store: Pick<WholeStore, "get">, name: string): Promise<string> =>
  Buffer.from(await collect(store.get(name))).toString();

beforeEach(() => {
  folder = new MemoryStore();
  bucket = new Bucket();
  whole = over(folder);
});

conformance("A store of whole objects", async () => {
  const [earlier, store] = [new MemoryStore(), new Bucket()];
  return {
    store: over(earlier, store),
    unfinished: async () => store.unfinished.size + earlier.unfinished.size,
  };
});

describe("a store of whole objects", () => {
  it("puts in the bucket what is new, reads what is of before, and lists each once", async () => {
    await put(folder, "b", "before");
    await put(whole, "a", "new");
    await put(whole, "c", "new");
    expect([...bucket.objects.keys()]).toEqual(["a", "c"]);
    expect(await names(whole.list())).toEqual(["a", "b", "c"]);
    expect([await textOf(whole, "a"), await textOf(whole, "b")]).toEqual(["new", "before"]);
    expect(await whole.whereabouts("a")).toMatchObject({ regions: ["eu"], whole: true, astray: false });
    expect(await whole.whereabouts("b")).toBeUndefined();
    expect(await whole.whereabouts("none")).toBeUndefined();
  });

  it("an object that is replaced goes from where it lay; until that is done, the old one counts", async () => {
    await put(folder, "a", "before");
    const crashed = over({
      get: (name, range) => folder.get(name, range),
      stat: (name) => folder.stat(name),
      list: (prefix) => folder.list(prefix),
      remove: async () => {
        throw new Error("power cut");
      },
    });
    await expect(put(crashed, "a", "after")).rejects.toThrow("power cut");
    expect(bucket.objects.has("a")).toBe(true);
    expect([await textOf(whole, "a"), await names(whole.list())]).toEqual(["before", ["a"]]);
    // A removal that is cut brings nothing out that was hidden.
    await expect(crashed.remove("a")).rejects.toThrow("power cut");
    expect([await textOf(whole, "a"), bucket.objects.size]).toEqual(["before", 0]);
    await put(whole, "a", "after");
    expect([await textOf(whole, "a"), folder.objects.size]).toEqual(["after", 0]);
  });

  it("a move brings an object, and a reader that looked before it reads on", async () => {
    await put(folder, "a", "x".repeat(5000));
    const reading = whole.get("a");
    const first = (await reading.next()).value as Uint8Array;
    expect(await whole.move("a")).toBe(true);
    expect(first.length + (await collect(reading)).length).toBe(5000);
    expect([folder.objects.size, bucket.objects.size]).toEqual([0, 1]);
    expect(await whole.move("a")).toBe(false);
    const looked = over({
      get: (name, range) => folder.get(name, range),
      stat: async () => ({ size: 5000 }),
      list: (prefix) => folder.list(prefix),
    });
    expect((await textOf(looked, "a")).length).toBe(5000);
    await expect(textOf(looked, "b")).rejects.toEqual(coded("object-missing"));
  });

  it("has URLs of what lies in the bucket alone", async () => {
    await put(folder, "a", "before");
    expect(await whole.direct?.getUrl("a", { expiresMs: 1 })).toBeUndefined();
    expect(await whole.direct?.getUrl("b", { expiresMs: 1 })).toBe("https://bucket/b");
    expect(over(folder, new MemoryStore() as Bucket).direct).toBeUndefined();
  });

  it("one bucket over another: what the first has is read there, moved, and removed from both", async () => {
    await put(whole, "a", "first");
    const next = new Bucket();
    const second = over(whole, next);
    expect(await textOf(second, "a")).toBe("first");
    expect(await second.whereabouts("a")).toMatchObject({ regions: ["eu"], whole: true });
    expect(await second.direct?.getUrl("a", { expiresMs: 1 })).toBeUndefined();
    expect(await second.move("a")).toBe(true);
    expect([bucket.objects.size, next.objects.size]).toEqual([0, 1]);
    await put(bucket, "a", "left");
    expect(await second.remove("a")).toBe(true);
    expect([bucket.objects.size, next.objects.size]).toEqual([0, 0]);
  });
});

describe("places beside a bucket for whole objects", () => {
  let disk: MemoryStore;
  let placed: PlacedStore;
  const one = { placement: { k: 1, n: 1 } };
  beforeEach(() => {
    disk = new MemoryStore();
    const split = new SplitStore({
      places: [{ name: "disk", region: "ch", store: disk }],
      keys: { names: randomBytes(32), blocks: randomBytes(32), manifests: randomBytes(32) },
      index: { entries: new MemoryStore(), leftovers: new MemoryStore() },
    });
    placed = new PlacedStore(split, whole, whole);
  });

  it("what says a placement is divided, the rest is whole; a URL is of what is whole", async () => {
    await placed.put("a", source(bytesOf("divided")), one);
    await placed.put("b", source(bytesOf("whole")));
    expect([disk.objects.size, [...bucket.objects.keys()]]).toEqual([1, ["b"]]);
    expect([await textOf(placed, "a"), await textOf(placed, "b")]).toEqual(["divided", "whole"]);
    expect(await placed.whereabouts("a")).toMatchObject({ regions: ["ch"], shards: 1 });
    expect((await placed.whereabouts("a"))?.whole).toBeUndefined();
    expect(await placed.whereabouts("b")).toMatchObject({ regions: ["eu"], whole: true });
    expect(await placed.direct?.getUrl("a", { expiresMs: 1 })).toBeUndefined();
    expect(await placed.direct?.getUrl("b", { expiresMs: 1 })).toBe("https://bucket/b");
    expect(await names(placed.list())).toEqual(["a", "b"]);
  });

  it("what is put the other way leaves where it lay", async () => {
    await placed.put("a", source(bytesOf("divided")), one);
    await placed.put("a", source(bytesOf("whole")));
    expect([await textOf(placed, "a"), disk.objects.size, bucket.objects.size]).toEqual(["whole", 0, 1]);
    await placed.put("a", source(bytesOf("divided")), one);
    expect([await textOf(placed, "a"), disk.objects.size, bucket.objects.size]).toEqual(["divided", 1, 0]);
    await placed.remove("a");
    expect([disk.objects.size, bucket.objects.size]).toEqual([0, 0]);
  });

  it("without a bucket for new ones, what lies in one is read and divided by a move", async () => {
    await put(whole, "a", "whole");
    const after = new PlacedStore(placed.split, whole);
    expect([after.direct, await textOf(after, "a")]).toEqual([undefined, "whole"]);
    expect(await after.move("a", one.placement)).toBe(true);
    expect([await textOf(after, "a"), bucket.objects.size, disk.objects.size]).toEqual(["whole", 0, 1]);
  });
});
