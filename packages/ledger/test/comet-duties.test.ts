/**
 * A consortium on real nodes whose validators do their duties: a validator whose key runs on two machines signs twice, and
 * pays for it; one that is away for long is jailed and pays nothing. CometBFT follows, and the chain goes on.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import type { Action } from "../src/actions.ts";
import {
  type ActionKind,
  decodeTransaction,
  entries,
  exportLine,
  fromBytes,
  isCometCommit,
  type Ledger,
  ledgerRules,
  type Submitted,
  type ValidatorValue,
  verifyChain,
} from "../src/index.ts";
import { defaultStakeParameters } from "../src/rules/stake-parameters.ts";
import { validatorsInForce } from "../src/rules/validators.ts";
import { encodeTransaction } from "../src/transaction.ts";
import { CometNetwork } from "./comet-network.ts";
import { admissionsOf, stakeWorld, validators } from "./stake-world.ts";
import type { Identity, World } from "./world.ts";

const hourMs = 3_600_000;

async function consortium(stakes: readonly number[]) {
  const world = await stakeWorld(stakes);
  const rules = ledgerRules(world.pairing, world.genesis);
  const all = validatorsInForce(world.state).map((one) => ({ ...one, seed: identityOf(one.publicKey).seed }));
  return { world, rules, all };
}

function identityOf(publicKey: Uint8Array): Identity {
  return validators.find((one) => toHex(one.publicKey) === toHex(publicKey))!;
}

async function bodyOf(world: World, ledger: Ledger, action: Action): Promise<Uint8Array> {
  const { height, hash } = await ledger.head();
  const head = height === 0 ? { height, hash: world.chainId } : { height, hash };
  return world.body(action, { head, lastValidMs: Date.now() + hourMs / 2 });
}

/** By a validator's own account: its first transaction. */
async function unbond(world: World, ledger: Ledger, by: Identity, amount: number): Promise<Submitted> {
  const action = { kind: "unbond", validator: by.publicKey, amount } as const;
  return ledger.submit(world.signed(by, action, { body: await bodyOf(world, ledger, action) }));
}

async function validatorAt(ledger: Ledger, { publicKey }: Identity): Promise<ValidatorValue | undefined> {
  const value = await ledger.read(entries.validator.kind, publicKey);
  return value === undefined ? undefined : fromBytes(entries.validator.codec, value);
}

async function jailed(ledger: Ledger, who: Identity): Promise<ValidatorValue> {
  for (let tries = 0; tries < 1_800; tries++) {
    const value = await validatorAt(ledger, who);
    if (value !== undefined && value.jailed !== "no") return value;
    await sleep(100);
  }
  throw new Error("the validator was not jailed");
}

/** Kinds of all transactions of the chain, in order. */
async function kindsOf(ledger: Ledger): Promise<ActionKind[]> {
  const kinds: ActionKind[] = [];
  for await (const block of ledger.blocks(1)) {
    kinds.push(...block.transactions.map((one) => decodeTransaction(one).body.action.kind));
  }
  return kinds;
}

/** The powers behind the last block's commit, and whether this validator's is among them. */
async function powersNow(ledger: Ledger, { publicKey }: Identity) {
  const { height } = await ledger.head();
  const { commit } = (await ledger.block(height))!;
  if (!isCometCommit(commit)) throw new Error("the commit is CometBFT's");
  const keys = commit.validators.map((one) => toHex(one.publicKey));
  return {
    powers: commit.validators.map(({ power }) => power).sort((a, b) => a - b),
    has: keys.includes(toHex(publicKey)),
  };
}

/** What an export shows to a stranger who has the genesis and the head. */
async function strangersReport(world: World, ledger: Ledger) {
  const lines: unknown[] = [];
  for await (const block of ledger.blocks(1)) lines.push(JSON.parse(JSON.stringify(exportLine(block))));
  const rules = ledgerRules(world.pairing, world.genesis);
  return verifyChain({ rules, lines, trusted: await ledger.head() });
}

describeTool("cometbft", "the duties of validators", (program) => {
  it("a key that runs on two machines pays 5 % and is jailed", { timeout: 480_000 }, async () => {
    const { world, rules, all } = await consortium([100, 100, 100, 100]);
    const [twin] = validators;
    const options = { program, rules, validators: all, further: [twin!.seed], duties: true };
    const network = await CometNetwork.make({ ...options, emptyBlocksMs: 100 });
    try {
      await network.allUp();
      const { ledger } = network.members[1]!.opened!;
      const value = await jailed(ledger, twin!);
      expect(value).toMatchObject({ jailed: "equivocation", bonds: [{ amount: 95 }] });
      // Two more blocks of ours: CometBFT follows a change two heights later.
      await unbond(world, ledger, validators[1]!, 1);
      await unbond(world, ledger, validators[2]!, 1);
      expect(await powersNow(ledger, twin!)).toEqual({ powers: [99, 100, 100], has: false });
      const kinds = await kindsOf(ledger);
      expect(kinds.filter((kind) => kind === "equivocation")).toHaveLength(1);
      expect(await strangersReport(world, ledger)).toMatchObject({ ok: true, findings: [] });
      const reports = network.members.flatMap((member) => member.reports);
      expect(reports.filter(({ outcome }) => outcome === "submitted").length).toBeGreaterThan(0);
      expect(network.members.flatMap(({ failures }) => failures)).toEqual([]);
    } finally {
      await network.dispose();
    }
  });

  it("a validator that is away for long is jailed and loses nothing", { timeout: 480_000 }, async () => {
    const { world, rules, all } = await consortium([100, 100, 100, 100, 100]);
    const away = validators[4]!;
    const network = await CometNetwork.make({
      program,
      rules,
      validators: all,
      duties: true,
      emptyBlocksMs: 100,
    });
    try {
      await network.allUp();
      const { ledger } = network.members[0]!.opened!;
      const shorter = { kind: "set-stake-parameters", ...defaultStakeParameters, absenceBlocks: 10 } as const;
      const body = await bodyOf(world, ledger, shorter);
      await ledger.submit(
        encodeTransaction(body, { admissions: admissionsOf(body, validators.slice(0, 5)) }),
      );
      const at = all.findIndex(({ publicKey }) => toHex(publicKey) === toHex(away.publicKey));
      await network.down(at);
      expect(await jailed(ledger, away)).toMatchObject({
        jailed: "absence",
        bonds: [{ amount: 100 }],
        unbonding: [],
      });
      await unbond(world, ledger, validators[1]!, 1);
      await unbond(world, ledger, validators[2]!, 1);
      expect(await powersNow(ledger, away)).toEqual({ powers: [99, 100, 100, 100], has: false });
      expect((await kindsOf(ledger)).filter((kind) => kind === "jail-absent")).toHaveLength(1);
      expect(await strangersReport(world, ledger)).toMatchObject({ ok: true, findings: [] });
      expect(network.members.flatMap(({ failures }) => failures)).toEqual([]);
    } finally {
      await network.dispose();
    }
  });
});
