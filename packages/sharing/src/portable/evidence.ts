/**
 * Evidence of what a ledger held: committed block headers, transactions with inclusion proofs, state values with state
 * proofs (CRYPTO §5; CONTRACT, Blocks). It is checked against a genesis and nothing else: no ledger, no network.
 * An embedded commit is one signature by a validator of the genesis; its validators never change.
 */
import { ChartsealError, equalBytes, toHex } from "@chartseal/crypto";
import {
  type BlockHeader,
  type Commit,
  chainIdOf,
  decodeGenesis,
  decodeHeader,
  type Entry,
  encodeHeader,
  fromBytes,
  type Genesis,
  hashHeader,
  type Ledger,
  type StateKind,
  verifyCommit,
  verifyStateProof,
  verifyTransactionProof,
} from "@chartseal/ledger";

/** A block's header, 156 bytes, with the commit that makes it count. */
export interface CommittedHeader {
  readonly header: Uint8Array;
  readonly commit: Commit;
}

/** A transaction, where it stands, and the siblings from its leaf up. */
export interface ProvedTransaction {
  readonly bytes: Uint8Array;
  readonly height: number;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
}

/** A value of the state after the block of that height; null where the key is absent. */
export interface ProvedEntry {
  readonly kind: number;
  readonly key: Uint8Array;
  readonly height: number;
  readonly value: Uint8Array | null;
  readonly proof: Uint8Array;
}

export interface Evidence {
  readonly blocks: readonly CommittedHeader[];
  readonly transactions: readonly ProvedTransaction[];
  readonly states: readonly ProvedEntry[];
}

/** What is wrong with evidence. `two-commits` is proof against the signer: both commits are its valid signatures. */
export interface EvidenceFault {
  readonly kind:
    | "genesis"
    | "block"
    | "commit"
    | "two-commits"
    | "transaction"
    | "state"
    | "record"
    /** Of an issuance proof: not the account's whole list of keys, or under an older head than the checker's. */
    | "account"
    | "keys"
    | "head";
  readonly height?: number;
  /** Of `two-commits`: who signed twice, and both block hashes; hex. */
  readonly publicKey?: string;
  readonly hashes?: readonly string[];
  readonly detail: string;
}

/** Gathers evidence from a ledger: every block that a proof needs, once each. */
export class EvidenceCollector {
  readonly #ledger: Ledger;
  readonly #blocks = new Map<number, CommittedHeader>();
  readonly #transactions: ProvedTransaction[] = [];
  readonly #states: ProvedEntry[] = [];

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** @returns its height. @throws ChartsealError `chain-altered` where the chain does not hold it */
  async transaction(identifier: Uint8Array): Promise<number> {
    const found = await this.#ledger.transaction(identifier);
    if (found === undefined) {
      throw new ChartsealError("chain-altered", "a transaction that the state names is not in the chain", {
        data: { transaction: toHex(identifier) },
      });
    }
    const { bytes, height, index, proof } = found;
    this.#transactions.push({ bytes, height, index, proof });
    this.#block(found);
    return height;
  }

  /** Adds the value of a key, or its absence, after a block; gives the value. */
  async state<V>({ kind, codec }: Entry<V>, key: Uint8Array, height: number): Promise<V | undefined> {
    const value = await this.bytes(kind, key, height);
    return value === null ? undefined : fromBytes(codec, value);
  }

  /** The same for a value that no codec reads, as a block's hash. */
  async bytes(kind: StateKind, key: Uint8Array, height: number): Promise<Uint8Array | null> {
    const proved = await this.#ledger.prove(kind, key, height);
    const { value, proof } = proved;
    this.#states.push({ kind, key, height, value, proof });
    this.#block(proved);
    return value;
  }

  #block({ header, commit }: { readonly header: BlockHeader; readonly commit: Commit }): void {
    this.#blocks.set(header.height, { header: encodeHeader(header), commit });
  }

  evidence(): Evidence {
    const blocks = [...this.#blocks].sort(([a], [b]) => a - b).map(([, block]) => block);
    return { blocks, transactions: this.#transactions, states: this.#states };
  }
}

interface Known {
  readonly header: BlockHeader;
  readonly hash: Uint8Array;
}

/** The evidence's blocks that are committed to, by height; everything wrong goes into `faults`. */
function committedBlocks(
  blocks: readonly CommittedHeader[],
  genesis: Genesis,
  chainId: Uint8Array,
  faults: EvidenceFault[],
): Map<number, Known> {
  const known = new Map<number, Known>();
  for (const { header: bytes, commit } of blocks) {
    const header = headerOf(bytes, faults);
    if (header === undefined) continue;
    const hash = hashHeader(header);
    const { height, proposer } = header;
    const isValidator = genesis.validators.some(({ publicKey }) => equalBytes(publicKey, proposer));
    if (header.version !== 1 || !isValidator || !verifyCommit(chainId, header, hash, commit)) {
      faults.push({ kind: "commit", height, detail: "the commit is not a validator's over this header" });
      continue;
    }
    const before = known.get(height);
    if (before !== undefined && !equalBytes(before.hash, hash))
      faults.push(twoCommits(before, { header, hash }));
    else known.set(height, { header, hash });
  }
  return known;
}

function headerOf(bytes: Uint8Array, faults: EvidenceFault[]): BlockHeader | undefined {
  try {
    return decodeHeader(bytes);
  } catch {
    faults.push({ kind: "block", detail: "a header is malformed" });
    return undefined;
  }
}

function twoCommits(one: Known, other: Known): EvidenceFault {
  const same = equalBytes(one.header.proposer, other.header.proposer);
  return {
    kind: "two-commits",
    height: one.header.height,
    publicKey: toHex(other.header.proposer),
    hashes: [toHex(one.hash), toHex(other.hash)],
    detail: same
      ? "one validator signed two blocks of one height: these two commits are proof against it"
      : "two validators signed two blocks of one height: the chain was forked",
  };
}

/** Neighbours link, and time does not go back. */
function chainFaults(known: ReadonlyMap<number, Known>): EvidenceFault[] {
  const faults: EvidenceFault[] = [];
  let before: Known | undefined;
  for (const [height, block] of [...known].sort(([a], [b]) => a - b)) {
    const { header } = block;
    const follows = before !== undefined && before.header.height + 1 === height;
    if (follows && before !== undefined && !equalBytes(header.previousHash, before.hash)) {
      faults.push({ kind: "block", height, detail: "the block does not follow the one before it" });
    }
    if (before !== undefined && header.timestampMs < before.header.timestampMs) {
      faults.push({ kind: "block", height, detail: "the block's time is before an earlier block's" });
    }
    before = block;
  }
  return faults;
}

const nothing = new Uint8Array(0);

function proofFaults(evidence: Evidence, known: ReadonlyMap<number, Known>): EvidenceFault[] {
  const faults: EvidenceFault[] = [];
  for (const { bytes: transaction, height, index, proof } of evidence.transactions) {
    const header = known.get(height)?.header;
    const claim = { index, transaction, proof };
    const root = { root: header?.merkleRoot ?? nothing, count: header?.transactionCount ?? 0 };
    if (header === undefined || !verifyTransactionProof({ ...root, ...claim })) {
      faults.push({
        kind: "transaction",
        height,
        detail: "the transaction is not proved to be in its block",
      });
    }
  }
  for (const { kind, key, height, value, proof } of evidence.states) {
    const root = known.get(height)?.header.stateRoot;
    if (root === undefined || !verifyStateProof(root, kind, key, value, proof)) {
      faults.push({
        kind: "state",
        height,
        detail: `a value of kind ${kind} is not proved to be in the state`,
      });
    }
  }
  return faults;
}

/** Everything that does not hold, against a genesis; empty where all of it holds. */
export function evidenceFaults(evidence: Evidence, genesisBytes: Uint8Array): EvidenceFault[] {
  const faults: EvidenceFault[] = [];
  const genesis = readGenesis(genesisBytes);
  if (genesis === undefined) return [{ kind: "genesis", detail: "the genesis is malformed" }];
  const known = committedBlocks(evidence.blocks, genesis, chainIdOf(genesisBytes), faults);
  return [...faults, ...chainFaults(known), ...proofFaults(evidence, known)];
}

function readGenesis(bytes: Uint8Array): Genesis | undefined {
  try {
    return decodeGenesis(bytes);
  } catch (error) {
    if (error instanceof ChartsealError) return undefined;
    throw error;
  }
}

/** A value that evidence holds for a key after a block: undefined where it says nothing, null where it is absent. */
export function entryOf<V>(
  { states }: Evidence,
  { kind, codec }: Entry<V>,
  at: { readonly key: Uint8Array; readonly height: number },
): V | null | undefined {
  const found = states.find(
    (state) => state.kind === kind && state.height === at.height && equalBytes(state.key, at.key),
  );
  if (found === undefined || found.value === null) return found === undefined ? undefined : null;
  return fromBytes(codec, found.value);
}
