/**
 * The provider's side of an audit: for each chunk asked for, its proof and the chunk itself. Reads those chunks and the
 * spans of leaf hashes that they stand in, and nothing else of the payload (CRYPTO §5). The header is not given out on
 * this ground (CRYPTO §3.1): whether it is whole, a provider audits for itself.
 */
import {
  auditedChunkBytes,
  ChartsealError,
  chunkCount,
  concat,
  decodeDescriptor,
  equalBytes,
  headerBytesMax,
  type LeafSource,
  type MerkleLevels,
  sha256,
  sha256Tree,
  spanLeaves,
  toHex,
} from "@chartseal/crypto";
import type { RecordValue } from "@chartseal/ledger";
import { type ObjectStore, type PlacedStore, scrub } from "@chartseal/storage";
import {
  type AuditChallenge,
  auditedPayload,
  challengedChunks,
  demandChallenge,
} from "../audit/challenge.ts";
import type { Identity, Surroundings } from "../parties.ts";
import { requireRecord } from "../state.ts";
import { getRange, getWhole } from "../streams.ts";
import { demandSize, leafSource } from "./payload.ts";
import { headerName } from "./stores.ts";
import { type LeafStores, rebuildLeaves } from "./take.ts";

/** The stores that an audit reads; leaf hashes that do not hold are written again. */
type Stored = LeafStores & { readonly objects: Pick<ObjectStore, "get" | "stat"> };
/** What an answer takes: no key. */
export interface Audited {
  readonly surroundings: Pick<Surroundings, "ledger">;
  readonly identity: Pick<Identity, "account">;
  readonly stores: Stored;
}

type Registered = Pick<RecordValue, "address" | "current">;

/**
 * Nothing is answered for a payload that is missing or of another size.
 * @throws ChartsealError `record-unknown`, `erased`, `input-invalid`; `object-missing`, `object-altered`
 */
export async function* answerAudit(
  { surroundings, identity, stores }: Audited,
  challenge: AuditChallenge,
): AsyncGenerator<Uint8Array> {
  const record = await demandChallenge(surroundings.ledger, challenge);
  if (!equalBytes(record.provider, identity.account)) {
    throw new ChartsealError("input-invalid", "another provider holds this record", {
      data: { recordId: toHex(challenge.recordId) },
    });
  }
  await demandSize(stores.objects, record);
  yield* answerChunks(stores, record, challengedChunks(challenge, record));
}

/** Proof and chunk of each index, ascending. */
export async function* answerChunks(
  stores: LeafStores,
  record: Registered,
  indexes: readonly number[],
): AsyncGenerator<Uint8Array> {
  const proofs = await ProofSource.open(stores, record);
  for (const index of indexes) {
    const proof = await proofs.of(index);
    if (proof.length > 0) yield concat(...proof);
    yield* chunkOf(stores, record, index);
  }
}

/**
 * A chunk as it lies there. What cannot be read of it comes as zero bytes, which are no chunk: so the auditor learns which
 * one is wrong, and sees the others. A store that cannot be reached breaks the answer off.
 */
async function* chunkOf(
  { objects }: LeafStores,
  record: Registered,
  index: number,
): AsyncGenerator<Uint8Array> {
  const payload = auditedPayload(record);
  const length = auditedChunkBytes(payload, index);
  // No chunk but the last is short.
  const offset = index * auditedChunkBytes(payload, 0);
  let left = length;
  try {
    for await (const piece of getRange(objects, record.address, { offset, length })) {
      left -= piece.length;
      yield piece;
    }
  } catch (error) {
    const lost = error instanceof ChartsealError && error.family === "integrity";
    if (!lost) throw error;
    yield new Uint8Array(left);
  }
}

/** Proofs of ascending leaves; one span of leaf hashes is held at a time. */
class ProofSource {
  readonly #stores: LeafStores;
  readonly #record: Registered;
  readonly #leaves: number;
  #source: LeafSource;
  #rebuilt = false;
  #held: { readonly span: number; readonly levels: MerkleLevels; readonly above: readonly Uint8Array[] } = {
    span: -1,
    levels: sha256Tree.levels([new Uint8Array(32)]),
    above: [],
  };

  private constructor(stores: LeafStores, record: Registered, source: LeafSource) {
    this.#stores = stores;
    this.#record = record;
    this.#source = source;
    const { length, chunkBytes } = auditedPayload(record);
    this.#leaves = chunkCount(length, chunkBytes);
  }

  static async open(stores: LeafStores, record: Registered): Promise<ProofSource> {
    return new ProofSource(stores, record, await leafSource(stores, record));
  }

  /** The siblings of leaf `index`, lowest first. */
  async of(index: number): Promise<readonly Uint8Array[]> {
    const span = Math.floor(index / spanLeaves);
    if (span !== this.#held.span) await this.#hold(span);
    const { levels, above } = this.#held;
    return [...levels.proof(index - span * spanLeaves), ...above];
  }

  async #hold(span: number): Promise<void> {
    const source = this.#source;
    if ("list" in source) {
      this.#held = { span, levels: levelsOf(source.list), above: [] };
      return;
    }
    const { leafHashes, proof } = await source.span(span);
    const levels = levelsOf(leafHashes);
    const size = Math.ceil(this.#leaves / spanLeaves);
    const root = this.#record.current.payloadDigest;
    if (sha256Tree.verifyInclusion({ leafHash: levels.root, index: span, size, proof, root })) {
      this.#held = { span, levels, above: proof };
      return;
    }
    if (this.#rebuilt) {
      throw new ChartsealError("object-altered", "the leaf hashes do not give the payload digest", {
        data: { address: this.#record.address, part: "leaf-hashes" },
      });
    }
    await this.#rebuild();
    await this.#hold(span);
  }

  /** Leaf hashes are damaged and the payload may be whole: they are made again from it, once. */
  async #rebuild(): Promise<void> {
    const { address, current } = this.#record;
    const { chunkBytes } = decodeDescriptor(current.descriptor);
    await rebuildLeaves(this.#stores, { address, chunkBytes, digest: current.payloadDigest });
    this.#source = await leafSource(this.#stores, this.#record);
    this.#rebuilt = true;
  }
}

function levelsOf(joined: Uint8Array): MerkleLevels {
  const count = joined.length / 32;
  return sha256Tree.levels(Array.from({ length: count }, (_, at) => joined.subarray(32 * at, 32 * at + 32)));
}

/**
 * Whether a record's header is the registered one, which nobody else can audit.
 * @throws ChartsealError `object-missing`, `header-altered`, `record-unknown`
 */
export async function checkStoredHeader(
  { surroundings, stores }: Pick<Audited, "surroundings" | "stores">,
  recordId: Uint8Array,
): Promise<void> {
  const { address, headerHash } = await requireRecord(surroundings.ledger, recordId);
  const header = await getWhole(stores.objects, headerName(address), headerBytesMax);
  if (equalBytes(sha256(header), headerHash)) return;
  throw new ChartsealError("header-altered", "the stored header is not the registered one", {
    data: { recordId: toHex(recordId), address },
  });
}

type Placed = { readonly placed?: PlacedStore | undefined };

/** Share of each shard's blocks that a provider looks at when it audits itself; one block at least. */
const shardShare = 0.02;

/**
 * Where payload and header are divided among places: whether every shard is there and, by random blocks, right. A record
 * that lost some is still read from the others; that nobody noticed would be how it is lost.
 * @throws ChartsealError `object-missing`, `object-altered`
 */
export async function checkShards(
  { surroundings, stores }: Pick<Audited, "surroundings"> & { readonly stores: Placed },
  recordId: Uint8Array,
): Promise<void> {
  if (stores.placed === undefined) return;
  const { address } = await requireRecord(surroundings.ledger, recordId);
  const { findings, degraded } = await scrub(stores.placed.split, { fraction: shardShare, prefix: address });
  const wrong = findings.filter(({ state }) => state === "wrong").length;
  const gone = findings.length - wrong;
  if (findings.length + degraded.length === 0) return;
  // Which places they are is nobody's business who reads the alert.
  const few = degraded.length === 0 ? "" : "; it was stored with fewer shards than it should have";
  const code = wrong > 0 ? "object-altered" : "object-missing";
  throw new ChartsealError(
    code,
    `of its shards ${gone} are missing or out of reach and ${wrong} wrong${few}`,
    {
      data: { recordId: toHex(recordId) },
    },
  );
}
