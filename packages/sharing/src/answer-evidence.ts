/**
 * A signed answer that does not verify is evidence against its node (CRYPTO §2.3): whoever received it shows it on the
 * ledger, where the machine checks it again, and asks another node. What a node did not sign names nobody.
 */
import { ChartsealError, hasCode } from "@chartseal/crypto";
import type { FieldsOf } from "@chartseal/ledger";
import type { AccountWriter } from "./submit.ts";

/** An answer as its node signed it. */
export interface SignedAnswer {
  readonly node: number;
  readonly answer: Uint8Array;
  readonly signature: Uint8Array;
}

/** What the answer is to: an issue by its request's id, or a base key by its account. */
export type Answered = Pick<FieldsOf<"node-fault">, "subject" | "id" | "epoch">;

/**
 * Uses what a node signed; where that is wrong, the node is named on the ledger before the error goes on. A ledger that
 * cannot be reached now, or holds the same evidence already, changes nothing for the caller.
 * @throws ChartsealError `issue-invalid` with the node
 */
export async function useSigned<T>(
  signed: SignedAnswer,
  evidence: { readonly writer: AccountWriter; readonly answered: Answered },
  use: () => T,
): Promise<T> {
  try {
    return use();
  } catch (cause) {
    if (!(cause instanceof ChartsealError) || cause.family === "defect") throw cause;
    await name(signed, evidence);
    if (hasCode(cause, "issue-invalid")) throw cause;
    const data = { node: signed.node };
    throw new ChartsealError("issue-invalid", "an answer is malformed", { data, cause });
  }
}

async function name(
  signed: SignedAnswer,
  { writer, answered }: { readonly writer: AccountWriter; readonly answered: Answered },
): Promise<void> {
  try {
    await writer.submit({ kind: "node-fault", ...answered, ...signed });
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.family === "defect") throw error;
  }
}
