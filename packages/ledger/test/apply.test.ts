/** What apply promises of every transaction: replays, a relay's swaps, order, parts that cannot be taken away. */
import { equalBytes, sha256, toHex, u64, utf8 } from "@chartseal/crypto";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { Action } from "../src/actions.ts";
import { apply } from "../src/apply.ts";
import { verifyAttributeBatch } from "../src/attribute-batch.ts";
import { signAdmission, signAsAccount, signOneTime, signRelay } from "../src/authorisation.ts";
import { demandParts } from "../src/parts.ts";
import { blockKind, Overlay } from "../src/state.ts";
import { entries, load, roles, save, vouchKey } from "../src/state-kinds.ts";
import {
  type Body,
  decodeBody,
  decodeTransaction,
  encodeBody,
  encodeTransaction,
} from "../src/transaction.ts";
import { doctor, hospital, identity, owner, service, stranger, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const alertOf: Action = { kind: "alert", alert: "other", recordId: null, detail: "x" };
const someHash = sha256(utf8("some hash"));

/** Another value of the same shape. */
function changed(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
  if (typeof value === "number") return value + 1;
  if (value === null) return someHash;
  if (Array.isArray(value)) return ["HRESCH"];
  if (value === "cedars") return "birch";
  if (value === "attributes") return "owner";
  if (typeof value === "string" && value.startsWith("objects/")) return "objects/other";
  if (typeof value === "string") return value === "TREAT" ? "HRESCH" : "cardiologist@cedars";
  return Object.fromEntries(Object.entries(value as object).map(([name, one]) => [name, changed(one)]));
}

/** Every body that differs from this one in one field. */
function swaps(body: Body): (readonly [string, Body])[] {
  const { chainId, era, lastValidMs, head, action } = body;
  const around: (readonly [string, Body])[] = [
    ["chain id", { ...body, chainId: changed(chainId) as Uint8Array }],
    ["era", { ...body, era: era + 1 }],
    ["last valid time", { ...body, lastValidMs: lastValidMs - 1 }],
    ["head", { ...body, head: { height: head.height - 1, hash: base.blockHash(head.height - 1) } }],
  ];
  const fields = Object.entries(action).filter(([name]) => name !== "kind");
  return [
    ...around,
    ...fields.map(([name, value]): readonly [string, Body] => {
      return [name, { ...body, action: { ...action, [name]: changed(value) } as Action }];
    }),
  ];
}

test("a relay that changes any field of an anonymous deposit or request is refused, though it signs anew", () => {
  const world = base.fork();
  const deposit = world.authorDeposit("record", world.keys);
  const stored = world.fork();
  stored.submit(deposit);
  const request = stored.attributeRequest("request", {
    recordId: world.oneTime("record").id,
    keys: world.keys,
  });
  for (const [where, bytes] of [
    [world, deposit],
    [stored, request],
  ] as const) {
    expect(where.verdict(bytes)).toBe("applied");
    const { body, authorisation } = decodeTransaction(bytes);
    const { oneTime, attributes, storageReceipt } = authorisation;
    for (const [field, other] of swaps(body)) {
      const bodyBytes = encodeBody(other);
      const content = {
        chainId: world.chainId,
        body: bodyBytes,
        oneTimeSignature: oneTime!.signature,
        attributes: attributes!,
      };
      const relay = signRelay(service.seed, content);
      const forged = encodeTransaction(bodyBytes, { oneTime, attributes, relay, storageReceipt });
      expect(where.verdict(forged), field).not.toBe("applied");
      // Even with a one-time key of the relay's own, which makes the id another.
      const own = { oneTime: signOneTime(identity("relay's").seed, bodyBytes), attributes: attributes! };
      const resigned = signRelay(service.seed, { ...content, oneTimeSignature: own.oneTime.signature });
      const taken = encodeTransaction(bodyBytes, { ...own, relay: resigned, storageReceipt });
      expect(where.verdict(taken), field).not.toBe("applied");
    }
  }
});

test("the id alone stops a relay that puts a one-time key of its own on another's deposit", () => {
  const world = base.fork();
  const { bodyBytes, authorisation } = decodeTransaction(world.authorDeposit("record", world.keys));
  const thief = world.oneTime("thief");
  const parts = world.enveloped(thief, { body: bodyBytes, attributes: authorisation.attributes! });
  const bytes = encodeTransaction(bodyBytes, { ...parts, storageReceipt: authorisation.storageReceipt });
  expect(world.verdict(bytes)).toBe("one-time-invalid");
  // Everything else about it is in order, the attribute-based signature too.
  expect(() => demandParts(decodeTransaction(bytes))).not.toThrow();
  expect(verifyAttributeBatch(world.state, world.context(), [bytes]).size).toBe(1);
});

test("a transaction of another chain, era or account is not this one's", () => {
  const world = base.fork();
  const body = world.body(alertOf);
  const sequence = world.sequence(service.account);
  const other = encodeBody({ ...decodeBody(body), chainId: someHash });
  const account = signAsAccount({ seed: service.seed, sequence, body: other });
  expect(world.verdict(encodeTransaction(body, { account }))).toBe("signature-invalid");
  const era = encodeBody({ ...decodeBody(body), era: 7 });
  const early = signAsAccount({ seed: service.seed, sequence, body: era });
  expect(world.verdict(encodeTransaction(body, { account: early }))).toBe("signature-invalid");
  const next = signAsAccount({ seed: service.seed, sequence: sequence + 1, body });
  expect(world.verdict(encodeTransaction(body, { account: { ...next, sequence } }))).toBe(
    "signature-invalid",
  );
  const right = signAsAccount({ seed: service.seed, sequence, body });
  expect(
    world.verdict(encodeTransaction(body, { account: { ...right, account: hospital.account } })),
  ).not.toBe("applied");
  expect(world.verdict(encodeTransaction(body, { account: right }))).toBe("applied");
});

test("what was signed in an era is worth nothing in the next one", () => {
  const world = base.fork();
  const pending = [
    world.signed(owner, { kind: "revoke-rule", namespace: "cedars" }),
    world.authorDeposit("r", world.keys),
  ];
  for (const bytes of pending) expect(world.verdict(bytes)).toBe("applied");
  raiseEra(world, []);
  for (const bytes of pending) expect(world.verdict(bytes)).toBe("wrong-era");
});

function raiseEra(world: World, tombstones: readonly Uint8Array[]): void {
  const action: Action = { kind: "raise-era", lostHeight: 99, lostHash: someHash, missing: [], tombstones };
  const body = world.body(action);
  world.submit(encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] }));
}

test("lost revocations and erasures are applied again when the era is raised, and those that were not lost are not", () => {
  const world = base.fork();
  world.submit(world.authorDeposit("record", world.keys));
  const recordId = world.oneTime("record").id;
  const { account } = doctor;
  const attributes = ["cardiologist@cedars"];
  const revokeOf: Action = { kind: "revoke", namespace: "cedars", account, attributes };
  const vouchOf: Action = {
    kind: "vouch",
    namespace: "cedars",
    account,
    attributes,
    mode: "transform",
    digest: null,
  };
  const kept = world.signed(hospital, revokeOf);
  world.submit(kept);
  world.do(hospital, vouchOf);
  const backup = world.fork();
  // The tail: an erasure, and a revocation of both attributes.
  const erased = world.signed(owner, { kind: "erase", recordId });
  world.submit(erased);
  const revoked = world.signed(hospital, {
    ...revokeOf,
    attributes: ["cardiologist@cedars", "physician@cedars"],
  });
  world.submit(revoked);
  const fromNobody = backup.signed(identity("lost member"), { kind: "erase", recordId: someHash });
  raiseEra(backup, [kept, erased, revoked, revoked, fromNobody]);
  expect(load(backup.state, entries.record, recordId)?.erasedHeight).toBe(backup.height);
  for (const attribute of ["cardiologist@cedars", "physician@cedars"]) {
    expect(load(backup.state, entries.vouch, vouchKey(account, attribute))?.endedHeight).toBe(backup.height);
  }
  // Without the lost one, the revocation that the backup holds does not undo the later vouch.
  const other = base.fork();
  const first = other.signed(hospital, revokeOf);
  other.submit(first);
  other.do(hospital, vouchOf);
  raiseEra(other, [first]);
  expect(load(other.state, entries.vouch, vouchKey(account, attributes[0]!))?.endedHeight).toBeNull();
});

test("a tombstone is a signed revocation or erasure of this chain and nothing else", () => {
  const world = base.fork();
  const { account: holder } = doctor;
  const revokeAll: Action = { kind: "revoke", namespace: "cedars", account: holder, attributes: [] };
  const raising = (tombstone: Uint8Array): string => {
    const action: Action = {
      kind: "raise-era",
      lostHeight: 99,
      lostHash: someHash,
      missing: [],
      tombstones: [tombstone],
    };
    const body = world.body(action);
    return world.verdict(encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] }));
  };
  expect(raising(world.signed(owner, { kind: "revoke-rule", namespace: "cedars" }))).toBe("malformed");
  const elsewhere = world.body(revokeAll, { chainId: someHash });
  const foreign = signAsAccount({ seed: hospital.seed, sequence: 0, body: elsewhere });
  expect(raising(encodeTransaction(elsewhere, { account: foreign }))).toBe("wrong-era");
  const ahead = world.body(revokeAll, { era: 1 });
  const early = signAsAccount({ seed: hospital.seed, sequence: 0, body: ahead });
  expect(raising(encodeTransaction(ahead, { account: early }))).toBe("wrong-era");
  expect(raising(encodeTransaction(world.body(revokeAll), {}))).toBe("wrong-era");
  const forged = decodeTransaction(world.signed(hospital, revokeAll));
  const account = { ...forged.authorisation.account!, signature: new Uint8Array(64) };
  expect(raising(encodeTransaction(forged.bodyBytes, { account }))).toBe("signature-invalid");
});

test("the author's signature beside an owner's deposit cannot be taken away or put there", () => {
  const world = base.fork();
  const key = world.oneTime("both");
  const action = world.depositAction(key.id, { namespace: null, purposes: ["TREAT"] });
  const body = world.body(action);
  const attributes = world.attributeSignature(world.keys, { body, policy: action.authorPolicy! });
  const parts = { body, oneTime: signOneTime(key.seed, body), storageReceipt: world.stored(action) };
  expect(world.verdict(world.signed(owner, action, { ...parts, attributes }))).toBe("applied");
  expect(world.verdict(world.signed(owner, action, parts))).toBe("authorisation-parts");
  const plain = decodeTransaction(world.ownerDeposit("plain"));
  const put = encodeTransaction(plain.bodyBytes, { ...plain.authorisation, attributes });
  expect(world.verdict(put)).toBe("authorisation-parts");
});

test("a refused transaction leaves nothing, not even its sequence number or its place in the relay's quota", () => {
  const world = base.fork();
  const before = [...world.state.values].map(([key, value]) => `${key} ${toHex(value)}`).sort();
  const expired = world.authorDeposit("r", world.keys, { authorPolicy: "cardiologist@cedars" });
  expect(() => world.submit(expired)).toThrow();
  expect(() => world.do(stranger, { kind: "erase", recordId: someHash })).toThrow();
  expect([...world.state.values].map(([key, value]) => `${key} ${toHex(value)}`).sort()).toEqual(before);
});

test("transactions of different accounts about different things come to the same state in any order", () => {
  const world = base.fork();
  const vouchFor = (who: typeof owner) => {
    const { account } = who;
    const attributes = ["nurse@cedars"];
    return {
      kind: "vouch",
      namespace: "cedars",
      account,
      attributes,
      mode: "transform",
      digest: null,
    } as const;
  };
  const own = (who: typeof owner) => ({
    ...vouchFor(who),
    namespace: "self",
    attributes: [`${toHex(who.account)}@self`],
  });
  const bytes = [
    world.signed(hospital, vouchFor(stranger)),
    world.signed(doctor, own(doctor)),
    world.signed(stranger, own(stranger)),
    world.signed(owner, { kind: "revoke-rule", namespace: "cedars" }),
    world.signed(service, { kind: "set-hpke-key", hpkeKey: someHash }),
  ];
  const inOrder = (order: readonly number[]): string => {
    const end = new Overlay(world.state);
    for (const at of order) apply(end, world.context(), bytes[at]!);
    const changes = end.changes().map(({ kind, key, value }) => `${kind} ${toHex(key)} ${toHex(value!)}`);
    // The list of what an account ever held is in the order of blocks, as lists are.
    return changes
      .filter((line) => !line.startsWith("25 ") && !line.startsWith("26 "))
      .sort()
      .join("\n");
  };
  const expected = inOrder([0, 1, 2, 3, 4]);
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), (order) => {
      expect(inOrder(order)).toBe(expected);
    }),
    { numRuns: 20 },
  );
});

test("an account's transactions apply in the order of their numbers and in no other", () => {
  const world = base.fork();
  const sequence = world.sequence(service.account);
  const numbered = [0, 1, 2].map((at) => {
    const body = world.body({ ...alertOf, detail: `alert ${at}` });
    return encodeTransaction(body, {
      account: signAsAccount({ seed: service.seed, sequence: sequence + at, body }),
    });
  });
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (order) => {
      const fork = world.fork();
      const taken = order.map((at) => {
        try {
          fork.submit(numbered[at]!);
          return true;
        } catch {
          return false;
        }
      });
      let next = 0;
      for (const [i, at] of order.entries()) {
        expect(taken[i]).toBe(at === next);
        if (at === next) next++;
      }
    }),
  );
});

test("a transaction may name any block that the chain holds, back to the genesis", () => {
  const world = base.fork();
  const named = (head: Body["head"]): string => {
    return world.verdict(world.signed(service, alertOf, { body: world.body(alertOf, { head }) }));
  };
  expect(named({ height: 0, hash: world.chainId })).toBe("applied");
  expect(named({ height: 3, hash: world.blockHash(3) })).toBe("applied");
  expect(named({ height: 3, hash: world.blockHash(4) })).toBe("head-unknown");
  expect(equalBytes(world.state.get(blockKind, u64(3))!, world.blockHash(3))).toBe(true);
});

test("a relay's quota is counted by the minute of block time", () => {
  const world = base.fork();
  const minute = Math.floor(world.timestampMs / 60_000);
  save(world.state, entries.relayUse, service.account, { minute, count: 99 });
  world.submit(world.authorDeposit("last", world.keys));
  expect(world.verdict(world.authorDeposit("more", world.keys))).toBe("relay-quota");
  world.timestampMs = (minute + 1) * 60_000;
  expect(world.verdict(world.authorDeposit("next minute", world.keys))).toBe("applied");
});

test("a member is no relay", () => {
  const world = base.fork();
  expect(load(world.state, entries.account, doctor.account)!.roles & roles.provider).toBe(0);
  const key = world.oneTime("r");
  const action = world.depositAction(key.id);
  const body = world.body(action);
  const attributes = world.attributeSignature(world.keys, { body, policy: action.authorPolicy! });
  const by = (relay: typeof doctor): string => {
    const parts = world.enveloped(key, { body, attributes, relay });
    return world.verdict(encodeTransaction(body, { ...parts, storageReceipt: world.stored(action) }));
  };
  expect(by(doctor)).toBe("relay-unknown");
  expect(by(hospital)).toBe("applied");
  expect(by(service)).toBe("applied");
});
