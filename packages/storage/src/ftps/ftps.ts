/**
 * An object store in a folder of an FTPS server: each object is one file of its bytes and nothing else, at the path of its
 * name below `objects/`; unfinished ones lie in `unfinished/` and are renamed when they are whole (spec/5-storage.md, The
 * store on an FTPS server).
 */
import type { ByteRange, ObjectStat, ObjectStore, PutHandle, PutOptions } from "../object-store.ts";
import { isName, putThrough, segmentsOf } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { isRefusedFile } from "./ftps-errors.ts";
import { FtpsPool } from "./ftps-pool.ts";
import { FtpsPut } from "./ftps-put.ts";
import { readFile } from "./ftps-read.ts";
import type { FtpsSession } from "./ftps-session.ts";

export interface FtpsOptions {
  readonly host: string;
  /** Default 21. */
  readonly port?: number;
  readonly user: string;
  readonly password: string;
  /** A folder of the server that is there and may be written to. */
  readonly folder: string;
  /** PEM certificates that are trusted instead of the public authorities'. */
  readonly ca?: string;
  /** Bytes that are sent at a time, two of which an object on its way in has in memory; default 4 MiB. */
  readonly segmentBytes?: number;
  /** Longest silence of the server while something is waited for, in ms; default 30 s. */
  readonly timeoutMs?: number;
  /** How often something is tried before it fails; default 5. An upload or a download that advances begins to count anew. */
  readonly attemptsMax?: number;
  /** Most connections at a time; default 6. */
  readonly connectionsMax?: number;
  /** The time, for the names of unfinished objects. */
  readonly now?: () => number;
}

export interface FtpsStore extends ObjectStore {
  /** @throws StorageError `store-unreachable` where the server cannot be reached with this account and folder */
  check(): Promise<void>;
  /** Objects on their way in here, and files that others have under way or a crash left. */
  unfinished(): Promise<number>;
  /** Removes what a crash left, last written before that time. How many. @throws StorageError `store-unreachable` */
  clear(beforeMs: number): Promise<number>;
  /** Closes idle connections, and the others when they are no longer used. Nothing more can be done with the store. */
  close(): void;
}

const objectsFolder = "objects";
const unfinishedFolder = "unfinished";

/** Opens a store; nothing is asked of the server yet. */
export function openFtpsStore(options: FtpsOptions): FtpsStore {
  const { host, port = 21, user, password, folder, ca, timeoutMs = 30_000 } = options;
  // A line break would be a command of its own.
  for (const text of [host, user, password, folder]) {
    if (/\p{Cc}/u.test(text)) throw new RangeError("no control characters in what opens an FTPS server");
  }
  const access = { host, port, user, password, folder, timeoutMs, ...(ca !== undefined && { ca }) };
  const { attemptsMax = 5, connectionsMax = 6 } = options;
  const pool = new FtpsPool({ access, connectionsMax, attemptsMax });
  return new Ftps(pool, { segmentBytes: options.segmentBytes ?? 4 << 20, now: options.now ?? Date.now });
}

class Ftps implements FtpsStore {
  readonly #pool: FtpsPool;
  readonly #segmentBytes: number;
  readonly #now: () => number;
  /** Folders that are known to be there. */
  readonly #folders = new Set<string>();
  #underWay = 0;

  constructor(pool: FtpsPool, options: { segmentBytes: number; now: () => number }) {
    this.#pool = pool;
    this.#segmentBytes = options.segmentBytes;
    this.#now = options.now;
  }

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<ObjectStat> {
    return await putThrough({ name, source }, () => this.begin(options));
  }

  async begin({ sizeMax = Number.MAX_SAFE_INTEGER }: PutOptions = {}): Promise<PutHandle> {
    await this.#pool.attempt((session) => this.#makeFolders(session, [unfinishedFolder]));
    this.#underWay++;
    return new FtpsPut({
      pool: this.#pool,
      folder: unfinishedFolder,
      segmentBytes: this.#segmentBytes,
      sizeMax,
      nowMs: this.#now,
      place: (file, name) => this.#place(file, name),
      ended: () => void this.#underWay--,
    });
  }

  async *get(name: string, range?: ByteRange): AsyncGenerator<Uint8Array> {
    const path = pathOf(segmentsOf(name));
    const missing = (session: FtpsSession): Promise<StorageError> => this.#missing(session, name);
    yield* readFile({ pool: this.#pool, path, range, missing });
  }

  async stat(name: string): Promise<ObjectStat> {
    const path = pathOf(segmentsOf(name));
    return await this.#pool.attempt(async (session) => {
      const size = await session.size(path);
      if (size === undefined) throw await this.#missing(session, name);
      return { size };
    });
  }

  async remove(name: string): Promise<boolean> {
    const path = pathOf(segmentsOf(name));
    let wasThere = false;
    return await this.#pool.attempt(async (session) => {
      if ((await session.size(path)) === undefined) {
        if (!wasThere) await this.#demandObjects(session);
        return wasThere;
      }
      // From here on an attempt whose answer is lost may have removed it.
      const again = wasThere;
      wasThere = true;
      return (await session.remove(path)) || again;
    });
  }

  async *list(prefix = ""): AsyncGenerator<string> {
    yield* this.#walk("", prefix);
  }

  async check(): Promise<void> {
    await this.#pool.attempt(async (session) => {
      this.#folders.clear();
      await this.#makeFolders(session, [unfinishedFolder]);
      await this.#makeFolders(session, [objectsFolder]);
      await this.#demandObjects(session);
    });
  }

  async unfinished(): Promise<number> {
    if (this.#underWay > 0) return this.#underWay;
    return (await this.#leftovers()).length;
  }

  async clear(beforeMs: number): Promise<number> {
    let count = 0;
    for (const file of await this.#leftovers()) {
      // The name has the time at which it was begun, by our clock: older than that it was not last written.
      if (Number(/^([0-9]{1,15})-/.exec(file)?.[1] ?? 0) >= beforeMs) continue;
      const path = `${unfinishedFolder}/${file}`;
      const isOld = await this.#pool.attempt(async (session) =>
        writtenBefore(await session.modified(path), beforeMs),
      );
      if (isOld && (await this.#pool.attempt((session) => session.remove(path)))) count++;
    }
    return count;
  }

  close(): void {
    this.#pool.close();
  }

  async #leftovers(): Promise<readonly string[]> {
    const entries = await this.#pool.attempt((session) => session.list(unfinishedFolder));
    return entries.filter(({ isFile }) => isFile).map(({ name }) => name);
  }

  /** Files below a folder ("" or ending in "/"), in byte order of their names; folders outside `prefix` are not read. */
  async *#walk(folder: string, prefix: string): AsyncGenerator<string> {
    const entries = await this.#pool.attempt(async (session) => {
      const found = await session.list(pathOf(folder.split("/")).replace(/\/$/, ""));
      if (found.length === 0 && folder === "") await this.#demandObjects(session);
      return found;
    });
    const names = entries
      .filter((entry) => entry.isFile || entry.isDirectory)
      .map((entry) => folder + entry.name + (entry.isDirectory ? "/" : ""))
      .filter((name) => isName(name.replace(/\/$/, "")))
      .sort((a, b) => (a < b ? -1 : 1));
    for (const name of names) {
      if (!name.endsWith("/")) {
        if (name.startsWith(prefix)) yield name;
      } else if (name.startsWith(prefix) || prefix.startsWith(name)) yield* this.#walk(name, prefix);
    }
  }

  /** An object that is not there; or the whole store, which is another matter. */
  async #missing(session: FtpsSession, name: string): Promise<StorageError> {
    await this.#demandObjects(session);
    return new StorageError("object-missing", `no object ${name}`);
  }

  /** A folder of objects that was there, or could be made, and is not: the store is gone. */
  async #demandObjects(session: FtpsSession): Promise<void> {
    if (await session.hasFolder(objectsFolder)) return;
    if (!this.#folders.has(objectsFolder)) {
      await this.#makeFolders(session, [objectsFolder]);
      if (await session.hasFolder(objectsFolder)) return;
    }
    throw new StorageError("store-unreachable", "the store's folder is gone from the FTPS server");
  }

  async #makeFolders(session: FtpsSession, segments: readonly string[]): Promise<void> {
    for (let count = 1; count <= segments.length; count++) {
      const path = segments.slice(0, count).join("/");
      if (this.#folders.has(path)) continue;
      await session.makeFolder(path);
      this.#folders.add(path);
    }
  }

  /** Renames a finished file to its name, whose folders are made. */
  async #place(
    { path, size }: { readonly path: string; readonly size: number },
    name: string,
  ): Promise<void> {
    const segments = [objectsFolder, ...segmentsOf(name)];
    const target = segments.join("/");
    await this.#pool.attempt(async (session, attempt) => {
      const there = await session.size(path);
      // An attempt whose answer was lost has renamed it.
      if (there === undefined && attempt > 1) return;
      if (there !== size) {
        throw new StorageError(
          "store-unreachable",
          "the FTPS server has other bytes than those that were sent",
        );
      }
      await this.#makeFolders(session, segments.slice(0, -1));
      try {
        await session.rename(path, target);
      } catch (error) {
        if (!isRefusedFile(error)) throw error;
        await this.#explain(session, segments);
        // A folder that we knew was taken away by another hand: make it once more.
        this.#folders.clear();
        await this.#makeFolders(session, segments.slice(0, -1));
        await session.rename(path, target);
      }
    });
  }

  /** @throws StorageError `name-invalid` where another object's name is in the way */
  async #explain(session: FtpsSession, segments: readonly string[]): Promise<void> {
    const files = segments.map((_, at) => segments.slice(0, at).join("/")).slice(2);
    for (const path of files) if ((await session.size(path)) !== undefined) throw inTheWay();
    if (await session.hasFolder(segments.join("/"))) throw inTheWay();
  }
}

function inTheWay(): StorageError {
  return new StorageError("name-invalid", "the name stands in the way of another object's name");
}

function pathOf(segments: readonly string[]): string {
  return [objectsFolder, ...segments].join("/");
}

/** True where the server's answer to MDTM, in UTC, is before that time; also where it says nothing. */
function writtenBefore(answer: string | undefined, beforeMs: number): boolean {
  const [, year, month, day, hour, minute, second] =
    /^213 ([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})/.exec(answer ?? "") ?? [];
  if (year === undefined) return true;
  return (
    Date.UTC(+year, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)) < beforeMs
  );
}
