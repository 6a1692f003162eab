/** The contract once more, in memory: what the conformance suite is checked against, and fast for other tests. */
import { randomUUID } from "node:crypto";
import {
  type ByteRange,
  type ObjectStore,
  type PutHandle,
  type PutOptions,
  StorageError,
} from "../src/index.ts";
import { putThrough, resolveRange, segmentsOf } from "../src/object-store.ts";

export class MemoryStore implements ObjectStore {
  readonly objects = new Map<string, Uint8Array>();
  /** Objects begun and neither committed nor aborted. */
  readonly unfinished = new Set<string>();

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}) {
    return await putThrough({ name, source }, () => this.begin(options));
  }

  async begin(options: PutOptions = {}): Promise<PutHandle> {
    const identifier = randomUUID();
    const chunks: Uint8Array[] = [];
    let size = 0;
    let broken = false;
    this.unfinished.add(identifier);
    const check = () => {
      if (broken || !this.unfinished.has(identifier)) throw new StorageError("store-unreachable", "ended");
    };
    return {
      write: async (chunk) => {
        check();
        size += chunk.length;
        broken = size > (options.sizeMax ?? Number.MAX_SAFE_INTEGER);
        if (broken) throw new StorageError("too-large", "the object is too large");
        chunks.push(chunk.slice());
      },
      commit: async (name) => {
        check();
        segmentsOf(name);
        this.unfinished.delete(identifier);
        this.objects.set(name, Buffer.concat(chunks));
        return { size };
      },
      abort: async () => {
        this.unfinished.delete(identifier);
      },
    };
  }

  async *get(name: string, range?: ByteRange): AsyncGenerator<Uint8Array> {
    const bytes = this.#find(name);
    const { from, length } = resolveRange(range, bytes.length);
    for (let position = from; position < from + length; position += 1000) {
      yield bytes.slice(position, Math.min(position + 1000, from + length));
    }
  }

  async stat(name: string) {
    return { size: this.#find(name).length };
  }

  async remove(name: string) {
    segmentsOf(name);
    return this.objects.delete(name);
  }

  async *list(prefix = ""): AsyncGenerator<string> {
    yield* [...this.objects.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  #find(name: string): Uint8Array {
    segmentsOf(name);
    const bytes = this.objects.get(name);
    if (bytes === undefined) throw new StorageError("object-missing", "no such object");
    return bytes;
  }
}
