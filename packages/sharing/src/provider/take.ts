/**
 * The provider's way in: payloads as streams, headers after them, storage receipts (CRYPTO §4). Leaf hashes are made
 * while the bytes pass; the journal knows an address before an object can be seen, so that an interrupted deposit is an
 * orphan and never a mystery.
 */
import {
  ChartsealError,
  chunkBytesDefault,
  concat,
  decodeDescriptor,
  encodeSpanTree,
  equalBytes,
  hashPayload,
  headerBytesMax,
  randomBytes,
  SpanTreeBuilder,
  sealedBytes,
  sha256Tree,
  spanLeaves,
  toHex,
} from "@chartseal/crypto";
import { decodeBody, entries, type Statement, signStorageReceipt } from "@chartseal/ledger";
import type { ObjectStore, PutHandle, PutOptions } from "@chartseal/storage";
import { readCommittee } from "../committee.ts";
import type { Surroundings, TakeOptions } from "../parties.ts";
import { readEntry, requireRecord } from "../state.ts";
import { exists, getRange, getWhole, once, storageFailure } from "../streams.ts";
import { checkHeader, type RegisteredHeader } from "./header-check.ts";
import { demandResidency, likePayload, placementOptions } from "./placing.ts";
import type { ProviderAtWork, ProviderSelf } from "./self.ts";
import { headerName, type ProviderStores, pendingName } from "./stores.ts";

/** Name of the span tree beside long lists of leaves. */
export function spanTreeName(address: string): string {
  return `${address}.tree`;
}

/** Leaf hashes on their way to the store, a span of 4,096 at a time. */
class LeafWriter {
  readonly #handle: PutHandle;
  readonly #tree = new SpanTreeBuilder();
  #open: Uint8Array[] = [];
  #count = 0;

  constructor(handle: PutHandle) {
    this.#handle = handle;
  }

  async append(leaf: Uint8Array): Promise<void> {
    this.#tree.append(leaf);
    this.#count++;
    this.#open.push(leaf);
    if (this.#open.length === spanLeaves) await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#handle.write(concat(...this.#open));
    this.#open = [];
  }

  /** Stores the hashes at `address`, and above one span their tree beside them. */
  async commit(leaves: ObjectStore, address: string): Promise<void> {
    if (this.#open.length > 0) await this.#flush();
    await this.#handle.commit(address);
    if (this.#count > spanLeaves) {
      await leaves.put(spanTreeName(address), once(encodeSpanTree(this.#tree.finish())));
    }
  }
}

/** Takes a sealed payload. Nothing is visible before all of it is durable; a source that fails leaves nothing. */
export async function takePayload(
  { surroundings, stores }: ProviderSelf,
  source: AsyncIterable<Uint8Array>,
  options: TakeOptions = {},
): Promise<{ address: string; bytes: number; digest: Uint8Array }> {
  const address = toHex(randomBytes(16));
  const { chunkBytes = chunkBytesDefault } = options;
  // A bucket writes it where it will lie: under a name that comes late, it copies it once more.
  const begun = stores.objects.begin({ ...placementOptions(stores, options), finalName: address });
  const handle = await begun.catch((error: unknown) => Promise.reject(storageFailure(error, address)));
  const leavesHandle = await stores.leaves.begin();
  const leaves = new LeafWriter(leavesHandle);
  const passing = hashPayload({ source, chunkBytes, onLeaf: (leaf) => leaves.append(leaf), lend: true });
  try {
    for await (const chunk of passing.chunks) await handle.write(chunk);
    const { digest, ciphertextLength } = await passing.finished;
    await stores.journal.append({ event: "taken", address, atMs: surroundings.now() });
    await leaves.commit(stores.leaves, address);
    await handle.commit(address);
    return { address, bytes: ciphertextLength, digest };
  } catch (error) {
    await handle.abort();
    await leavesHandle.abort();
    throw storageFailure(error, address);
  }
}

/** Where payloads are read and their leaf hashes lie. */
export interface LeafStores {
  readonly objects: Pick<ObjectStore, "get">;
  readonly leaves: ObjectStore;
}

/**
 * Makes the leaf hashes of a stored payload again from its bytes. Those of a payload that is not right are not kept: they
 * would hide which of its chunks are wrong.
 * @throws ChartsealError `object-altered`, `object-missing`
 */
export async function rebuildLeaves(
  stores: LeafStores,
  payload: { readonly address: string; readonly chunkBytes: number; readonly digest: Uint8Array },
): Promise<void> {
  const { address, chunkBytes } = payload;
  const handle = await stores.leaves.begin();
  const leaves = new LeafWriter(handle);
  const source = stores.objects.get(address, undefined, { lend: true });
  const passing = hashPayload({ source, chunkBytes, onLeaf: (leaf) => leaves.append(leaf), lend: true });
  try {
    for await (const _chunk of passing.chunks) {
      // Only the hashes are wanted.
    }
    const { digest } = await passing.finished;
    if (!equalBytes(digest, payload.digest)) {
      throw new ChartsealError("object-altered", "the payload does not give its registered digest", {
        data: { address },
      });
    }
    await leaves.commit(stores.leaves, address);
  } catch (error) {
    await handle.abort();
    throw storageFailure(error, address);
  }
}

/** What a body asks to be stored: the record as the ledger would hold it. */
interface Claimed extends RegisteredHeader {
  readonly address: string;
  /** The version that a rekey over the payload where it is would make; undefined where the payload is a new one. */
  readonly renews: number | undefined;
  /** A deposit, and no other version of a record that is here already. */
  readonly isNew: boolean;
  /** The last moment at which the ledger takes it. */
  readonly lastValidMs: number;
}

async function claimedRecord({ ledger }: Pick<Surroundings, "ledger">, body: Uint8Array): Promise<Claimed> {
  const { action, chainId, lastValidMs } = decodeBody(body);
  if (!equalBytes(chainId, ledger.chainId)) {
    throw new ChartsealError("input-invalid", "the deposit is for another consortium");
  }
  if (action.kind === "deposit") return { ...action, renews: undefined, isNew: true, lastValidMs };
  if (action.kind !== "rekey") throw new ChartsealError("input-invalid", "neither a deposit nor a rekey");
  const { owner, current, address, version, erasedHeight } = await requireRecord(ledger, action.recordId);
  if (erasedHeight !== null) throw new ChartsealError("erased", "the record was erased");
  if (action.version !== version + 1) {
    throw new ChartsealError("input-invalid", "the record has another version by now", { data: { version } });
  }
  const renews = action.address === address ? action.version : undefined;
  return { ...action, owner, statement: action.statement ?? current, renews, isNew: false, lastValidMs };
}

/**
 * Stores a header after checking it against the body that will register it, and the payload's leaf hashes against its
 * digest; answers with the storage receipt. The header of a rekey over the same payload waits beside the present one
 * until the ledger has taken it. A payload that has its header is nobody else's: whoever could give it a second one
 * would replace or erase another owner's record. The same header again gets the same receipt and changes nothing.
 * @throws ChartsealError `header-altered`, `object-altered`, `object-missing`, `input-invalid`, `erased`; `rule-violated`
 *   where the payload lies outside of the owner's residency; `quota-exceeded`
 */
export async function takeHeader(
  self: ProviderAtWork,
  input: { readonly header: Uint8Array; readonly body: Uint8Array },
): Promise<{ provider: Uint8Array; signature: Uint8Array }> {
  const { surroundings, identity, stores } = self;
  const { ledger, pairing } = surroundings;
  const claimed = await claimedRecord(surroundings, input.body);
  const committee = await readCommittee(ledger, pairing);
  const mpk = committee.reading.publicKey;
  checkHeader(pairing, { bytes: input.header, registered: claimed, mpk });
  await checkPayload(stores, claimed.address, claimed.statement);
  const { recordId, address, headerHash, statement, renews } = claimed;
  // A header over the same payload moves nothing: what lies outside stays the provider's to move.
  if (renews === undefined) await demandResidency(self, claimed);
  if (renews !== undefined) {
    await put(stores.pending, pendingName({ recordId, version: renews, headerHash }), input.header);
  } else {
    await self.inTurn(async () => {
      const isAgain = await isPresent(stores, address, input.header);
      // On the ledger by now: nothing is promised or waited for any more.
      if (isAgain && (await readEntry(ledger, entries.record, recordId)) !== undefined) return;
      // Still there: a leftover that was waited for too long may have gone meanwhile.
      await sizeOf(stores.objects, address);
      await keepRoom(self, claimed);
      // From its receipt on, its age counts anew (collect.ts).
      await stores.journal.append({ event: "taken", address, atMs: surroundings.now() });
      if (!isAgain)
        await put(stores.objects, headerName(address), input.header, await likePayload(stores, address));
    });
  }
  const { payloadDigest, payloadLength } = statement;
  return signStorageReceipt(identity.seed, { recordId, address, headerHash, payloadDigest, payloadLength });
}

/**
 * True where the payload has this header already: it was sent again, since its answer was lost. It names record and owner, so
 * that the receipt is the one that was given for it before.
 * @throws ChartsealError `input-invalid` where the payload has another one
 */
async function isPresent(stores: ProviderStores, address: string, header: Uint8Array): Promise<boolean> {
  const name = headerName(address);
  if (!(await exists(stores.objects, name))) return false;
  const present = await getWhole(stores.objects, name, headerBytesMax);
  if (equalBytes(present, header)) return true;
  throw new ChartsealError("input-invalid", "this payload has its record already");
}

/** @throws ChartsealError `quota-exceeded` */
async function keepRoom({ surroundings, quotas, usage }: ProviderAtWork, claimed: Claimed): Promise<void> {
  const { owner, address, statement, lastValidMs: untilMs } = claimed;
  const quotaBytes = quotas?.of(owner);
  // Nobody is kept from closing a record anew because it is large.
  if (quotaBytes === undefined || !claimed.isNew) return;
  await usage.follow();
  const bytes = sealedBytes(statement.payloadLength, decodeDescriptor(statement.descriptor).chunkBytes);
  usage.promise({ owner, address, bytes, quotaBytes, nowMs: surroundings.now(), untilMs });
}

async function put(
  store: ObjectStore,
  name: string,
  bytes: Uint8Array,
  options: PutOptions = {},
): Promise<void> {
  try {
    await store.put(name, once(bytes), options);
  } catch (error) {
    throw storageFailure(error, name);
  }
}

/** The stored payload's size and leaf hashes against the statement. */
async function checkPayload(stores: ProviderStores, address: string, statement: Statement): Promise<void> {
  const { chunkBytes } = decodeDescriptor(statement.descriptor);
  const altered = (): ChartsealError =>
    new ChartsealError("object-altered", "the stored payload is not the one that is to be registered", {
      data: { address },
    });
  const size = await sizeOf(stores.objects, address);
  if (size !== sealedBytes(statement.payloadLength, chunkBytes)) throw altered();
  if (!equalBytes(await leavesDigest(stores, address), statement.payloadDigest)) throw altered();
}

/** @throws ChartsealError `object-missing` */
async function sizeOf(store: ObjectStore, name: string): Promise<number> {
  try {
    return (await store.stat(name)).size;
  } catch (error) {
    throw storageFailure(error, name);
  }
}

/** The digest that the stored leaf hashes give: from the list, or its span tree where that is long. */
async function leavesDigest(stores: ProviderStores, address: string): Promise<Uint8Array> {
  const builder = sha256Tree.builder();
  let rest: Uint8Array = new Uint8Array(0);
  const size = await sizeOf(stores.leaves, address);
  for await (const chunk of getRange(stores.leaves, address, { offset: 0, length: size })) {
    let bytes = rest.length === 0 ? chunk : concat(rest, chunk);
    while (bytes.length >= 32) {
      builder.append(bytes.slice(0, 32));
      bytes = bytes.subarray(32);
    }
    rest = Uint8Array.from(bytes);
  }
  return builder.root();
}
