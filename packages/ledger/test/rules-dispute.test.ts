/** A dispute about a transform on the ledger: t equal verdicts settle it, and the disputed key is dead in that block. */
import { beforeAll, expect, test } from "vitest";
import { disputeAnswerMs } from "../src/dispute-values.ts";
import { outcomes } from "../src/rules/records.ts";
import { emptyKey, entries, items, lists, load, logKey } from "../src/state-kinds.ts";
import {
  claimOf,
  disputed,
  disputedKeyId,
  evidenceOf,
  openingOf,
  transformed,
  verdictOf,
} from "./refusals/disputes.ts";
import { doctor, hospital, nodes, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const disputeIn = (w: World, disputeId: Uint8Array) => load(w.state, entries.dispute, disputeId)!;
function both(w: World): Uint8Array {
  const disputeId = disputed(w);
  w.do(service, openingOf(disputeId));
  w.do(doctor, evidenceOf(disputeId));
  return disputeId;
}

test("t equal verdicts settle it, and the key that the judges saw is retired in the same block", () => {
  const world = base.fork();
  const disputeId = both(world);
  expect(items(world.state, lists.disputes, emptyKey)).toEqual([disputeId]);
  world.do(nodes[2]!, verdictOf(world, disputeId, "sealer"));
  expect(disputeIn(world, disputeId).outcome).toBeNull();
  expect(load(world.state, entries.liveKey, doctor.account)?.keyId).toEqual(disputedKeyId);
  world.do(nodes[0]!, verdictOf(world, disputeId, "sealer"));
  const { outcome, endedHeight, recordId } = disputeIn(world, disputeId);
  expect([outcome, endedHeight]).toEqual(["sealer", world.height]);
  expect(load(world.state, entries.liveKey, doctor.account)).toBeUndefined();
  expect(load(world.state, entries.key, disputedKeyId)?.retiredHeight).toBe(world.height);
  expect(load(world.state, entries.spoiledHeader, recordId)?.disputeId).toEqual(disputeId);
  const { logCount } = load(world.state, entries.record, recordId)!;
  const log = Array.from(
    { length: logCount },
    (_, at) => load(world.state, entries.log, logKey(recordId, at))!,
  );
  expect(log.slice(-2).map((one) => one.outcome)).toEqual([outcomes.contested, outcomes.judged]);
});

test("a node that judges otherwise stands alone, by its name; the others prevail", () => {
  const world = base.fork();
  const disputeId = both(world);
  world.do(nodes[1]!, verdictOf(world, disputeId, "reader"));
  world.do(nodes[0]!, verdictOf(world, disputeId, "provider"));
  expect(disputeIn(world, disputeId).outcome).toBeNull();
  world.do(nodes[2]!, verdictOf(world, disputeId, "provider"));
  const dispute = disputeIn(world, disputeId);
  expect(dispute.outcome).toBe("provider");
  expect(dispute.verdicts.find(({ verdict }) => verdict === "reader")?.node).toEqual(nodes[1]!.account);
  expect(load(world.state, entries.spoiledHeader, dispute.recordId)).toBeUndefined();
});

test("a provider that opens nothing is convicted by the end of its day, and no moment earlier", () => {
  const world = base.fork();
  const disputeId = disputed(world);
  const { timestampMs } = disputeIn(world, disputeId);
  const verdict = () => world.signed(nodes[0]!, verdictOf(world, disputeId, "provider"));
  world.timestampMs = timestampMs + disputeAnswerMs;
  expect(world.verdict(verdict())).toBe("verdict-unfounded");
  world.timestampMs++;
  expect(world.verdict(verdict())).toBe("applied");
});

test("a reader that proves nothing is dismissed, and its key is gone all the same", () => {
  const world = base.fork();
  const disputeId = disputed(world);
  world.do(service, openingOf(disputeId));
  world.timestampMs += disputeAnswerMs + 1;
  for (const node of nodes.slice(0, 2)) world.do(node, verdictOf(world, disputeId, "dismissed"));
  expect(disputeIn(world, disputeId).outcome).toBe("dismissed");
  expect(load(world.state, entries.liveKey, doctor.account)).toBeUndefined();
});

/** Otherwise a reader would wait for the provider to delete a key, and convict it for not having it. */
test("a retired key's answer cannot be disputed any more", () => {
  const world = transformed(base.fork());
  const { action } = world.keyRequest(doctor, { label: "next", attributes: ["cardiologist@cedars"] });
  world.do(doctor, action);
  const keyId = new Uint8Array(32).fill(9);
  world.do(service, { kind: "key-issued", requestId: action.requestId, keyId, nodes: [1, 2] });
  expect(world.verdict(world.signed(doctor, claimOf(world)))).toBe("transform-key");
});

/** Its provider deletes the parts of the attributes that ended and keeps the others. */
test("a part that took no part in the answer may be gone: the answer can be disputed", () => {
  const world = transformed(base.fork());
  const claim = claimOf(world, { rows: [0] });
  const { account } = doctor;
  world.do(hospital, { kind: "revoke", namespace: "cedars", account, attributes: ["physician@cedars"] });
  expect(world.verdict(world.signed(doctor, claim))).toBe("applied");
});

test("a key that was issued meanwhile stays: only the one in dispute is retired", () => {
  const world = base.fork();
  const disputeId = both(world);
  const { action } = world.keyRequest(doctor, { label: "next", attributes: ["cardiologist@cedars"] });
  world.do(doctor, action);
  const keyId = new Uint8Array(32).fill(9);
  world.do(service, { kind: "key-issued", requestId: action.requestId, keyId, nodes: [1, 2] });
  for (const node of nodes.slice(0, 2)) world.do(node, verdictOf(world, disputeId, "reader"));
  expect(load(world.state, entries.liveKey, doctor.account)?.keyId).toEqual(keyId);
  expect(load(world.state, entries.key, keyId)?.retiredHeight).toBeNull();
});
