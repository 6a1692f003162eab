/**
 * Ten thousand random transactions under the ledger's own rules through the embedded engine, from a seed, with crashes
 * before, inside and after commits and between them. Beside it the same rules run over a plain map, which knows no tree,
 * no store and no crash: each transaction must be taken or refused by both, by the same refusal; what failed is there
 * whole or not at all; and at the end both have the same state, the same records and a chain that replays.
 */
import { fromHex, toHex } from "@chartseal/crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { seeded } from "../../../test/seeded.ts";
import {
  type CommitStage,
  type EmbeddedLedger,
  openEmbedded,
  verifyEmbedded,
} from "../src/embedded/index.ts";
import { ledgerRules } from "../src/index.ts";
import { decodeTransaction } from "../src/transaction.ts";
import { ChainWorld } from "./chain-world.ts";
import { makeHome } from "./embedded-home.ts";
import { naiveRoot } from "./naive-tree.ts";
import { RandomActions } from "./random-actions.ts";
import { service } from "./world.ts";

const count = fuzzRounds(10_000, 1 / 10);
const batchMax = 120;

class Crash extends Error {}

class Simulation {
  readonly world: ChainWorld;
  readonly random: () => number;
  readonly actions: RandomActions;
  readonly crashes = { "before-transaction": 0, "inside-transaction": 0, "after-commit": 0 };
  /** How often each refusal was met. */
  readonly refusals = new Map<string, number>();
  taken = 0;
  isArmed = false;
  ledger!: EmbeddedLedger;
  readonly #directory: string;

  constructor(world: ChainWorld, directory: string, seed: number) {
    this.world = world;
    this.random = seeded(seed);
    this.actions = new RandomActions(world, this.random);
    this.#directory = directory;
  }

  async open(create?: Uint8Array): Promise<void> {
    const { pairing } = this.world;
    this.ledger = await openEmbedded({
      directory: this.#directory,
      rulesOf: (genesis) => ledgerRules(pairing, genesis),
      proposerSeed: service.seed,
      now: () => this.world.timestampMs,
      waitMs: 0,
      stage: (stage) => this.#stage(stage),
      ...(create === undefined ? {} : { create }),
    });
  }

  #stage(stage: CommitStage): void {
    if (!this.isArmed || this.random() > 0.04) return;
    this.crashes[stage]++;
    throw new Crash(stage);
  }

  async reopen(): Promise<void> {
    await this.ledger.close();
    await this.open();
  }

  /** The consortium's first blocks come out of the engine with the hashes that the machine alone gave them. */
  async replaySetUp(): Promise<void> {
    const end = this.world.timestampMs;
    for (const { transactions, timestampMs, hash } of this.world.made) {
      this.world.timestampMs = timestampMs;
      const { blockHash } = await this.ledger.submit(transactions[0]!);
      expect(blockHash).toEqual(hash);
    }
    this.world.timestampMs = end;
  }

  /** One batch of concurrent submits; a crash leaves it in the chain whole, or not at all. */
  async batch(size: number): Promise<void> {
    const { world } = this;
    const before = new Map(world.state.values);
    const offered = Array.from({ length: size }, () => {
      const transaction = this.actions.next();
      return { transaction, refusal: world.judge(transaction) };
    });
    this.isArmed = true;
    const results = await Promise.allSettled(
      offered.map(({ transaction }) => this.ledger.submit(transaction)),
    );
    this.isArmed = false;
    const crashed = results.some((result) => result.status === "rejected" && result.reason instanceof Crash);
    if (crashed) await this.reopen();
    const { height, hash } = await this.ledger.head();
    if (height === world.height) {
      const applied = offered.filter(({ refusal }) => refusal === undefined);
      if (!crashed) expect(applied).toEqual([]);
      for (const { transaction } of applied) expect(await this.holds(transaction)).toBe(false);
      world.restore(before);
      return;
    }
    expect(height).toBe(world.height + 1);
    for (const [at, { transaction, refusal }] of offered.entries()) {
      if (crashed) {
        if (refusal === undefined) expect(await this.holds(transaction)).toBe(true);
      } else expect(refusalOf(results[at]!)).toBe(refusal);
      if (refusal === undefined) this.taken++;
      else this.refusals.set(refusal, (this.refusals.get(refusal) ?? 0) + 1);
    }
    world.close(
      offered.filter(({ refusal }) => refusal === undefined).map(({ transaction }) => transaction),
      hash,
    );
  }

  async holds(transaction: Uint8Array): Promise<boolean> {
    const { identifier } = decodeTransaction(transaction);
    const found = await this.ledger.transaction(identifier);
    return found !== undefined && toHex(found.bytes) === toHex(transaction);
  }
}

function refusalOf(result: PromiseSettledResult<unknown>): string | undefined {
  if (result.status === "fulfilled") return undefined;
  const { data } = result.reason as { readonly data?: { readonly name?: string } };
  return data?.name ?? String(result.reason);
}

let directory: string;
let remove: () => void;
beforeEach(() => {
  ({ directory, remove } = makeHome());
});
afterEach(() => remove());

describe("a simulation under the ledger's own rules", () => {
  it(
    `of ${count} random transactions with crashes ends in the state that a plain map has`,
    async () => {
      const world = await ChainWorld.build();
      const simulation = new Simulation(world, directory, 20_261_125);
      await simulation.open(world.genesis);
      await simulation.replaySetUp();
      const setUp = world.made.length;
      for (let done = 0; done < count; ) {
        const size = 1 + Math.floor(simulation.random() * batchMax);
        await simulation.batch(size);
        done += size;
        if (simulation.random() < 0.1) await simulation.reopen();
      }
      const { ledger } = simulation;
      const { stateRoot, height } = await ledger.head();
      const entries = [...world.state.values]
        .filter(([key]) => key !== `0 ${toHex(heightKey(height))}`)
        .map(([key, value]) => {
          const [kind = "", hex = ""] = key.split(" ");
          return { kind: Number(kind), key: fromHex(hex), value };
        });
      expect(toHex(naiveRoot(entries))).toBe(toHex(stateRoot));
      const chain: string[] = [];
      for await (const block of ledger.blocks(setUp + 1)) chain.push(...block.transactions.map(toHex));
      expect(chain).toEqual(world.made.slice(setUp).flatMap(({ transactions }) => transactions.map(toHex)));
      expect(chain.length).toBe(simulation.taken);
      await ledger.close();
      const rulesOf = (genesis: Uint8Array) => ledgerRules(world.pairing, genesis);
      const report = await verifyEmbedded({ directory, rulesOf });
      expect(report).toMatchObject({ ok: true, transactions: setUp + chain.length, findings: [] });
      for (const crashes of Object.values(simulation.crashes)) expect(crashes).toBeGreaterThan(0);
      // What is drawn must reach the rules and not only be turned away, and must be turned away for many reasons.
      expect(simulation.taken).toBeGreaterThan(count / 4);
      expect(simulation.refusals.size).toBeGreaterThan(12);
    },
    fuzzTimeoutMs(count),
  );
});

/** The key of a block's hash in the state, kind 0: the machine writes it at the start of the block after. */
function heightKey(height: number): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, BigInt(height));
  return key;
}
