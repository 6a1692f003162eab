/** The Web Worker: takes the job from the test's server, does it, answers. All cryptography of a page belongs here. */
import { loadPairing } from "@chartseal/crypto";
import { examine, type Findings, type Party, type Product, produce } from "./exercise.ts";

export interface Job {
  readonly party: Party;
  readonly product: Product;
}

export interface Answer {
  readonly product: Product;
  readonly findings: Findings;
  readonly milliseconds: { readonly load: number; readonly produce: number; readonly examine: number };
  /** What makes a worker one: no document, no Node. */
  readonly surroundings: { readonly hasDocument: boolean; readonly hasProcess: boolean };
}

async function work(): Promise<Answer> {
  const { party, product } = (await (await fetch("/job")).json()) as Job;
  const times = [performance.now()];
  await loadPairing();
  times.push(performance.now());
  const made = await produce(party);
  times.push(performance.now());
  const findings = await examine(party, product);
  times.push(performance.now());
  const [load, produced, examined] = times.slice(1).map((at, i) => at - (times[i] ?? 0));
  return {
    product: made,
    findings,
    milliseconds: { load: load ?? 0, produce: produced ?? 0, examine: examined ?? 0 },
    surroundings: { hasDocument: "document" in globalThis, hasProcess: "process" in globalThis },
  };
}

const answer = await work().then(
  (result) => JSON.stringify(result),
  (error: unknown) => JSON.stringify({ error: error instanceof Error ? error.stack : String(error) }),
);
await fetch("/answer", { method: "POST", body: answer });
