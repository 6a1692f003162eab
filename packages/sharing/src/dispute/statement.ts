/**
 * What a provider signs with every transform: for this request, under this key and with these rows of the policy, this is
 * my T. It travels with T and stands on no ledger unless the two disagree; then it is what the provider is judged by
 * (spec/7-sharing.md, The signed answer).
 */
import {
  ChartsealError,
  concat,
  fixed,
  type HashPart,
  sha256,
  signTagged,
  toHex,
  u32,
  verifyTagged,
} from "@chartseal/crypto";
import type { Identity } from "../parties.ts";

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
  provider: Identity,
  about: AnsweredTransform,
  rows: readonly number[],
): TransformStatement {
  return { rows, signature: signTagged(provider.seed, "sharing/transform-answer", ...parts(about, rows)) };
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

/**
 * A T that its provider did not sign is not used: nobody could be held to it.
 * @throws ChartsealError `signature-invalid`
 */
export function demandStatement(
  publicKey: Uint8Array,
  about: Omit<AnsweredTransform, "answerHash">,
  { transform, statement }: { readonly transform: Uint8Array; readonly statement: TransformStatement },
): void {
  if (verifyStatement(publicKey, { ...about, answerHash: sha256(transform) }, statement)) return;
  throw new ChartsealError(
    "signature-invalid",
    "the provider's transform is not signed by it for this request",
    {
      data: { provider: toHex(about.provider), part: "transform" },
      hint: "Ask again: an answer that its provider does not sign is never used.",
    },
  );
}
