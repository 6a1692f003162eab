/**
 * Evidence of what a ledger held: committed block headers, transactions with inclusion proofs, state values with state
 * proofs (CRYPTO §5; CONTRACT, Blocks). It is checked against a genesis and nothing else: no ledger, no network.
 * What makes a commit count is in committed-blocks.ts.
 */
import { ChartsealError, equalBytes, toHex } from "@chartseal/crypto";
import {
  type BlockHeader,
  type Commit,
  chainIdOf,
  decodeGenesis,
  type Entry,
  encodeHeader,
  fromBytes,
  type Genesis,
  type Ledger,
  type StateKind,
  verifyStateProof,
  verifyTransactionProof,
} from "@chartseal/ledger";
import { bridgeCommits } from "./bridge-commits.ts";
import { committedBlocks, type KnownBlock, type Trust } from "./committed-blocks.ts";

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
  /** Of `two-commits`: who signed twice, and both block hashes; hex. Under CometBFT all who signed both. */
  readonly publicKey?: string;
  readonly publicKeys?: readonly string[];
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

  /** With the blocks in between whose commits carry the trust from the genesis' validators to later ones. */
  async evidence(): Promise<Evidence> {
    for (const block of await bridgeCommits(this.#ledger, [...this.#blocks.values()])) this.#block(block);
    const blocks = [...this.#blocks].sort(([a], [b]) => a - b).map(([, block]) => block);
    return { blocks, transactions: this.#transactions, states: this.#states };
  }
}

/** Neighbours link, and time does not go back. */
function chainFaults(known: ReadonlyMap<number, KnownBlock>): EvidenceFault[] {
  const faults: EvidenceFault[] = [];
  let before: KnownBlock | undefined;
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

function proofFaults(evidence: Evidence, known: ReadonlyMap<number, KnownBlock>): EvidenceFault[] {
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
export function evidenceFaults(
  evidence: Evidence,
  genesisBytes: Uint8Array,
  trust: Trust = {},
): EvidenceFault[] {
  const faults: EvidenceFault[] = [];
  const genesis = readGenesis(genesisBytes);
  if (genesis === undefined) return [{ kind: "genesis", detail: "the genesis is malformed" }];
  const chainId = chainIdOf(genesisBytes);
  const known = committedBlocks(evidence.blocks, { genesis, chainId, trust }, faults);
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
