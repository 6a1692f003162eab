/**
 * Leaf hashes for audits that change no byte below DIR: those that are stored, and in memory those that had to be made
 * again because they are gone or damaged. 32 bytes a chunk: 128 MiB for the largest payload, for the command's time.
 */
import type { StoredObjects } from "@chartseal/sharing";
import { type ByteRange, type ObjectStore, type PutHandle, StorageError } from "@chartseal/storage";

export function scratchLeaves(stored: StoredObjects["leaves"]): ObjectStore {
  const made = new Map<string, Uint8Array>();
  const begin = async (): Promise<PutHandle> => {
    const pieces: Uint8Array[] = [];
    return {
      write: async (piece) => void pieces.push(Uint8Array.from(piece)),
      commit: async (name) => {
        const bytes = Uint8Array.from(Buffer.concat(pieces));
        made.set(name, bytes);
        return { size: bytes.length };
      },
      abort: async () => {},
    };
  };
  const rangeOf = (bytes: Uint8Array, range: ByteRange | undefined): Uint8Array => {
    if (range === undefined) return bytes;
    if (range.toInclusive >= bytes.length)
      throw new StorageError("range-invalid", "the range must lie within the object");
    return bytes.subarray(range.from, range.toInclusive + 1);
  };
  return {
    begin,
    put: async (name, source) => {
      const handle = await begin();
      for await (const piece of source) await handle.write(piece);
      return await handle.commit(name);
    },
    get: async function* (name, range) {
      const bytes = made.get(name);
      if (bytes === undefined) yield* stored.get(name, range);
      else yield rangeOf(bytes, range);
    },
    stat: async (name) => {
      const bytes = made.get(name);
      return bytes === undefined ? await stored.stat(name) : { size: bytes.length };
    },
    remove: async (name) => made.delete(name),
    list: async function* () {
      yield* made.keys();
    },
  };
}
