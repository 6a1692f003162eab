/** A hospital's registration by vote, over an embedded ledger with five validators: begun, broken off, gone on with. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ed25519KeyPairFromSeed,
  loadPairing,
  type NamespaceSecret,
  sha256,
  toHex,
  utf8,
} from "@chartseal/crypto";
import { defaultParameters, encodeGenesis, type Ledger, ledgerRules } from "@chartseal/ledger";
import { openEmbedded } from "@chartseal/ledger/embedded";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  generateCommitteeKeys,
  type Identity,
  identityOf,
  listNamespaces,
  newIdentitySeeds,
  Operator,
  operatorWriter,
  proposeNamespace,
  readConsortium,
  registerProposed,
  type Surroundings,
} from "../src/index.ts";
import { newNamespace } from "../src/namespace.ts";

const seeds = ["one", "two", "three", "four", "five"].map((name) => sha256(utf8(`validator ${name}`)));
const keys = seeds.map((seed) => ed25519KeyPairFromSeed(seed).publicKey);

let folder: string;
let ledger: Ledger;
let nowMs: number;
let surroundings: Surroundings;
let identity: Identity;
let operators: Operator[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "chartseal-vote-"));
  nowMs = 1_760_000_000_000;
  const pairing = await loadPairing();
  const node = { ...(await identityOf(newIdentitySeeds())), index: 1 };
  const create = encodeGenesis({
    name: "test",
    createdMs: nowMs,
    parameters: defaultParameters,
    validators: keys.map((publicKey) => ({ publicKey, stake: 10 })),
    providers: [],
    nodes: [node.publicKey],
    threshold: 1,
  });
  const rulesOf = (genesis: Uint8Array) => ledgerRules(pairing, genesis);
  ledger = await openEmbedded({
    directory: folder,
    rulesOf,
    proposerSeed: seeds[0]!,
    now: () => nowMs,
    create,
  });
  surroundings = { pairing, ledger, now: () => nowMs };
  await generateCommitteeKeys(surroundings, { identities: [node] });
  operators = seeds.map((seed) => new Operator(surroundings, operatorWriter(surroundings, seed)));
  identity = await identityOf(newIdentitySeeds());
});
afterEach(async () => {
  await ledger.close();
  rmSync(folder, { recursive: true, force: true });
});

const again = () => registerProposed(surroundings, { name: "oak", identity, operator: operators[0]! });

async function propose(): Promise<{ id: Uint8Array; secrets: NamespaceSecret[] }> {
  const secrets: NamespaceSecret[] = [];
  const made = await proposeNamespace(surroundings, {
    name: "oak",
    identity,
    operator: operators[0]!,
    saved: async (secret) => void secrets.push(secret),
  });
  if (made.registered) throw new Error("one of five is not enough");
  return { id: made.proposalId, secrets };
}

test("waits with its own vote cast, however often it is asked, and is done with more than two thirds", async () => {
  const { id, secrets } = await propose();
  expect(secrets).toHaveLength(1);
  for (let times = 0; times < 2; times++)
    expect(await again()).toEqual({ registered: false, proposalId: id });
  const { proposals } = await readConsortium(surroundings);
  expect(proposals.map(({ inFavour, all }) => [inFavour, all])).toEqual([[10, 50]]);
  for (const operator of operators.slice(1, 3)) await operator.vote(id, true);
  // Thirty of fifty are not more than two thirds.
  expect(await again()).toEqual({ registered: false, proposalId: id });
  await operators[3]!.vote(id, true);
  expect(await again()).toEqual({ registered: true });
  expect(await listNamespaces(ledger)).toEqual(["oak"]);
});

test("casts the vote that a broken attempt did not come to", async () => {
  const { action } = await newNamespace(surroundings, { name: "oak", identity, saved: async () => {} });
  const { identifier } = await operators[0]!.propose(action, { note: "begun", forMs: 86_400_000 });
  expect(await again()).toEqual({ registered: false, proposalId: identifier });
  expect((await readConsortium(surroundings)).proposals[0]!.inFavour).toBe(10);
});

test("goes on where another executed it, and begins anew where it lapsed", async () => {
  const { id } = await propose();
  for (const operator of operators.slice(1, 4)) await operator.vote(id, true);
  await operators[1]!.execute(id);
  expect(await again()).toEqual({ registered: true });
  const late = { name: "elm", identity: await identityOf(newIdentitySeeds()), operator: operators[0]! };
  await proposeNamespace(surroundings, { ...late, saved: async () => {} });
  nowMs += 8 * 86_400_000;
  expect(await registerProposed(surroundings, late)).toBeUndefined();
});

test("an earlier attempt's secret is registered again, not another", async () => {
  const { secrets } = await propose();
  const [secret] = secrets as [NamespaceSecret];
  const made = await newNamespace(surroundings, { name: "oak", identity, secret, saved: async () => {} });
  const first = (await readConsortium(surroundings)).proposals[0]!.action;
  expect(first.kind === "register-namespace" && toHex(first.lists)).toBe(toHex(made.action.lists));
  expect(made.secret).toBe(secret);
});
