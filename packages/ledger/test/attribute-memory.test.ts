/** A node verifies an attribute-based signature once: when it comes in, not again where it waits, is proposed and decided. */
import { countingPairing, loadPairing } from "@chartseal/crypto";
import { expect, test } from "vitest";
import { ClaimMemory } from "../src/attribute-batch.ts";
import { ledgerRules } from "../src/index.ts";
import { Overlay } from "../src/state.ts";
import { doctor, hospital, service } from "./world.ts";
import { builtWorld } from "./world-build.ts";

const both = ["cardiologist@cedars", "physician@cedars"];

test("what was verified is not verified again, and a claim that changed is", async () => {
  const world = await builtWorld();
  const { pairing, counts, reset } = countingPairing(await loadPairing());
  const rules = ledgerRules(pairing, world.genesis);
  const position = () => ({
    height: world.height + 1,
    timestampMs: world.timestampMs,
    proposer: service.publicKey,
  });
  const bytes = world.authorDeposit("record", world.signingKeys(doctor, both));
  const cost = (work: () => unknown) => {
    reset();
    work();
    return counts().P;
  };
  const once = () => rules.apply(new Overlay(world.state), position(), bytes);
  expect(cost(once)).toBeGreaterThan(0);
  expect(cost(once)).toBe(0);
  expect(cost(() => rules.prepare!(new Overlay(world.state), position(), [bytes]))).toBe(0);

  // Another node, whose first sight of it is a proposal: verified in the batch and not again.
  const other = ledgerRules(pairing, world.genesis);
  let prepared = rules.apply;
  const state = new Overlay(world.state);
  expect(cost(() => (prepared = other.prepare!(state, position(), [bytes])))).toBeGreaterThan(0);
  expect(cost(() => prepared(new Overlay(world.state), position(), bytes))).toBe(0);
  expect(cost(() => other.apply(new Overlay(world.state), position(), bytes))).toBe(0);

  // The doctor lost an attribute since: another claim, which is looked at and fails, each time.
  const { account } = doctor;
  world.do(hospital, { kind: "revoke", namespace: "cedars", account, attributes: ["physician@cedars"] });
  for (let i = 0; i < 2; i++) {
    const refused = () => expect(once).toThrow(expect.objectContaining({ code: "transaction-refused" }));
    expect(cost(refused)).toBeGreaterThan(0);
  }
});

test("the memory keeps the newest and no more than twice its size", () => {
  const memory = new ClaimMemory(3);
  for (let i = 0; i < 10; i++) memory.learn(String(i));
  expect(Array.from({ length: 10 }, (_, i) => memory.has(String(i)))).toEqual([
    ...Array(6).fill(false),
    ...Array(4).fill(true),
  ]);
});
