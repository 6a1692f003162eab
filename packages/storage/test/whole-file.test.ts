/** A file that appears whole or not at all, wherever it is wanted. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodeFileSystem } from "../src/file-system.ts";
import { openWholeFile } from "../src/index.ts";
import { patternBytes } from "./conformance.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chartseal-whole-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });

it("shows the old file until the new one is whole, and then nothing else", async () => {
  const path = join(folder, "a.bin");
  await writeFile(path, "old");
  const bytes = patternBytes(3_000_001);
  const file = await openWholeFile(path);
  for (let at = 0; at < bytes.length; at += 70_001) await file.write(bytes.subarray(at, at + 70_001));
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await file.commit()).toEqual({ size: bytes.length });
  expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
  expect(await readdir(folder)).toEqual(["a.bin"]);
  await file.abort();
  expect(await readdir(folder)).toEqual(["a.bin"]);
});

it("given up, leaves the old file and nothing beside it", async () => {
  const path = join(folder, "a.bin");
  const before = await readFile(path);
  const file = await openWholeFile(path);
  await file.write(patternBytes(10));
  await file.abort();
  expect(await readdir(folder)).toEqual(["a.bin"]);
  expect(Buffer.compare(await readFile(path), before)).toBe(0);
});

it("is synced before it gets its name, and its folder after", async () => {
  const steps: string[] = [];
  const file = await openWholeFile(join(folder, "b.bin"), {
    ...nodeFileSystem,
    syncFile: async (handle) => {
      steps.push("file");
      await nodeFileSystem.syncFile(handle);
    },
    rename: async (from, to) => {
      steps.push("rename");
      await nodeFileSystem.rename(from, to);
    },
    syncFolder: async (path) => {
      steps.push("folder");
      await nodeFileSystem.syncFolder(path);
    },
  });
  await file.write(patternBytes(10));
  await file.commit();
  expect(steps).toEqual(["file", "rename", "folder"]);
});

it("refuses a folder that is not there, before a byte is taken", async () => {
  await expect(openWholeFile(join(folder, "none", "c.bin"))).rejects.toEqual(coded("store-unreachable"));
});
