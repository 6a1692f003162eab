/** The reader's side of the provider's signed answer (spec/7-sharing.md): a T that nobody answers for is never used. */
import { ChartsealError, sha256, toHex } from "@chartseal/crypto";
import { type AnsweredTransform, type TransformStatement, verifyStatement } from "@chartseal/ledger";

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
