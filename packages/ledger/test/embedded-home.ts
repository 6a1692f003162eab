/** A temporary home with an embedded ledger under the toy rules, for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519KeyPairFromSeed } from "@chartseal/crypto";
import { type EmbeddedWriterOptions, openEmbedded } from "../src/embedded/index.ts";
import { toyGenesis, toyRules } from "./toy-rules.ts";

export const proposer = ed25519KeyPairFromSeed(new Uint8Array(32).fill(9));
export const genesis = toyGenesis(proposer.publicKey);

export function makeHome(): { directory: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), "chartseal-ledger-"));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** A clock that counts a millisecond a look. */
export function countingClock(startMs = 1_700_000_000_000): () => number {
  let nowMs = startMs;
  return () => nowMs++;
}

export function openToy(directory: string, options: Partial<EmbeddedWriterOptions> = {}) {
  const now = countingClock();
  return openEmbedded({
    directory,
    rulesOf: toyRules,
    proposerSeed: proposer.seed,
    now,
    waitMs: 0,
    ...options,
  });
}

export function createToy(directory: string, options: Partial<EmbeddedWriterOptions> = {}) {
  return openToy(directory, { create: genesis, ...options });
}
