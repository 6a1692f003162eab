/** Weight as its holders move it, over an embedded ledger with five validators, and what a reader sees of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519KeyPairFromSeed, loadPairing, sha256, toHex, utf8 } from "@chartseal/crypto";
import {
  type Action,
  accountOf,
  defaultParameters,
  defaultStakeParameters,
  encodeGenesis,
  encodeTransaction,
  type Ledger,
  ledgerRules,
} from "@chartseal/ledger";
import { openEmbedded } from "@chartseal/ledger/embedded";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  accountWriter,
  admissionsOf,
  currentBody,
  readConsortium,
  StakeHolder,
  validatorsOf,
} from "../src/index.ts";

const seeds = ["one", "two", "three", "four", "five"].map((name) => sha256(utf8(`validator ${name}`)));
const keys = seeds.map((seed) => ed25519KeyPairFromSeed(seed).publicKey);
const operators = seeds.map((seed, at) => ({ seed, account: accountOf(keys[at]!) }));
const [one, two] = operators as unknown as [(typeof operators)[0], (typeof operators)[0]];
const [keyOne, keyTwo] = keys as unknown as [Uint8Array, Uint8Array];

let folder: string;
let ledger: Ledger;
let nowMs: number;
const surroundings = () => ({ ledger, now: () => nowMs });
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "chartseal-stake-"));
  nowMs = 1_760_000_000_000;
  const pairing = await loadPairing();
  const create = encodeGenesis({
    name: "test",
    createdMs: nowMs,
    parameters: defaultParameters,
    validators: keys.map((publicKey) => ({ publicKey, stake: 10 })),
    providers: [],
    nodes: [keyOne],
    threshold: 1,
  });
  const rulesOf = (bytes: Uint8Array) => ledgerRules(pairing, bytes);
  const now = () => nowMs;
  ledger = await openEmbedded({
    directory: folder,
    rulesOf,
    proposerSeed: seeds[0]!,
    now,
    create,
    waitMs: 0,
  });
});
afterEach(async () => {
  await ledger.close();
  rmSync(folder, { recursive: true, force: true });
});

const holder = (who: (typeof operators)[0]): StakeHolder =>
  new StakeHolder(surroundings(), accountWriter(surroundings(), who));
const refused = (code: string, refusalName: string) =>
  expect.objectContaining({ code, data: expect.objectContaining({ refusalName }) });
const sharesOf = async () => (await readConsortium(surroundings())).validators;

/** By the votes of all. */
async function voted(action: Action): Promise<void> {
  const body = await currentBody(surroundings(), action);
  await ledger.submit(encodeTransaction(body, { admissions: await admissionsOf(seeds, body) }));
}

test("weight is bonded, delegated, unbonded and free again after the delay, and everybody sees where it is", async () => {
  await voted({ kind: "assign-weight", account: one.account, weight: 9 });
  const bonded = await holder(one).bond({ validator: keyOne, amount: 4 });
  expect(bonded.held).toEqual({ free: 5, bonded: 14, unbonding: [] });
  const delegated = await holder(one).delegate({ validator: keyTwo, amount: 2 });
  expect(delegated.held).toEqual({ free: 3, bonded: 2, unbonding: [] });
  expect((await validatorsOf(surroundings(), one.account)).map(({ publicKey }) => toHex(publicKey))).toEqual([
    toHex(keyOne),
    toHex(keyTwo),
  ]);
  const unbonded = await holder(one).unbond({ validator: keyTwo, amount: 2 });
  const releaseMs = nowMs + defaultStakeParameters.unbondingMs;
  expect(unbonded.held).toEqual({ free: 3, bonded: 0, unbonding: [{ amount: 2, releaseMs }] });
  const [first, second] = await sharesOf();
  expect(first).toMatchObject({ power: 14, bonded: 14, free: 3, unbonding: [], unjailFromMs: null });
  expect(second).toMatchObject({
    power: 10,
    free: 0,
    bonds: [{ account: two.account, amount: 10 }],
    unbonding: [{ account: one.account, amount: 2, releaseMs }],
  });
  nowMs = releaseMs - 1;
  await expect(holder(one).withdraw(keyTwo)).rejects.toThrow(refused("transaction-refused", "stake-waiting"));
  nowMs = releaseMs;
  expect((await holder(one).withdraw(keyTwo)).held).toEqual({ free: 5, bonded: 0, unbonding: [] });
  expect(await validatorsOf(surroundings(), one.account)).toHaveLength(1);
});

test("an operator bonds to its own validator alone, and others delegate, no more than they have", async () => {
  await voted({ kind: "assign-weight", account: one.account, weight: 3 });
  const own = { validator: keyOne, amount: 1 };
  const other = { validator: keyTwo, amount: 1 };
  await expect(holder(one).bond(other)).rejects.toThrow(refused("input-invalid", "stake-holder"));
  await expect(holder(one).delegate(own)).rejects.toThrow(refused("input-invalid", "stake-holder"));
  await expect(holder(one).bond({ ...own, amount: 4 })).rejects.toThrow(
    refused("input-invalid", "stake-amount"),
  );
  await expect(holder(two).bond(other)).rejects.toThrow(refused("input-invalid", "stake-amount"));
  await expect(holder(one).unbond(other)).rejects.toThrow(refused("input-invalid", "stake-amount"));
});

test("a validator that was absent comes back by its operator, when its time is over", async () => {
  await expect(holder(two).unjail(keyTwo)).rejects.toThrow(refused("transaction-refused", "jail-stands"));
  await voted({ kind: "jail-absent", validator: keyTwo, fromHeight: 1, toHeight: 2_000, missed: 2_000 });
  const unjailFromMs = nowMs + defaultStakeParameters.jailMs;
  expect((await sharesOf())[1]).toMatchObject({ power: 0, bonded: 10, jailed: "absence", unjailFromMs });
  nowMs = unjailFromMs - 1;
  await expect(holder(two).unjail(keyTwo)).rejects.toThrow(refused("transaction-refused", "jail-stands"));
  nowMs = unjailFromMs;
  await expect(holder(one).unjail(keyTwo)).rejects.toThrow(refused("input-invalid", "stake-holder"));
  expect((await holder(two).unjail(keyTwo)).held).toEqual({ free: 0, bonded: 10, unbonding: [] });
  expect((await sharesOf())[1]).toMatchObject({ power: 10, jailed: "no", unjailFromMs: null });
});
