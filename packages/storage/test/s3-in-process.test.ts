/**
 * The S3 store over s3rver, an S3 server in this process: for machines where the real one cannot be had, and a second
 * server's reading of the protocol where it can. It replaces objects in place, lists folders and not bytes, and knows no
 * unfinished uploads, so that it cannot keep the contract of a store: what it can do is shown here.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openS3Store, type S3Store } from "../src/s3/index.ts";
import { collect, names, patternBytes, source } from "./conformance.ts";

/** What is used of s3rver, which brings no types. */
interface S3rver {
  run(): Promise<unknown>;
  close(): Promise<void>;
}
const S3rver = createRequire(import.meta.url)("s3rver") as new (options: object) => S3rver;

const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });

describe("the S3 store over s3rver", () => {
  const directory = mkdtempSync(join(tmpdir(), "chartseal-s3rver-"));
  const opened: S3Store[] = [];
  let server: S3rver;
  let port: number;
  let stores = 0;

  beforeAll(async () => {
    const configureBuckets = [{ name: "objects", configs: [] }];
    server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory, configureBuckets });
    ({ port } = (await server.run()) as AddressInfo);
  });
  afterEach(() => {
    for (const store of opened.splice(0)) store.close();
  });
  afterAll(async () => {
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function open(): S3Store {
    const store = openS3Store({
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      bucket: "objects",
      prefix: `p${stores++}`,
      accessKeyId: "S3RVER",
      secretAccessKey: "S3RVER",
      partBytes: 5 << 20,
    });
    opened.push(store);
    return store;
  }

  it.each([0, 1, 65_536, 3_000_001, 5 << 20, 12_000_000])(
    "an object of %i bytes comes back",
    async (size) => {
      const store = open();
      const bytes = patternBytes(size);
      expect(await store.put("a/b.c", source(bytes))).toEqual({ size });
      expect(await store.stat("a/b.c")).toEqual({ size });
      expect(Buffer.compare(await collect(store.get("a/b.c")), bytes)).toBe(0);
    },
  );

  it("an object that gets its name last is visible from then on, under that alone", async () => {
    const store = open();
    const bytes = patternBytes(12_000_000);
    const handle = await store.begin();
    for await (const chunk of source(bytes)) await handle.write(chunk);
    expect(await names(store.list())).toEqual([]);
    await handle.commit("late");
    expect(await names(store.list())).toEqual(["late"]);
    expect(Buffer.compare(await collect(store.get("late")), bytes)).toBe(0);
  });

  it("ranges inside come back, others are refused", async () => {
    const store = open();
    const bytes = patternBytes(1_000_000);
    await store.put("r", source(bytes));
    await store.put("empty", source(new Uint8Array(0)));
    const range = { from: 1000, toInclusive: 999_999 };
    expect(Buffer.compare(await collect(store.get("r", range)), bytes.subarray(1000))).toBe(0);
    for (const [name, from, toInclusive] of [
      ["r", 0, 1_000_000],
      ["r", 1_000_000, 1_000_001],
      ["empty", 0, 0],
    ] as const) {
      await expect(collect(store.get(name, { from, toInclusive }))).rejects.toEqual(coded("range-invalid"));
    }
  });

  it("what is replaced, removed or never was is told apart", async () => {
    const store = open();
    await store.put("x", source(patternBytes(100)));
    await store.put("x", source(patternBytes(200, 2)));
    await store.put("y/z", source(patternBytes(1)));
    expect(await names(store.list())).toEqual(["x", "y/z"]);
    expect(await names(store.list("y/"))).toEqual(["y/z"]);
    expect(await collect(store.get("x"))).toEqual(patternBytes(200, 2));
    expect(await store.remove("x")).toBe(true);
    expect(await store.remove("x")).toBe(false);
    await expect(store.stat("x")).rejects.toEqual(coded("object-missing"));
    await expect(collect(store.get("x"))).rejects.toEqual(coded("object-missing"));
  });

  it("a server that lists out of byte order is refused, before a name is missed", async () => {
    const store = open();
    for (const name of ["a/b", "a-b"]) await store.put(name, source(patternBytes(1)));
    await expect(names(store.list())).rejects.toEqual(coded("store-unreachable"));
  });
});
