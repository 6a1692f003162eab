/**
 * Copies of an erased record that lie beside the store: what forensics moved to quarantine, uploads that nobody ended.
 * They are found by name and by content, while there is still something to compare them with, noted for the certificate
 * and destroyed (docs/decisions/retention.md).
 */
import {
  type CborValue,
  ChartsealError,
  decode,
  decodeDescriptor,
  decodeHeader,
  encode,
  equalBytes,
  hashPayload,
  headerBytesMax,
  isFamily,
  sealedBytes,
  toHex,
} from "@chartseal/crypto";
import type { RecordValue } from "@chartseal/ledger";
import { type ByteRange, type ObjectStore, StorageError } from "@chartseal/storage";
import { exists, getWhole, once, readAll } from "../streams.ts";
import { headerName, type ProviderStores } from "./stores.ts";

/** How the certificate names a copy, after its address. */
export type AsideKind = "quarantine" | "upload";

/** One copy of something. */
export interface AsideCopy {
  readonly kind: AsideKind;
  /** Its own among those of its kind. */
  readonly id: string;
  /** The object's or the shard's name, where it lay under one. */
  readonly name?: string;
  readonly size: number;
  read(range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Durably, when it resolves. Does nothing where it is gone. */
  destroy(): Promise<void>;
}

/** What lies beside the store, of all records and of none. */
export interface Aside {
  copies(): AsyncIterable<AsideCopy>;
}

type Stores = Pick<ProviderStores, "objects" | "placed" | "pending" | "asides">;

interface Erasing {
  readonly recordId: Uint8Array;
  readonly record: Pick<RecordValue, "address" | "current">;
  /** Addresses whose objects are this record's. */
  readonly addresses: readonly string[];
}

/** First bytes by which ciphertext is known: no two sealed payloads or shards share as many. */
const headBytes = 64;
/** Fewer bytes than this say nothing of what they are the beginning of. */
const headBytesMin = 16;
/** Copies that a certificate names one by one; more are one line. */
const namedMax = 8;
const noteBytesMax = 1024 * 1024;

/** Where the copies that were found wait for the certificate, beside what holders signed. */
export function asideName(recordId: Uint8Array): string {
  return `${toHex(recordId)}.aside`;
}

/** Finds and destroys them. Noted before the first one goes: a crash between leaves none unnamed. */
export async function destroyAside(stores: Stores, erasing: Erasing): Promise<void> {
  const found: { readonly copy: AsideCopy; readonly address: string }[] = [];
  let marks: Marks | undefined;
  for (const aside of stores.asides?.values() ?? []) {
    for await (const copy of aside.copies()) {
      marks ??= await marksOf(stores, erasing);
      const address = await addressOf(copy, erasing, marks);
      if (address !== undefined) found.push({ copy, address });
    }
  }
  if (found.length === 0) return;
  const before = await readNote(stores.pending, erasing.recordId);
  const isNoted = ({ kind, id }: AsideCopy): boolean =>
    before.some(([, of, one]) => of === kind && one === id);
  const fresh = found.filter(({ copy }) => !isNoted(copy));
  const noted = [...before, ...fresh.map(({ copy, address }): Noted => [address, copy.kind, copy.id])];
  await stores.pending.put(asideName(erasing.recordId), once(encode(noted.map((one) => [...one]))));
  for (const { copy } of found) await copy.destroy();
}

/** What a certificate says of them: ADDRESS/quarantine-1, …; of more than eight in one line, ADDRESS/quarantine-1to9. */
export async function asideAddresses(
  { pending }: Pick<Stores, "pending">,
  recordId: Uint8Array,
): Promise<readonly string[]> {
  const counts = new Map<string, number>();
  for (const [address, kind] of await readNote(pending, recordId)) {
    const name = `${address}/${kind}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].flatMap(([name, count]) =>
    count > namedMax
      ? [`${name}-1to${count}`]
      : Array.from({ length: count }, (_, index) => `${name}-${index + 1}`),
  );
}

type Noted = readonly [address: string, kind: string, id: string];

async function readNote(pending: ObjectStore, recordId: Uint8Array): Promise<readonly Noted[]> {
  const name = asideName(recordId);
  if (!(await exists(pending, name))) return [];
  const items = decode(await getWhole(pending, name, noteBytesMax), { sizeMax: noteBytesMax });
  return (Array.isArray(items) ? (items as readonly CborValue[]) : []).map((item): Noted => {
    const [address, kind, id] = Array.isArray(item) ? (item as readonly CborValue[]) : [];
    if (typeof address === "string" && typeof kind === "string" && typeof id === "string") {
      return [address, kind, id];
    }
    throw new ChartsealError("chain-altered", "a file of the provider is damaged");
  });
}

/** By what a copy of the record is known. */
interface Marks {
  /** Names of its objects and of their shards → address. */
  readonly names: ReadonlyMap<string, string>;
  /** First bytes of each, as far as they can be read. */
  readonly heads: readonly { readonly head: Uint8Array; readonly address: string }[];
}

async function marksOf({ objects, placed }: Stores, { addresses }: Erasing): Promise<Marks> {
  const names = new Map<string, string>();
  const heads: { head: Uint8Array; address: string }[] = [];
  const mark = async (store: Pick<ObjectStore, "stat" | "get">, name: string, address: string) => {
    names.set(name, address);
    const head = await headOf(store, name);
    // Of a header the first bytes are those of every header: it is known by what it says.
    if (head !== undefined && name !== headerName(address)) heads.push({ head, address });
  };
  for (const address of addresses) {
    for (const name of [address, headerName(address)]) {
      await mark(objects, name, address);
      for (const { place, pseudonym } of (await placed?.split.shardsOf(name)) ?? []) {
        const store = placed?.split.parts.places.get(place)?.store;
        if (store !== undefined) await mark(store, pseudonym, address);
      }
    }
  }
  return { names, heads };
}

/** Undefined of what is not there, or cannot be read now. */
async function headOf(
  store: Pick<ObjectStore, "stat" | "get">,
  name: string,
): Promise<Uint8Array | undefined> {
  try {
    const { size } = await store.stat(name);
    if (size < headBytesMin) return undefined;
    return await readAll(store.get(name, { from: 0, toInclusive: Math.min(size, headBytes) - 1 }), headBytes);
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}

/** The address that a copy is one of; undefined where it is none of this record. */
async function addressOf(
  copy: AsideCopy,
  erasing: Erasing,
  { names, heads }: Marks,
): Promise<string | undefined> {
  const named = copy.name === undefined ? undefined : names.get(copy.name);
  if (named !== undefined) return named;
  if (copy.size < headBytesMin) return undefined;
  const first = await readAll(
    copy.read({ from: 0, toInclusive: Math.min(copy.size, headBytes) - 1 }),
    headBytes,
  );
  for (const { head, address } of heads) {
    const shared = Math.min(head.length, first.length);
    if (equalBytes(head.subarray(0, shared), first.subarray(0, shared))) return address;
  }
  const { record, recordId } = erasing;
  const is = (await isHeaderOf(copy, recordId)) || (await isPayloadOf(copy, record));
  return is ? record.address : undefined;
}

async function isHeaderOf(copy: AsideCopy, recordId: Uint8Array): Promise<boolean> {
  if (copy.size > headerBytesMax) return false;
  try {
    return equalBytes(decodeHeader(await readAll(copy.read(), headerBytesMax)).context.recordId, recordId);
  } catch (error) {
    if (error instanceof ChartsealError && !isFamily(error, "unavailable")) return false;
    throw error;
  }
}

/** By the registered digest: where the payload itself is gone or damaged, a whole copy is known all the same. */
async function isPayloadOf(copy: AsideCopy, { current }: Erasing["record"]): Promise<boolean> {
  const { chunkBytes } = decodeDescriptor(current.descriptor);
  if (copy.size !== sealedBytes(current.payloadLength, chunkBytes)) return false;
  const passing = hashPayload({ source: copy.read(), chunkBytes, lend: true });
  for await (const _ of passing.chunks);
  return equalBytes((await passing.finished).digest, current.payloadDigest);
}
