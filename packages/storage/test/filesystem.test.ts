/** What is particular to the store in a folder: durability in the right order, a failing disk, links, leftovers. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type FileSystem, nodeFileSystem } from "../src/file-system.ts";
import { type FilesystemOptions, type FilesystemStore, openFilesystemStore } from "../src/index.ts";
import { collect, conformance, names, patternBytes, source } from "./conformance.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function fresh(options: FilesystemOptions = {}): Promise<{ store: FilesystemStore; base: string }> {
  const base = await mkdtemp(join(tmpdir(), "chartseal-storage-"));
  folders.push(base);
  return { store: await openFilesystemStore(join(base, "objects"), options), base };
}

const text = (value: string) => source(new TextEncoder().encode(value));
const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });
const leftovers = (base: string) => readdir(join(base, ".objects.tmp"));

conformance("the filesystem store", async () => {
  const { store, base } = await fresh();
  return { store, unfinished: async () => (await leftovers(base)).length };
});

describe("the filesystem store on disk", () => {
  it("keeps each object as a plain file of its bytes and nothing else", async () => {
    const { store, base } = await fresh();
    await store.put("ab/cd.header", text("sealed"));
    expect(await readFile(join(base, "objects", "ab", "cd.header"), "utf8")).toBe("sealed");
    expect(await readdir(join(base, "objects"), { recursive: true })).toEqual([
      "ab",
      join("ab", "cd.header"),
    ]);
  });

  it("opens again on what is there", async () => {
    const { store, base } = await fresh();
    await store.put("a/b", text("kept"));
    const again = await openFilesystemStore(join(base, "objects"));
    expect(new TextDecoder().decode(await collect(again.get("a/b")))).toBe("kept");
  });

  it("refuses a name that stands in the way of another, and loses neither", async () => {
    const { store, base } = await fresh();
    await store.put("a/b", text("deep"));
    await store.put("c", text("flat"));
    await expect(store.put("a", text("x"))).rejects.toEqual(coded("name-invalid"));
    await expect(store.put("c/d", text("x"))).rejects.toEqual(coded("name-invalid"));
    await expect(store.stat("a")).rejects.toEqual(coded("object-missing"));
    await expect(store.stat("c/d")).rejects.toEqual(coded("object-missing"));
    expect(await store.remove("a")).toBe(false);
    expect(await names(store.list())).toEqual(["a/b", "c"]);
    expect(await leftovers(base)).toEqual([]);
    await store.remove("c");
    await store.put("c/d", text("now it fits"));
  });

  it("makes a folder again that another hand took away", async () => {
    const { store, base } = await fresh();
    await store.put("a/b", text("1"));
    await rm(join(base, "objects", "a"), { recursive: true });
    await store.put("a/b", text("2"));
    expect(await names(store.list())).toEqual(["a/b"]);
  });

  it("says so when the whole folder is gone", async () => {
    const { store, base } = await fresh();
    await rm(join(base, "objects"), { recursive: true });
    await expect(names(store.list())).rejects.toEqual(coded("store-unreachable"));
  });

  it("refuses to open where a file is in the way", async () => {
    const { base } = await fresh();
    await writeFile(join(base, "plain"), "");
    await expect(openFilesystemStore(join(base, "plain"))).rejects.toEqual(coded("store-unreachable"));
    await expect(openFilesystemStore(join(base, "plain", "below"))).rejects.toEqual(
      coded("store-unreachable"),
    );
  });

  it("follows no link out of its folder, for reading, writing, removing or listing", async () => {
    const { store, base } = await fresh();
    await mkdir(join(base, "outside"));
    await writeFile(join(base, "outside", "secret"), "secret");
    await symlink(join(base, "outside"), join(base, "objects", "folder"));
    await symlink(join(base, "outside", "secret"), join(base, "objects", "file"));
    await expect(collect(store.get("file"))).rejects.toEqual(coded("object-missing"));
    await expect(collect(store.get("folder/secret"))).rejects.toEqual(coded("store-unreachable"));
    await expect(store.put("folder/new", text("x"))).rejects.toEqual(coded("store-unreachable"));
    await expect(store.remove("folder/secret")).rejects.toEqual(coded("store-unreachable"));
    expect(await names(store.list())).toEqual([]);
    expect(await names(store.foreign())).toEqual(["file", "folder"]);
    await store.put("file", text("mine"));
    expect(await readdir(join(base, "outside"))).toEqual(["secret"]);
    expect(await readFile(join(base, "outside", "secret"), "utf8")).toBe("secret");
    expect(new TextDecoder().decode(await collect(store.get("file")))).toBe("mine");
  });

  it("shows what is no object as foreign, and lists it nowhere else", async () => {
    const { store, base } = await fresh();
    await store.put("a/b", text("object"));
    await writeFile(join(base, "objects", "EVIL.bin"), "x");
    await writeFile(join(base, "objects", "a", ".hidden"), "x");
    expect(await names(store.foreign())).toEqual(["EVIL.bin", "a/.hidden"]);
    expect(await names(store.list())).toEqual(["a/b"]);
  });

  it("clears leftovers at open once they are older than the grace time, and younger ones never", async () => {
    const { store, base } = await fresh();
    const temporary = join(base, ".objects.tmp");
    await writeFile(join(temporary, "old"), "x");
    await writeFile(join(temporary, "young"), "x");
    const nowMs = 1_800_000_000_000;
    await utimes(join(temporary, "old"), new Date(nowMs - 5001), new Date(nowMs - 5001));
    await utimes(join(temporary, "young"), new Date(nowMs - 4999), new Date(nowMs - 4999));
    await store.put("a", text("kept"));
    await openFilesystemStore(join(base, "objects"), { graceMs: 5000, now: () => nowMs });
    expect(await leftovers(base)).toEqual(["young"]);
    expect(await names(store.list())).toEqual(["a"]);
  });

  it("streams a large object in constant memory", async () => {
    const { store } = await fresh();
    const chunk = patternBytes(1 << 20);
    async function* large() {
      for (let i = 0; i < 256; i++) yield chunk;
    }
    const before = process.memoryUsage.rss();
    await store.put("large", large());
    let size = 0;
    for await (const part of store.get("large")) size += part.length;
    expect(size).toBe(256 << 20);
    expect(process.memoryUsage.rss() - before).toBeLessThan(128 << 20);
  });
});

/** The real doors, each call written down, and those of `fails` answered with an error of the system. */
function doors(fails: (call: string) => boolean = () => false) {
  const calls: string[] = [];
  const broken = (call: string) => {
    calls.push(call);
    if (fails(call)) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  };
  const files: FileSystem = {
    ...nodeFileSystem,
    async open(path, flags, mode) {
      const file = await nodeFileSystem.open(path, flags, mode);
      const write = file.write.bind(file) as (...parts: unknown[]) => unknown;
      return new Proxy(file, {
        get(target, key) {
          const value = Reflect.get(target, key, target) as unknown;
          if (key !== "write") return typeof value === "function" ? value.bind(target) : value;
          // A short write is allowed to any system: at most 100,000 bytes of what was asked.
          return async (buffer: Uint8Array, offset: number, length: number) => {
            broken("write");
            return write(buffer, offset, Math.min(length, 100_000));
          };
        },
      });
    },
    async syncFile(file) {
      broken("sync file");
      await nodeFileSystem.syncFile(file);
    },
    async syncFolder(path) {
      broken(`sync folder ${path.split("/").at(-1)}`);
      await nodeFileSystem.syncFolder(path);
    },
    async rename(from, to) {
      broken("rename");
      await nodeFileSystem.rename(from, to);
    },
    async unlink(path) {
      await nodeFileSystem.unlink(path);
      broken("unlink");
    },
  };
  return { files, calls };
}

describe("the filesystem store and its disk", () => {
  it("syncs the file before it is renamed, and each folder after, before it acknowledges", async () => {
    const { files, calls } = doors();
    const { store } = await fresh({ files });
    calls.length = 0;
    await store.put("a/b/c", source(patternBytes(150_000)));
    expect(calls).toEqual([
      "write",
      "write",
      "sync file",
      "sync folder objects",
      "sync folder a",
      "rename",
      "sync folder b",
    ]);
    calls.length = 0;
    await store.put("a/b/d", text("x"));
    expect(calls).toEqual(["write", "sync file", "rename", "sync folder b"]);
    calls.length = 0;
    await store.remove("a/b/c");
    expect(calls).toEqual(["unlink", "sync folder b"]);
  });

  it.each(["write", "sync file", "sync folder objects", "rename"])(
    "acknowledges nothing when `%s` fails, leaves no leftover, and works again when the disk does",
    async (failing) => {
      let sick = false;
      const { files } = doors((call) => sick && call === failing);
      const { store, base } = await fresh({ files });
      await store.put("a", text("old"));
      sick = true;
      await expect(store.put("a", source(patternBytes(3_000_000)))).rejects.toEqual(
        coded("store-unreachable"),
      );
      sick = false;
      // A rename whose folder could not be synced may show either object, but never a part of one.
      if (failing !== "sync folder objects") {
        expect(new TextDecoder().decode(await collect(store.get("a")))).toBe("old");
      }
      expect(await leftovers(base)).toEqual([]);
      await store.put("a", text("new"));
      expect(new TextDecoder().decode(await collect(store.get("a")))).toBe("new");
    },
  );

  it("a large object is synced in parts as it comes, and a part that fails fails the object, though the last sync does not", async () => {
    const size = 70_000_000;
    let sick = false;
    let syncs = 0;
    const { files, calls } = doors((call) => sick && call === "sync file" && ++syncs === 1);
    const { store, base } = await fresh({ files });
    calls.length = 0;
    await store.put("a", source(patternBytes(size), 1 << 20));
    // The first of them after 16 blocks of 1 MiB, which the doors above take 100,000 bytes at a time.
    expect(calls.indexOf("sync file")).toBe(16 * Math.ceil((1 << 20) / 100_000));
    expect(calls.indexOf("sync file")).toBeLessThan(calls.lastIndexOf("write"));
    expect(calls.lastIndexOf("sync file")).toBeGreaterThan(calls.lastIndexOf("write"));
    sick = true;
    await expect(store.put("a", source(patternBytes(size + 1), 1 << 20))).rejects.toEqual(
      coded("store-unreachable"),
    );
    expect((await store.stat("a")).size).toBe(size);
    expect(await leftovers(base)).toEqual([]);
  });

  it("a disk that fills at the last block fails the put, though the source ended well", async () => {
    let written = 0;
    const { files } = doors((call) => call === "write" && ++written > 30);
    const { store, base } = await fresh({ files });
    await expect(store.put("a", source(patternBytes(3_050_000)))).rejects.toEqual(coded("store-unreachable"));
    expect(await names(store.list())).toEqual([]);
    expect(await leftovers(base)).toEqual([]);
  });
});
