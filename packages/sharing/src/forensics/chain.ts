/**
 * What the chain's check found, explained: which block, which field of its header, which transaction, commit or state
 * (CRYPTO §5, last line). The check tells what does not fit together; here the good witnesses (the commit, the next
 * block's link, the index of transactions) say which side of each mismatch was altered.
 */
import { equalBytes, fromHex, toHex } from "@chartseal/crypto";
import {
  type BlockHeader,
  type ChainFinding,
  type Commit,
  hashHeader,
  isCometCommit,
  transactionRoot,
  verifyCommit,
} from "@chartseal/ledger";
import { accountKeys, alteredPosition } from "./altered-transaction.ts";
import { type Finding, type FindingKind, remedies } from "./finding.ts";

/** A block's row as it can still be read; a column that cannot is absent. */
export interface BlockRow {
  readonly height: number;
  readonly header?: BlockHeader;
  readonly hash?: Uint8Array;
  readonly transactions?: readonly Uint8Array[];
  readonly commit?: Commit;
  readonly unreadable: readonly string[];
  /** Identifiers by position, as the index of transactions holds them. */
  readonly indexed: readonly (Uint8Array | undefined)[];
}

export interface ChainRows {
  /** Of the last row. */
  height(): number;
  block(height: number): BlockRow | undefined;
}

/** One finding or more for each block that the check complains of, in the order of heights. */
export function explainChain(input: {
  readonly chainId: Uint8Array;
  readonly genesis?: Uint8Array | undefined;
  readonly findings: readonly ChainFinding[];
  readonly rows: ChainRows | undefined;
}): Finding[] {
  const byHeight = new Map<number, ChainFinding[]>();
  for (const finding of input.findings) {
    const { height } = finding;
    byHeight.set(height, [...(byHeight.get(height) ?? []), finding]);
  }
  if (input.rows !== undefined) ownHeights(byHeight, input.rows);
  const heights = [...byHeight.keys()].sort((a, b) => a - b);
  return heights.flatMap((height) => {
    const found = byHeight.get(height) ?? [];
    const { rows } = input;
    if (height === 0 || rows === undefined) return found.map(plain);
    return new BlockCase({ ...input, rows }, height, found).explain();
  });
}

/** The check calls a block by the height in its header; where that was altered, by another block's height. */
function ownHeights(byHeight: Map<number, ChainFinding[]>, rows: ChainRows): void {
  if (byHeight.size === 0) return;
  for (let height = 1; height <= rows.height(); height++) {
    const called = rows.block(height)?.header?.height ?? height;
    if (called === height) continue;
    byHeight.set(height, [...(byHeight.get(height) ?? []), ...(byHeight.get(called) ?? [])]);
    if (rows.block(called) === undefined) byHeight.delete(called);
  }
}

/** A complaint that nothing more can be said about. */
function plain({ height, field, transaction, detail }: ChainFinding): Finding {
  const kinds: Record<string, FindingKind> = {
    stateRoot: "chain-state",
    commit: "chain-commit",
    transactions: "chain-transaction",
    line: "chain-missing",
  };
  return {
    kind: height === 0 ? "chain-store" : (kinds[field] ?? "chain-header"),
    ...(height === 0 ? {} : { height, field }),
    ...(transaction === undefined ? {} : { transaction }),
    detail,
    remedy: remedies.chain,
  };
}

class BlockCase {
  readonly #chainId: Uint8Array;
  readonly #genesis: Uint8Array | undefined;
  readonly #rows: ChainRows;
  readonly #height: number;
  readonly #found: readonly ChainFinding[];

  constructor(
    chain: {
      readonly chainId: Uint8Array;
      readonly genesis?: Uint8Array | undefined;
      readonly rows: ChainRows;
    },
    height: number,
    found: readonly ChainFinding[],
  ) {
    this.#chainId = chain.chainId;
    this.#genesis = chain.genesis;
    this.#rows = chain.rows;
    this.#height = height;
    this.#found = found;
  }

  #finding(kind: FindingKind, detail: string, more: Partial<Finding> = {}): Finding {
    return { kind, height: this.#height, ...more, detail, remedy: remedies.chain };
  }

  #says(field: string): ChainFinding | undefined {
    return this.#found.find((one) => one.field === field);
  }

  explain(): Finding[] {
    const row = this.#rows.block(this.#height);
    if (row === undefined) {
      return [this.#finding("chain-missing", `block ${this.#height} is not in the ledger's store`)];
    }
    const { header, hash, transactions, commit } = row;
    const unreadable = this.#unreadable(row);
    if (header === undefined || hash === undefined || transactions === undefined || commit === undefined) {
      return unreadable;
    }
    return this.#whole({ header, hash, transactions, commit }, row.indexed);
  }

  /** Columns that are no encoding of anything. */
  #unreadable(row: BlockRow): Finding[] {
    return row.unreadable.map((column) => {
      const kind =
        column === "transactions"
          ? "chain-transaction"
          : column === "commit"
            ? "chain-commit"
            : "chain-header";
      const only = column === "transactions" && row.header?.transactionCount === 1 ? { transaction: 0 } : {};
      const detail = `the ${column} of block ${this.#height} cannot be read: bytes were altered or cut`;
      return this.#finding(kind, detail, { field: column, ...only });
    });
  }

  #whole(block: Whole, indexed: BlockRow["indexed"]): Finding[] {
    const { header, hash, commit } = block;
    const signer = embeddedSigner(commit) ?? header.proposer;
    const authentic = verifyCommit(this.#chainId, header, hashHeader(header), commit);
    const signedHash = verifyCommit(
      this.#chainId,
      { ...header, height: this.#height, proposer: signer },
      hash,
      commit,
    );
    if (authentic && !equalBytes(hashHeader(header), hash)) {
      return [
        this.#finding("chain-header", `the stored hash of block ${this.#height} is not that of its header`, {
          field: "hash",
        }),
      ];
    }
    if (authentic) return this.#beneath(block, indexed);
    if (!equalBytes(hashHeader(header), hash)) return [this.#alteredHeader(block, { signer, signedHash })];
    const linked = this.#nextLinksTo(hash);
    if (linked || isCometCommit(commit) || commit.length !== 1) return [this.#alteredCommit(block, linked)];
    const detail = `header, hash or commit of block ${this.#height} were replaced together: no validator signed this header`;
    return [this.#finding("chain-header", detail, { field: "commit" })];
  }

  #nextLinksTo(hash: Uint8Array): boolean {
    const next = this.#rows.block(this.#height + 1)?.header;
    return next !== undefined && equalBytes(next.previousHash, hash);
  }

  #alteredCommit({ header, commit }: Whole, linked: boolean): Finding {
    const signer = embeddedSigner(commit);
    const key = signer !== undefined && equalBytes(signer, header.proposer);
    const what = isCometCommit(commit)
      ? "its signed header or validators"
      : key
        ? "its signature"
        : "its public key";
    const witness = linked ? "; the header is right, the next block names its hash" : "";
    return this.#finding(
      "chain-commit",
      `the commit of block ${this.#height} was altered: ${what}${witness}`,
      {
        field: "commit",
      },
    );
  }

  /** The header does not give the hash that was signed: which of its fields, by what each of them must be. */
  #alteredHeader(block: Whole, known: { signer: Uint8Array; signedHash: boolean }): Finding {
    const { header, hash, transactions } = block;
    const right: BlockHeader = {
      ...header,
      version: 1,
      height: this.#height,
      merkleRoot: transactionRoot(transactions),
      size: transactions.reduce((size, one) => size + one.length, 0),
      transactionCount: transactions.length,
      proposer: known.signer,
      previousHash: this.#previousHash() ?? header.previousHash,
      stateRoot: this.#expectedRoot() ?? header.stateRoot,
    };
    const changed = headerFields.filter((field) => !sameField(header[field], right[field]));
    const restored = equalBytes(hashHeader(right), hash);
    // Every other field must be what the rest of the chain says; the time alone is only in the header.
    const field = restored
      ? changed.join(", ")
      : changed.filter((one) => one !== "stateRoot").join(", ") || "timestampMs";
    const proof = restored ? "; with the right value it gives the signed hash again" : "";
    const detail = `the header of block ${this.#height} was altered in ${field}${known.signedHash ? proof : ""}`;
    return this.#finding("chain-header", detail, { field });
  }

  /** The state root that a replay under this header gave, where it gave another. */
  #expectedRoot(): Uint8Array | undefined {
    const expected = this.#says("stateRoot")?.expected;
    return expected === undefined ? undefined : fromHex(expected, 32);
  }

  #previousHash(): Uint8Array | undefined {
    return this.#height === 1 ? new Uint8Array(32) : this.#rows.block(this.#height - 1)?.hash;
  }

  /** Header and commit are as the validator signed them: what lies beneath is not. */
  #beneath(block: Whole, indexed: BlockRow["indexed"]): Finding[] {
    const { header, transactions } = block;
    const findings: Finding[] = [];
    if (!equalBytes(transactionRoot(transactions), header.merkleRoot)) {
      findings.push(this.#alteredTransaction(block, indexed));
    } else {
      for (const { field, transaction, detail } of this.#found.filter(
        (one) => one.field === "transactions",
      )) {
        const where = transaction === undefined ? {} : { transaction };
        findings.push(
          this.#finding("chain-transaction", `the ledger's rules refuse it: ${detail}`, { field, ...where }),
        );
      }
    }
    const state = this.#says("stateRoot");
    if (state !== undefined) {
      const detail = `the state after block ${this.#height} cannot be made or does not have its root: ${state.detail}`;
      findings.push(this.#finding("chain-state", detail, { field: "stateRoot" }));
    }
    for (const { detail, transaction } of this.#found.filter((one) => one.field === "store")) {
      const where = transaction === undefined ? {} : { transaction };
      findings.push(this.#finding("chain-store", detail, where));
    }
    return [...findings, ...this.#links(header)];
  }

  /** A sound block that does not follow the one before: that one was replaced, unless it is faulty itself. */
  #links(header: BlockHeader): Finding[] {
    const findings = this.#found
      .filter(({ field }) => field === "proposer" || field === "version")
      .map(({ field, detail }) => this.#finding("chain-header", detail, { field }));
    const before = this.#rows.block(this.#height - 1);
    const previousHash = this.#previousHash();
    const breaks = previousHash !== undefined && !equalBytes(header.previousHash, previousHash);
    if (header.height !== this.#height || (breaks && this.#isSound(before))) {
      const detail = `block ${this.#height} is signed and does not follow the block before it`;
      findings.push(this.#finding("chain-fork", detail, { field: breaks ? "previousHash" : "height" }));
    }
    const goesBack = before?.header !== undefined && before.header.timestampMs > header.timestampMs;
    if (goesBack && this.#isSound(before)) {
      const detail = `block ${this.#height} is dated before the block before it`;
      findings.push(this.#finding("chain-header", detail, { field: "timestampMs" }));
    }
    return findings;
  }

  /** Whether a row has the hash and the commit of its header. Before block 1 there is nothing to doubt. */
  #isSound(row: BlockRow | undefined): boolean {
    if (this.#height === 1) return true;
    if (row?.header === undefined || row.hash === undefined || row.commit === undefined) return false;
    const { header, hash, commit } = row;
    return equalBytes(hashHeader(header), hash) && verifyCommit(this.#chainId, header, hash, commit);
  }

  #alteredTransaction({ header, transactions }: Whole, indexed: BlockRow["indexed"]): Finding {
    const missing = header.transactionCount - transactions.length;
    if (missing !== 0) {
      const detail = `block ${this.#height} holds ${transactions.length} transactions, its signed header ${header.transactionCount}`;
      return this.#finding("chain-transaction", detail, { field: "transactionCount" });
    }
    const at = alteredPosition(transactions, indexed, () => accountKeys(this.#genesis, this.#rows));
    if (at === undefined) {
      const detail = `one of the ${transactions.length} transactions of block ${this.#height} was altered outside what others witness`;
      return this.#finding("chain-transaction", detail, { field: "merkleRoot" });
    }
    const identifier = indexed[at];
    const was = identifier === undefined ? "" : `; it was ${toHex(identifier)}`;
    const detail = `transaction ${at} of block ${this.#height} is not the one under the signed Merkle root${was}`;
    return this.#finding("chain-transaction", detail, { field: "merkleRoot", transaction: at });
  }
}

/** The key of an embedded commit's one signature. */
function embeddedSigner(commit: Commit): Uint8Array | undefined {
  return isCometCommit(commit) ? undefined : commit[0]?.publicKey;
}

interface Whole {
  readonly header: BlockHeader;
  readonly hash: Uint8Array;
  readonly transactions: readonly Uint8Array[];
  readonly commit: Commit;
}

const headerFields = [
  "version",
  "height",
  "previousHash",
  "merkleRoot",
  "stateRoot",
  "size",
  "transactionCount",
  "proposer",
] as const satisfies readonly (keyof BlockHeader)[];

function sameField(one: number | Uint8Array, other: number | Uint8Array): boolean {
  if (typeof one === "number" || typeof other === "number") return one === other;
  return equalBytes(one, other);
}
