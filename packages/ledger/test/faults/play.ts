/**
 * Plays a fault: so many rounds with a seed on one network of real nodes, and after each the common check
 * (chain-check.ts). `CHARTSEAL_FAULT_ROUNDS` says how many, a few without it, `CHARTSEAL_FAULT_MINUTES` after how many
 * minutes none begins; `CHARTSEAL_FAULT_RESULTS` is a folder that gets a file for each fault with what came of it
 * (npm run test:faults).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, sha256, toHex } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { describeTool, describeUnlessLacking } from "../../../../test/tools.ts";
import type { Submitted } from "../../src/index.ts";
import { toyTransaction } from "../toy-rules.ts";
import { type Chain, findings } from "./chain-check.ts";

export const seed = 20_261_125;

/** The same numbers in every run. */
export function seeded(start: number): () => number {
  let state = start;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** Whoever takes transactions: a ledger, here or in another process. */
export interface Taker {
  submit(transaction: Uint8Array): Promise<Submitted>;
}

/** What was sent, and what was said to it. */
export class Sent {
  readonly acknowledged: Submitted[] = [];
  /** Bytes of which nobody said what became of them. */
  readonly unknown: Uint8Array[] = [];
  #nonce = 0;

  /** One more transaction, unlike any before. */
  next(account = 1): Uint8Array {
    return toyTransaction(this.#nonce++, ["give", account, 1]);
  }

  /** True where it was acknowledged; a refusal throws. */
  async submit(to: Taker, transaction = this.next()): Promise<boolean> {
    try {
      const submitted = await to.submit(transaction);
      expect(toHex(submitted.identifier)).toBe(toHex(sha256(transaction)));
      this.acknowledged.push(submitted);
      return true;
    } catch (error) {
      if (!isUnknownOutcome(error)) throw error;
      this.unknown.push(transaction);
      return false;
    }
  }

  /** Several at the same time; how many were acknowledged. */
  async submitMany(to: Taker, count: number): Promise<number> {
    const submits = Array.from({ length: count }, () => this.submit(to));
    return (await Promise.all(submits)).filter((said) => said).length;
  }

  height(): number {
    return this.acknowledged.reduce((most, { height }) => Math.max(most, height), 0);
  }
}

export function isUnknownOutcome(error: unknown): boolean {
  return (
    error instanceof ChartsealError && error.code === "ledger-unreachable" && error.data.outcome === "unknown"
  );
}

/** A network that a fault is played on. */
export interface Network {
  /** Until every member that is up holds that block of ours. */
  level(height: number): Promise<void>;
  /** What each member holds that is up, from those heights on. */
  chains(from: number, cometFrom: number): Promise<Chain[]>;
  dispose(): Promise<void>;
}

/** `random` gives the same numbers in every run of a seed, each in [0, 1). */
export type Round<N> = (network: N, random: () => number, round: number, sent: Sent) => Promise<void>;

export interface Fault<N extends Network> {
  readonly name: string;
  /** What happens, as the results tell it. */
  readonly what: string;
  readonly make: (program: string) => Promise<N>;
  readonly round: Round<N>;
  readonly needsRoot?: boolean;
  /** What else is not there that it needs; the test is then skipped by name. */
  readonly lacks?: () => string | undefined;
}

interface Result {
  readonly fault: string;
  readonly what: string;
  rounds: number;
  acknowledged: number;
  unknown: number;
  lost: number;
  forks: number;
  twice: number;
  heights: number;
  cometHeights: number;
  seconds: number;
  /** Every round and every check held. */
  passed: boolean;
  readonly date: string;
  readonly seed: number;
}

/** Where nothing else is asked for. */
const roundsDefault = "10";
const roundMsMax = 60_000;
const minutesMax = Number(process.env.CHARTSEAL_FAULT_MINUTES ?? "1000");

/** The test of a fault. */
export function testFault<N extends Network>(fault: Fault<N>): void {
  const rounds = Number(process.env.CHARTSEAL_FAULT_ROUNDS ?? roundsDefault);
  const timeout = 120_000 + rounds * roundMsMax;
  describeTool("cometbft", `a fault of ${rounds} rounds`, (program) => {
    describeUnlessLacking(fault.name, lacking(fault), () => {
      it(`${fault.what}: nothing acknowledged is lost, no fork`, { timeout }, async () => {
        await playFault(fault, program, rounds);
      });
    });
  });
}

function lacking({ needsRoot, lacks }: Pick<Fault<Network>, "needsRoot" | "lacks">): string | undefined {
  const isRoot = process.platform === "linux" && process.getuid?.() === 0;
  return needsRoot === true && !isRoot ? "it needs root on Linux" : lacks?.();
}

export async function playFault<N extends Network>(
  fault: Fault<N>,
  program: string,
  rounds: number,
): Promise<Result> {
  const { name, what } = fault;
  const counts = {
    rounds: 0,
    acknowledged: 0,
    unknown: 0,
    lost: 0,
    forks: 0,
    twice: 0,
    heights: 0,
    cometHeights: 0,
  };
  const result: Result = { fault: name, what, ...counts, seconds: 0, passed: false, date: today(), seed };
  const started = performance.now();
  const random = seeded(seed);
  const sent = new Sent();
  const network = await fault.make(program);
  try {
    let [from, cometFrom] = [1, 1];
    for (let round = 0; round < rounds && performance.now() - started < minutesMax * 60_000; round++) {
      await fault.round(network, random, round, sent);
      const chains = await check(network, sent, result, [from, cometFrom]);
      from = sent.height();
      cometFrom = Math.min(...chains.map(({ comet }) => comet.at(-1)?.height ?? 1));
      result.rounds = round + 1;
      tell(result, rounds);
    }
    const chains = await check(network, sent, result, [1, 1]);
    result.heights = Math.min(...chains.map(({ blocks }) => blocks.length));
    result.cometHeights = Math.min(...chains.map(({ comet }) => comet.at(-1)?.height ?? 0));
    expect(result.heights).toBeGreaterThan(0);
    result.passed = true;
    return result;
  } finally {
    await network.dispose();
    result.acknowledged = sent.acknowledged.length;
    result.unknown = sent.unknown.length;
    result.seconds = Math.round((performance.now() - started) / 1_000);
    writeResult(result);
  }
}

async function check(
  network: Network,
  sent: Sent,
  result: Result,
  [from, cometFrom]: readonly [number, number],
): Promise<Chain[]> {
  await network.level(sent.height());
  const chains = await network.chains(from, cometFrom);
  const found = findings(chains, sent.acknowledged, from);
  for (const kind of ["lost", "forks", "twice"] as const) result[kind] += found[kind].length;
  expect(found).toEqual({ lost: [], forks: [], twice: [] });
  return chains;
}

/** Long runs say where they are. */
function tell({ fault, rounds }: Result, of: number): void {
  if (process.env.CHARTSEAL_FAULT_RESULTS === undefined) return;
  process.stderr.write(`${fault}: ${rounds} of ${of} rounds\n`);
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function writeResult(result: Result): void {
  const folder = process.env.CHARTSEAL_FAULT_RESULTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.fault}.json`), `${JSON.stringify(result, null, 2)}\n`);
}
