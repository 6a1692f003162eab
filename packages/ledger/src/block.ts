/**
 * Blocks (CONTRACT, Blocks): the header, its hash, and the commit without which a block does not count.
 *
 * Header, 156 bytes, big-endian: version u32 · height u64 · previousHash 32 · merkleRoot 32 · stateRoot 32 ·
 * timestampMs u64 · size u32 · transactionCount u32 · proposer 32. hash = SHA-256(SHA-256(header)).
 * The embedded commit is the proposer's Ed25519 signature over "…/block" ‖ chain id ‖ height u64 ‖ hash.
 */
import {
  ChartsealError,
  concat,
  doubleSha256,
  equalBytes,
  fixed,
  signTagged,
  u32,
  u64,
  verifyTagged,
} from "@chartseal/crypto";
import { transactionBytesMax } from "./actions.ts";
import { type Commit, isCometCommit, signersOfBoth, verifyCometCommit } from "./commit.ts";
import { transactionRoot } from "./merkle.ts";

export const headerBytes = 156;
export const headerVersion = 1;

export interface BlockHeader {
  readonly version: number;
  readonly height: number;
  readonly previousHash: Uint8Array;
  readonly merkleRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly timestampMs: number;
  /** Bytes of all transactions together. */
  readonly size: number;
  readonly transactionCount: number;
  /** Ed25519 public key, 32 bytes. */
  readonly proposer: Uint8Array;
}

export interface Block {
  readonly header: BlockHeader;
  readonly hash: Uint8Array;
  readonly transactions: readonly Uint8Array[];
  readonly commit: Commit;
}

/** The end of a chain, which the next block extends. Height 0 is the genesis: 32 zero bytes for a hash. */
export interface Head {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly timestampMs: number;
}

/** What is wrong with a block: the header's field (or `commit`, `hash`), and how. */
export interface BlockFault {
  readonly field: keyof BlockHeader | "hash" | "commit" | "transactions";
  readonly detail: string;
}

export function headOf(block: { header: BlockHeader; hash: Uint8Array }): Head {
  const { height, stateRoot, timestampMs } = block.header;
  return { height, hash: block.hash, stateRoot, timestampMs };
}

/** The header's 156 bytes. */
export function encodeHeader(header: BlockHeader): Uint8Array {
  return concat(
    u32(header.version),
    u64(header.height),
    header.previousHash,
    header.merkleRoot,
    header.stateRoot,
    u64(header.timestampMs),
    u32(header.size),
    u32(header.transactionCount),
    header.proposer,
  );
}

/** Any 156 bytes whose u64 are safe integers. @throws ChartsealError `encoding-invalid` */
export function decodeHeader(bytes: Uint8Array): BlockHeader {
  if (bytes.length !== headerBytes)
    throw new ChartsealError("encoding-invalid", "a block header has 156 bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    version: view.getUint32(0),
    height: safeInteger(view.getBigUint64(4)),
    previousHash: bytes.slice(12, 44),
    merkleRoot: bytes.slice(44, 76),
    stateRoot: bytes.slice(76, 108),
    timestampMs: safeInteger(view.getBigUint64(108)),
    size: view.getUint32(116),
    transactionCount: view.getUint32(120),
    proposer: bytes.slice(124, 156),
  };
}

function safeInteger(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ChartsealError("encoding-invalid", "a block header holds an integer above 2^53 - 1");
  }
  return Number(value);
}

export function hashHeader(header: BlockHeader): Uint8Array {
  return doubleSha256(encodeHeader(header));
}

export function sizeOf(transactions: readonly Uint8Array[]): number {
  return transactions.reduce((size, transaction) => size + transaction.length, 0);
}

/** The embedded commit: one signature by the proposer's 32-byte seed. */
export function signBlock(
  chainId: Uint8Array,
  height: number,
  hash: Uint8Array,
  seed: Uint8Array,
): Uint8Array {
  return signTagged(seed, "ledger/block", fixed(chainId), fixed(u64(height)), fixed(hash));
}

/**
 * Whether the commit is exactly one valid signature by the header's proposer over this block, or CometBFT's own for it.
 * Whose the stake is that signed is for who knows the validators: `commitsAlone`, `CommitChain`, `lightStepFault`.
 */
export function verifyCommit(
  chainId: Uint8Array,
  header: BlockHeader,
  hash: Uint8Array,
  commit: Commit,
): boolean {
  if (isCometCommit(commit)) return verifyCometCommit(chainId, hash, commit);
  const [only] = commit;
  if (only === undefined || commit.length !== 1 || !equalBytes(only.publicKey, header.proposer)) return false;
  const signed = [fixed(chainId), fixed(u64(header.height)), fixed(hash)];
  return verifyTagged(only.publicKey, only.signature, "ledger/block", ...signed);
}

/**
 * Everything about a block that its own bytes and the block before it decide: hash, links, tree, counts, time, commit.
 * The state root is the machine's to check. Without `previous` the links are not looked at.
 */
export function blockFaults(block: Block, chainId: Uint8Array, previous?: Head): BlockFault[] {
  const { header, transactions } = block;
  const faults: BlockFault[] = [];
  const fault = (field: BlockFault["field"], detail: string) => faults.push({ field, detail });
  if (header.version !== headerVersion)
    fault("version", `the version is ${header.version}, not ${headerVersion}`);
  if (!equalBytes(hashHeader(header), block.hash)) fault("hash", "the hash is not that of the header");
  if (!equalBytes(transactionRoot(transactions), header.merkleRoot)) {
    fault("merkleRoot", "the Merkle root is not that of the transactions");
  }
  if (header.transactionCount !== transactions.length) {
    fault(
      "transactionCount",
      `the header says ${header.transactionCount} transactions, there are ${transactions.length}`,
    );
  }
  if (header.size !== sizeOf(transactions)) {
    fault("size", `the header says ${header.size} bytes, the transactions have ${sizeOf(transactions)}`);
  }
  if (!transactions.every(isTransaction)) fault("transactions", "not CBOR of 1 byte to 256 KiB");
  if (!verifyCommit(chainId, header, block.hash, block.commit)) {
    fault(
      "commit",
      isCometCommit(block.commit)
        ? "the commit is not CometBFT's for this block, by more than two thirds of the validators that it names"
        : "the commit is not the proposer's signature over this block",
    );
  }
  return previous === undefined ? faults : [...faults, ...linkFaults(header, previous)];
}

function linkFaults(header: BlockHeader, previous: Head): BlockFault[] {
  const faults: BlockFault[] = [];
  if (header.height !== previous.height + 1) {
    faults.push({ field: "height", detail: `height ${header.height} follows ${previous.height}` });
  }
  if (!equalBytes(header.previousHash, previous.hash)) {
    faults.push({ field: "previousHash", detail: "the previous hash is not that of the block before" });
  }
  if (header.timestampMs < previous.timestampMs) {
    faults.push({ field: "timestampMs", detail: "the timestamp is before that of the block before" });
  }
  return faults;
}

/** Size, and a first byte ≥ 0x80: a CBOR array. What it says is for the rules to judge. */
export function isTransaction(bytes: Uint8Array): boolean {
  return bytes.length <= transactionBytesMax && (bytes[0] ?? 0) >= 0x80;
}

/** Throws what `blockFaults` finds first. @throws ChartsealError `chain-altered`, data {height, field} */
export function checkBlock(block: Block, chainId: Uint8Array, previous?: Head): void {
  const [first] = blockFaults(block, chainId, previous);
  if (first === undefined) return;
  const { height } = block.header;
  throw new ChartsealError("chain-altered", `block ${height}: ${first.detail}`, {
    data: { height, field: first.field },
  });
}

/**
 * Whether two blocks prove that one who signed both committed to two histories: one height, two hashes, both commits
 * valid (CRYPTO §5). Anyone who holds both can show it; `signersOfBoth` says who.
 */
export function isEquivocation(first: Block, second: Block, chainId: Uint8Array): boolean {
  if (first.header.height !== second.header.height || equalBytes(first.hash, second.hash)) return false;
  if (signersOfBoth(first.commit, second.commit).length === 0) return false;
  return [first, second].every(
    ({ header, hash, commit }) =>
      equalBytes(hashHeader(header), hash) && verifyCommit(chainId, header, hash, commit),
  );
}
