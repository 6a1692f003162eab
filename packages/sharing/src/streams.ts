/** Small streams: whole objects with a limit, and the storage errors that become ours. */
import { ChartsealError, concat } from "@chartseal/crypto";
import { type ObjectStore, StorageError } from "@chartseal/storage";

/** All bytes of a source. @throws ChartsealError `object-altered` above `sizeMax` bytes */
export async function readAll(source: AsyncIterable<Uint8Array>, sizeMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > sizeMax) throw new ChartsealError("object-altered", "an object is larger than it can be");
    chunks.push(Uint8Array.from(chunk));
  }
  return concat(...chunks);
}

export async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** A storage error as the error that users see; anything else unchanged. */
export function storageFailure(error: unknown, address: string): unknown {
  if (!(error instanceof StorageError)) return error;
  const data = { address };
  if (error.code === "object-missing") {
    return new ChartsealError("object-missing", "a stored object is missing", { data, cause: error });
  }
  if (error.code === "store-unreachable") {
    return new ChartsealError("provider-unreachable", "the provider's store cannot be used", {
      data,
      cause: error,
      hint: "chartseal doctor says which place does not answer; ask again when it does.",
    });
  }
  if (error.code === "placement-impossible") {
    return new ChartsealError("input-invalid", error.message, {
      data,
      cause: error,
      hint: "See chartseal provider place list; add a place, or divide the record over fewer.",
    });
  }
  return new ChartsealError("object-altered", "a stored object cannot be read as asked", {
    data,
    cause: error,
  });
}

/** A whole small object. @throws ChartsealError `object-missing`, `object-altered`, `provider-unreachable` */
export async function getWhole(
  store: Pick<ObjectStore, "get">,
  name: string,
  sizeMax: number,
): Promise<Uint8Array> {
  try {
    return await readAll(store.get(name), sizeMax);
  } catch (error) {
    throw storageFailure(error, name);
  }
}

/** A range of an object as a stream whose errors are ours. */
export async function* getRange(
  store: Pick<ObjectStore, "get">,
  name: string,
  { offset, length, lend = false }: { offset: number; length: number; lend?: boolean },
): AsyncIterable<Uint8Array> {
  if (length === 0) return;
  try {
    yield* store.get(name, { from: offset, toInclusive: offset + length - 1 }, { lend });
  } catch (error) {
    throw storageFailure(error, name);
  }
}

export async function exists(store: ObjectStore, name: string): Promise<boolean> {
  try {
    await store.stat(name);
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.code === "object-missing") return false;
    throw storageFailure(error, name);
  }
}
