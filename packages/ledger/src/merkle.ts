/**
 * The transaction tree of a block (CONTRACT, Blocks): D = SHA-256∘SHA-256, leaf D(0x00 ‖ transaction), node
 * D(0x01 ‖ left ‖ right), split as RFC 6962 §2.1 at the largest power of two below n, nothing duplicated (Bitcoin's
 * rule gives two lists one root: CVE-2012-2459); no transactions: D(""). Hashes are 32 bytes.
 *
 * Index and count of a proof come from an authenticated header, never from the proof.
 */
import { ChartsealError, doubleSha256Tree } from "@chartseal/crypto";

const tree = doubleSha256Tree;

function leavesOf(transactions: readonly Uint8Array[]): Uint8Array[] {
  return transactions.map((transaction) => tree.leafHash(transaction));
}

export function transactionRoot(transactions: readonly Uint8Array[]): Uint8Array {
  return tree.root(leavesOf(transactions));
}

/** The siblings of one transaction, from its leaf up. @throws ChartsealError `input-invalid` for no such index */
export function proveTransaction(transactions: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= transactions.length) {
    throw new ChartsealError("input-invalid", "the block has no transaction of that index");
  }
  return tree.inclusionProof(leavesOf(transactions), index);
}

/**
 * Whether `transaction` is number `index` of the `count` transactions under `root`.
 * `root` and `count` must come from a block header whose commit was checked. False for anything malformed.
 */
export function verifyTransactionProof(claim: {
  readonly root: Uint8Array;
  readonly count: number;
  readonly index: number;
  readonly transaction: Uint8Array;
  readonly proof: readonly Uint8Array[];
}): boolean {
  const { root, count, index, transaction, proof } = claim;
  return tree.verifyInclusion({ leafHash: tree.leafHash(transaction), index, size: count, proof, root });
}
