/**
 * Ten thousand random transactions through the embedded engine, from a seed, with crashes before, inside and after
 * commits and between them, beside a model that is a plain map: what was acknowledged is there, what was refused is not,
 * what failed is there whole or not at all, and the whole chain replays.
 */

import { sha256 } from "@chartseal/crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { seeded } from "../../../test/seeded.ts";
import { type CommitStage, type EmbeddedLedger, verifyEmbedded } from "../src/embedded/index.ts";
import { createToy, makeHome, openToy } from "./embedded-home.ts";
import {
  accountKey,
  balanceKind,
  balanceOf,
  seenKind,
  type ToyAction,
  toyRules,
  toyTransaction,
} from "./toy-rules.ts";

const count = fuzzRounds(10_000, 1 / 10);
const accounts = 200;

class Crash extends Error {}

class Simulation {
  readonly random: () => number;
  readonly directory: string;
  readonly balances = new Map<number, number>();
  readonly taken: { transaction: Uint8Array; action: ToyAction }[] = [];
  readonly crashes = { "before-transaction": 0, "inside-transaction": 0, "after-commit": 0 };
  ledger: EmbeddedLedger | undefined;
  #nonce = 0;

  constructor(seed: number, directory: string) {
    this.random = seeded(seed);
    this.directory = directory;
  }

  readonly stage = (stage: CommitStage): void => {
    if (this.random() > 0.04) return;
    this.crashes[stage]++;
    throw new Crash(stage);
  };

  action(): ToyAction {
    const account = Math.floor(this.random() * accounts);
    const choice = this.random();
    if (choice < 0.05) return ["drop", account];
    return [choice < 0.6 ? "give" : "take", account, Math.floor(this.random() * 20)];
  }

  /** What the rules should say, and then do. */
  applies([verb, account, amount]: ToyAction): boolean {
    const balance = this.balances.get(account) ?? 0;
    if (verb === "take" && balance < Number(amount)) return false;
    if (verb === "drop") this.balances.delete(account);
    else this.balances.set(account, verb === "give" ? balance + Number(amount) : balance - Number(amount));
    return true;
  }

  /** One batch of concurrent submits; a crash leaves it in the chain whole, or not at all. */
  async batch(size: number): Promise<void> {
    const ledger = this.ledger!;
    const before = await ledger.head();
    const offered = Array.from({ length: size }, () => {
      const action = this.action();
      return { action, transaction: toyTransaction(this.#nonce++, action) };
    });
    const results = await Promise.allSettled(offered.map(({ transaction }) => ledger.submit(transaction)));
    const crashed = results.some((result) => result.status === "rejected" && result.reason instanceof Crash);
    if (crashed) await this.reopen();
    const after = await this.ledger!.head();
    if (crashed && after.height === before.height) {
      for (const { transaction } of offered) {
        expect(await this.holds(transaction)).toBe(false);
      }
      return;
    }
    for (const [i, one] of offered.entries()) {
      const applied = this.applies(one.action);
      if (applied) this.taken.push(one);
      if (crashed) expect(await this.holds(one.transaction)).toBe(applied);
      else expect(results[i]!.status).toBe(applied ? "fulfilled" : "rejected");
    }
  }

  async holds(transaction: Uint8Array): Promise<boolean> {
    return (await this.ledger!.read(seenKind, sha256(transaction))) !== undefined;
  }

  async reopen(): Promise<void> {
    await this.ledger?.close();
    this.ledger = await openToy(this.directory, { stage: this.stage });
  }
}

let directory: string;
let remove: () => void;
beforeEach(() => {
  ({ directory, remove } = makeHome());
});
afterEach(() => remove());

describe("a simulation", () => {
  it(`of ${count} random transactions with crashes ends in the state that a model has`, {
    timeout: fuzzTimeoutMs(count),
  }, async () => {
    const simulation = new Simulation(20_260_923, directory);
    simulation.ledger = await createToy(directory, { stage: simulation.stage });
    for (let done = 0; done < count; ) {
      const size = 1 + Math.floor(simulation.random() * 250);
      await simulation.batch(size);
      done += size;
      if (simulation.random() < 0.1) await simulation.reopen();
    }
    const ledger = simulation.ledger;
    for (let account = 0; account < accounts; account++) {
      const balance = balanceOf(await ledger.read(balanceKind, accountKey(account)));
      expect(balance).toBe(simulation.balances.get(account) ?? 0);
    }
    const chain: Uint8Array[] = [];
    for await (const block of ledger.blocks(1)) chain.push(...block.transactions);
    expect(chain).toEqual(simulation.taken.map(({ transaction }) => transaction));
    await ledger.close();
    const report = await verifyEmbedded({ directory, rulesOf: toyRules });
    expect(report).toMatchObject({ ok: true, transactions: chain.length, findings: [] });
    for (const crashes of Object.values(simulation.crashes)) expect(crashes).toBeGreaterThan(0);
  });
});
