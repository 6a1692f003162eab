/**
 * Validators that change on the ledger, under CometBFT's commits: the updates that an engine hands on, and the commits that a
 * stranger follows through them.
 */
import { loadPairing, toHex, u64 } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import type { Action } from "../src/actions.ts";
import { signAsAccount } from "../src/authorisation.ts";
import { type Block, type Head, headOf } from "../src/block.ts";
import { exportLine, verifyChain } from "../src/chain-check.ts";
import type { StakedValidator } from "../src/commit.ts";
import { ledgerRules } from "../src/ledger-rules.ts";
import { cometChainId } from "../src/light/types.ts";
import { type ExecutedBlock, executeBlock, genesisHead, type Rules, stateAt } from "../src/machine.ts";
import { entries, load } from "../src/state-kinds.ts";
import { MemoryNodes } from "../src/state-tree.ts";
import { encodeBody, encodeTransaction } from "../src/transaction.ts";
import { type CometKey, lightBlock } from "./comet-fixture.ts";
import { admissionsOf, validators } from "./stake-world.ts";
import { type Identity, startMs } from "./world.ts";
import { genesisBytes } from "./world-build.ts";

const [one, , , four, five] = validators as unknown as [Identity, Identity, Identity, Identity, Identity];
const genesis = genesisBytes({
  validators: validators.slice(0, 4).map(({ publicKey }) => ({ publicKey, stake: 10 })),
});

/** A chain that remembers its validators as CometBFT does. */
class Chain {
  readonly rules: Rules;
  readonly blocks: (Block & Pick<ExecutedBlock, "validatorUpdates">)[] = [];
  readonly #nodes = new MemoryNodes();
  #head: Head;
  #sequences = new Map<string, number>();
  set: readonly CometKey[] = validators.slice(0, 4).map((identity) => ({ ...identity, power: 10 }));

  constructor(rules: Rules) {
    this.rules = rules;
    const { head, update } = genesisHead(rules);
    this.#nodes.add(update.added);
    this.#head = head;
  }

  body(action: Action): Uint8Array {
    const { height, hash, timestampMs } = this.#head;
    const head = height === 0 ? { height, hash: this.rules.chainId } : { height, hash };
    const lastValidMs = timestampMs + 600_000;
    return encodeBody({ chainId: this.rules.chainId, era: 0, lastValidMs, head, action });
  }

  by(who: Identity, action: Action): Uint8Array {
    const body = this.body(action);
    const sequence = this.#sequences.get(toHex(who.account)) ?? 0;
    this.#sequences.set(toHex(who.account), sequence + 1);
    return encodeTransaction(body, { account: signAsAccount({ seed: who.seed, sequence, body }) });
  }

  admitted(by: readonly Identity[], action: Action): Uint8Array {
    const body = this.body(action);
    return encodeTransaction(body, { admissions: admissionsOf(body, by) });
  }

  /** A block of these, with the commit that CometBFT makes of it. */
  add(proposer: Identity, ...transactions: readonly Uint8Array[]): readonly StakedValidator[] {
    const { rules } = this;
    const timestampMs = this.#head.timestampMs + 1_000;
    const input = { nodes: this.#nodes, previous: this.#head, rules, timestampMs, transactions };
    const made = executeBlock({ ...input, proposer: proposer.publicKey });
    this.#nodes.add(made.update.added);
    this.#head = headOf(made);
    const next = this.#follow(made.validatorUpdates);
    const height = 2 * made.header.height + 3;
    const seconds = Math.floor(startMs / 1000) + height;
    const chainId = cometChainId(toHex(rules.chainId));
    const commit = lightBlock({ chainId, height, seconds, validators: this.set, next, appHash: made.hash });
    this.set = next;
    this.blocks.push({ ...made, commit });
    return made.validatorUpdates;
  }

  #follow(updates: readonly StakedValidator[]): readonly CometKey[] {
    const powers = new Map(this.set.map(({ publicKey, power }) => [toHex(publicKey), power]));
    for (const { publicKey, stake } of updates) powers.set(toHex(publicKey), stake);
    return validators.flatMap((identity): CometKey[] => {
      const power = powers.get(toHex(identity.publicKey)) ?? 0;
      return power > 0 ? [{ ...identity, power }] : [];
    });
  }

  state() {
    return stateAt(this.#nodes, this.#head);
  }
}

let rules: Rules;
beforeAll(async () => {
  rules = ledgerRules(await loadPairing(), genesis);
});

function grown(): Chain {
  const chain = new Chain(rules);
  const admit = {
    kind: "admit-validator",
    publicKey: five.publicKey,
    operator: five.account,
    weight: 12,
  } as const;
  expect(chain.add(one, chain.admitted(validators.slice(0, 3), admit))).toEqual([
    { publicKey: five.publicKey, stake: 12 },
  ]);
  const remove = { kind: "remove-validator", publicKey: four.publicKey } as const;
  const updates = chain.add(
    five,
    chain.admitted([validators[0]!, validators[1]!, validators[2]!, five], remove),
  );
  expect(updates).toEqual([{ publicKey: four.publicKey, stake: 0 }]);
  // CometBFT follows two heights later: the one that is leaving still proposes the block after.
  const unbond = chain.by(one, { kind: "unbond", validator: one.publicKey, amount: 1 });
  expect(chain.add(four, unbond)).toEqual([{ publicKey: one.publicKey, stake: 9 }]);
  expect(chain.add(one)).toEqual([]);
  return chain;
}

const check = (blocks: readonly Block[]) =>
  verifyChain({ rules, lines: blocks.map((block) => JSON.parse(JSON.stringify(exportLine(block)))) });

test("a stranger follows the commits through every change of the validators", async () => {
  const { blocks } = grown();
  expect((await check(blocks)).findings).toEqual([]);
});

test("a block that hides a change from CometBFT, or makes one up, is found at its commit", async () => {
  const { blocks } = grown();
  const [, , third] = blocks as unknown as [Block, Block, Block];
  // The commit of the block before, as if nothing had changed.
  const hidden = blocks.map((block) =>
    block === third ? { ...third, commit: lightBlockOf(third, blocks[0] as Block) } : block,
  );
  const report = await check(hidden);
  expect(report.findings.map(({ height, field }) => `${height} ${field}`)).toContain("3 commit");
});

/** A commit for this block by validators of an earlier one, who have stayed as they were. */
function lightBlockOf(block: Block, earlier: Block) {
  const keys = validators.slice(0, 4).map((identity) => ({ ...identity, power: 10 }));
  expect(earlier.header.height).toBe(1);
  return lightBlock({
    chainId: cometChainId(toHex(rules.chainId)),
    height: 9,
    seconds: Math.floor(startMs / 1000) + 9,
    validators: keys,
    appHash: block.hash,
  });
}

test("whoever left before the change before proposes no more", () => {
  const chain = grown();
  expect(() => chain.add(four)).toThrow(expect.objectContaining({ code: "chain-altered" }));
  expect(load(chain.state(), entries.validator, four.publicKey)?.jailed).toBe("left");
  expect(chain.state().get(0, u64(1))).toEqual(chain.blocks[0]!.hash);
});
