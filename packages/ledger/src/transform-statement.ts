/**
 * What a provider signs with every transform: for this request, under this key and with these rows of the policy, this is
 * my T. It travels with T and stands on no ledger unless the two disagree; then it is what the provider is judged by
 * (spec/7-sharing.md, The signed answer).
 */
import { concat, fixed, type HashPart, signTagged, u32, verifyTagged } from "@chartseal/crypto";

/** What a statement is about, as reader, provider and ledger know it. */
export interface AnsweredTransform {
  readonly chainId: Uint8Array;
  readonly provider: Uint8Array;
  readonly requestId: Uint8Array;
  readonly recordId: Uint8Array;
  /** Commits to the header and to the payload. */
  readonly recordDigest: Uint8Array;
  readonly transformKeyId: Uint8Array;
  /** SHA-256(T). */
  readonly answerHash: Uint8Array;
}

export interface TransformStatement {
  /** Rows of the sealed policy with which T was made, ascending: under a header that was sealed crookedly they decide T. */
  readonly rows: readonly number[];
  /** Ed25519, by the provider's account. */
  readonly signature: Uint8Array;
}

function parts(about: AnsweredTransform, rows: readonly number[]): HashPart[] {
  return [
    fixed(about.chainId),
    fixed(about.provider),
    fixed(about.requestId),
    fixed(about.recordId),
    fixed(about.recordDigest),
    fixed(about.transformKeyId),
    fixed(about.answerHash),
    concat(...rows.map((row) => u32(row))),
  ];
}

export function signStatement(
  { seed }: { readonly seed: Uint8Array },
  about: AnsweredTransform,
  rows: readonly number[],
): TransformStatement {
  return { rows, signature: signTagged(seed, "sharing/transform-answer", ...parts(about, rows)) };
}

/** True if the provider with this public key said exactly this. */
export function verifyStatement(
  publicKey: Uint8Array,
  about: AnsweredTransform,
  { rows, signature }: TransformStatement,
): boolean {
  const ascends = rows.every(
    (row, at) => Number.isInteger(row) && row >= 0 && row < 2 ** 32 && (at === 0 || rows[at - 1]! < row),
  );
  if (!ascends || rows.length === 0) return false;
  return verifyTagged(publicKey, signature, "sharing/transform-answer", ...parts(about, rows));
}
