/** The page of a receipt: checks evidence under CometBFT's commits as Node does, offline, and says what is wrong with each. */
import { fromHex } from "@chartseal/crypto";
import { evidenceFaults, parseEvidence } from "@chartseal/sharing";

export interface ReceiptJob {
  /** Hex. */
  readonly genesis: string;
  readonly cases: readonly {
    readonly evidence: Record<string, unknown>;
    readonly nowMs: number;
    readonly trustPeriodMs?: number;
    /** Hex. */
    readonly validatorsHash?: string;
  }[];
}

/** Of each case, the kinds of what does not hold. */
export type ReceiptAnswer = readonly (readonly string[])[];

function check({ genesis, cases }: ReceiptJob): ReceiptAnswer {
  return cases.map(({ evidence, validatorsHash, ...trust }) => {
    const from = validatorsHash === undefined ? {} : { validatorsHash: fromHex(validatorsHash, 32) };
    const faults = evidenceFaults(parseEvidence(evidence), fromHex(genesis), { ...trust, ...from });
    return faults.map(({ kind }) => kind);
  });
}

async function answer(): Promise<ReceiptAnswer | { readonly error: string }> {
  try {
    return check((await (await fetch("/job")).json()) as ReceiptJob);
  } catch (error) {
    return { error: String(error) };
  }
}

await fetch("/answer", { method: "POST", body: JSON.stringify(await answer()) });
