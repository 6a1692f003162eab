/** A split store over folders, with places that can be switched off, slowed down and looked into. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ObjectStore,
  openFilesystemStore,
  type Place,
  type SplitOptions,
  SplitStore,
  StorageError,
} from "../src/index.ts";

const key = (label: string): Uint8Array => createHash("sha256").update(label).digest();
export const keys = { names: key("names"), blocks: key("blocks"), manifests: key("manifests") };

/** How a place behaves. */
export interface Mood {
  down: boolean;
  /** Before every call and every chunk, in ms; infinite: never answers. */
  slowMs: number;
}

export interface World {
  readonly folder: string;
  readonly store: SplitStore;
  readonly places: readonly Place[];
  readonly moods: readonly Mood[];
  /** The same home opened once more, as after a restart. */
  reopen(options?: Partial<SplitOptions>): Promise<SplitStore>;
  placeFolder(at: number): string;
  /** Paths of the files at a place, below its folder. */
  files(at: number): Promise<string[]>;
  unfinished(): Promise<number>;
}

/** The store, whose calls fail or take their time as its mood says. */
export function moody(store: ObjectStore, mood: Mood): ObjectStore {
  const pass = async (): Promise<void> => {
    if (mood.slowMs === Number.POSITIVE_INFINITY) await new Promise(() => {});
    if (mood.slowMs > 0) await sleep(mood.slowMs);
    if (mood.down) throw new StorageError("store-unreachable", "the place is down");
  };
  const through = async <T>(act: () => Promise<T>): Promise<T> => {
    await pass();
    return await act();
  };
  return {
    put: (...args) => through(() => store.put(...args)),
    stat: (name) => through(() => store.stat(name)),
    remove: (name) => through(() => store.remove(name)),
    begin: (options) =>
      through(async () => {
        const handle = await store.begin(options);
        return {
          write: (chunk) => through(() => handle.write(chunk)),
          commit: (name) => through(() => handle.commit(name)),
          abort: () => handle.abort(),
        };
      }),
    async *get(name, range) {
      await pass();
      for await (const chunk of store.get(name, range)) {
        yield chunk;
        await pass();
      }
    },
    async *list(prefix) {
      await pass();
      yield* store.list(prefix);
    },
  };
}

export interface WorldOptions extends Partial<SplitOptions> {
  readonly count?: number;
  readonly regions?: readonly string[];
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { count = 3, regions = [], ...rest } = options;
  const folder = await mkdtemp(join(tmpdir(), "chartseal-split-"));
  const moods = Array.from({ length: count }, () => ({ down: false, slowMs: 0 }));
  const placeFolder = (at: number): string => join(folder, `place-${at}`);
  const places = await Promise.all(
    moods.map(async (mood, at) => ({
      name: `p${at}`,
      region: regions[at] ?? "eu",
      store: moody(await openFilesystemStore(placeFolder(at)), mood),
    })),
  );
  const reopen = async (changes: Partial<SplitOptions> = {}): Promise<SplitStore> =>
    new SplitStore({
      places,
      keys,
      index: {
        entries: await openFilesystemStore(join(folder, "entries")),
        leftovers: await openFilesystemStore(join(folder, "leftovers")),
      },
      hedgeMs: 200,
      ...rest,
      ...changes,
    });
  const store = await reopen();
  const filesBelow = async (path: string): Promise<string[]> => {
    const all = await readdir(path, { recursive: true, withFileTypes: true });
    return all
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
      .sort();
  };
  const unfinished = async (): Promise<number> => {
    const counts = moods.map(async (_, at) => (await filesBelow(join(folder, `.place-${at}.tmp`))).length);
    return Math.max(...(await Promise.all(counts)));
  };
  return {
    folder,
    store,
    places,
    moods,
    reopen,
    placeFolder,
    files: (at) => filesBelow(placeFolder(at)),
    unfinished,
  };
}

/** Everything that lies at a place is gone, as a disk that died. */
export async function destroyPlace(world: World, at: number): Promise<void> {
  await rm(world.placeFolder(at), { recursive: true });
  await mkdir(world.placeFolder(at));
}

/** Turns one bit of a stored file over. */
export async function flipBit(
  world: World,
  at: number,
  file: { path: string; offset: number },
): Promise<void> {
  const path = join(world.placeFolder(at), file.path);
  const bytes = await readFile(path);
  bytes[file.offset]! ^= 1;
  await writeFile(path, bytes);
}
