/**
 * The list of keys in a member's name, and the proof that it is whole. The attack in prose: somebody who shows a member
 * its list wants one key out of it, and tries what can be left out, altered, taken from elsewhere or shown of yesterday.
 */
import { equalBytes, randomBytes, toHex } from "@chartseal/crypto";
import { entries, listItemKey, listKey, lists, toBytes } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkIssuance,
  type HeldHead,
  type IssuanceProof,
  issuanceProofJson,
  issueFullKey,
  type KeyOfAccount,
  listKeys,
  parseIssuanceProof,
  proveIssuance,
  requestKey,
} from "../src/index.ts";
import { carerFor, hospitalOf, inForce, keyFor, listed } from "./scene.ts";
import { failure, type Member, World } from "./world.ts";

let world: World;
let eve: Member;
let ben: Member;
let early: { readonly head: HeldHead; readonly proof: IssuanceProof };
let proof: IssuanceProof;

const headNow = async (): Promise<HeldHead> => {
  const { height, hash } = await world.ledger.head();
  return { height, hash };
};
const selfOf = (member: Member) => `${toHex(member.account)}@self`;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  const cedars = await world.hospital("cedars");
  ben = await world.member("nurse@cedars");
  eve = await world.member("nurse@cedars");
  early = { head: await headNow(), proof: await proveIssuance(world.ledger, eve.account) };
  await issueFullKey(world, {
    member: eve,
    attributes: ["nurse@cedars"],
    nodes: world.nodes,
    vouch: (_namespace, attributes, digest) => cedars.vouchFull(eve.account, attributes, digest),
    saved: async () => {},
  });
  await world.revoke(eve, "nurse@cedars");
  await world.grant(eve, "porter@cedars");
  // Asked for and never announced: nodes may have answered all the same, so it stands in the list.
  await requestKey(world, { member: eve, attributes: [selfOf(eve)], provider: world.provider.account });
  const since = [early.head.height];
  proof = await proveIssuance(world.ledger, eve.account, { since });
});
afterAll(() => world.close());

const check = (changed: IssuanceProof, trusted: { account?: Uint8Array; head?: HeldHead } = {}) =>
  checkIssuance(changed, { genesis: world.ledger.genesis, ...trusted });
const kindsOf = async (changed: IssuanceProof, trusted = {}) => {
  const { faults, keys } = await check(changed, trusted);
  if (faults.length > 0) expect(keys).toBeNull();
  return [...new Set(faults.map(({ kind }) => kind))];
};
type States = IssuanceProof["evidence"]["states"];
const withStates = (change: (states: States) => States): IssuanceProof => ({
  ...proof,
  evidence: { ...proof.evidence, states: change(proof.evidence.states) },
});
const isItem = (at: number) => (state: States[number]) =>
  state.kind === entries.listItem.kind &&
  equalBytes(state.key, listItemKey(lists.keyRequestsOfAccount, eve.account, at));

describe("the list", () => {
  test("holds every key ever asked for: live, retired, full, and one that nobody announced", async () => {
    const keys = await listKeys(world.ledger, eve.account);
    expect(
      keys.map(({ mode, live, keyId, retiredHeight }) => ({
        mode,
        live,
        has: keyId !== null,
        retiredHeight,
      })),
    ).toEqual([
      { mode: "transform", live: false, has: true, retiredHeight: expect.any(Number) },
      { mode: "full", live: false, has: true, retiredHeight: null },
      { mode: "transform", live: true, has: true, retiredHeight: null },
      { mode: "transform", live: false, has: false, retiredHeight: null },
    ]);
    expect(keys[0]!.attributes).toEqual(expect.arrayContaining(["nurse@cedars"]));
    expect(keys[2]!.nodes).toHaveLength(2);
    expect(keys[2]!.vouches.map(({ attribute }) => attribute)).toContain("porter@cedars");
  });

  test("is empty, and proved so, for an account of which nothing is known", async () => {
    const nobody = await proveIssuance(world.ledger, randomBytes(20));
    expect(await check(nobody)).toEqual({ faults: [], keys: [] });
  });
});

describe("the proof", () => {
  test("holds offline, under its own block and under an earlier head that it extends", async () => {
    const { faults, keys } = await check(proof, { account: eve.account, head: await headNow() });
    expect(faults).toEqual([]);
    expect(keys).toEqual(await listKeys(world.ledger, eve.account));
    expect(await kindsOf(proof, { head: early.head })).toEqual([]);
  });

  test("shows each vouch as it stood then, though it was ended later", async () => {
    const { keys } = await check(proof);
    for (const { vouches } of keys!)
      for (const { height } of vouches) expect(height).toEqual(expect.any(Number));
    expect(keys![0]!.vouches.map(({ attribute }) => attribute)).toContain("nurse@cedars");
  });

  test("survives its own JSON, and nothing else is read as one", async () => {
    const json = JSON.parse(JSON.stringify(issuanceProofJson(proof))) as Record<string, unknown>;
    expect(await check(parseIssuanceProof(json))).toEqual(await check(proof));
    for (const bad of [
      null,
      [],
      {},
      { ...json, version: 2 },
      { ...json, account: "00" },
      { ...json, states: [{}] },
    ]) {
      await failure("input-invalid", () => parseIssuanceProof(bad));
    }
  });
});

describe("keys of emergencies and proxies", () => {
  test("stand in the list of whom they were given to and in that of the owner whose records they open", async () => {
    const other = await World.create();
    await hospitalOf(other);
    const [owner, first, second, carer] = [
      await other.member(),
      await other.member(listed),
      await other.member(listed),
      await other.member(),
    ];
    const { recordId } = await other.byOwner(owner, { policy: "nurse@cedars" });
    const emergency = await inForce(other, { owner, first, second, records: [recordId] });
    const lost = await keyFor(other, first, emergency);
    const kept = await keyFor(other, first, emergency);
    const proxy = await keyFor(other, carer, await carerFor(other, { owner, carer }));
    const proofOf = (account: Uint8Array) => proveIssuance(other.ledger, account);
    const about = { genesis: other.ledger.genesis, head: await other.ledger.head() };
    const special = async (member: Member) => {
      const { faults, keys } = await checkIssuance(await proofOf(member.account), {
        ...about,
        account: member.account,
      });
      expect(faults).toEqual([]);
      return keys!.filter(({ grantId }) => grantId !== null);
    };
    const named = ({ account, mode, keyId }: KeyOfAccount) => ({
      account: toHex(account),
      mode,
      keyId: toHex(keyId!),
    });
    const expected = [
      { account: toHex(first.account), mode: "emergency", keyId: toHex(lost.keyId) },
      { account: toHex(first.account), mode: "emergency", keyId: toHex(kept.keyId) },
      { account: toHex(carer.account), mode: "proxy", keyId: toHex(proxy.keyId) },
    ];
    expect((await special(owner)).map(named)).toEqual(expected);
    expect((await special(first)).map(named)).toEqual(expected.slice(0, 2));
    expect((await special(second)).map(named)).toEqual([]);
    for (const key of await special(owner)) {
      expect(key.vouches).toEqual([{ attribute: key.attributes[0], height: expect.any(Number) }]);
    }
    // The clinician's key left out of the owner's list: with its request, with the emergency, with the list's size.
    const whole = await proofOf(owner.account);
    const { states } = whole.evidence;
    for (const kind of [
      entries.emergency.kind,
      entries.specialRequest.kind,
      entries.proxy.kind,
      entries.key.kind,
    ]) {
      const at = states.findIndex((state) => state.kind === kind && state.value !== null);
      const evidence = { ...whole.evidence, states: states.filter((_, each) => each !== at) };
      const { faults, keys } = await checkIssuance({ ...whole, evidence }, about);
      expect([faults.map((fault) => fault.kind), keys]).toEqual([["keys"], null]);
    }
    await other.close();
  });
});

describe("is refused", () => {
  test("with an item left out, whichever of its entries it is", async () => {
    for (let left = 0; left < proof.evidence.states.length; left++) {
      const rest = withStates((states) => states.filter((_, at) => at !== left));
      const isHead = proof.evidence.states[left]!.kind === 0;
      expect(await kindsOf(rest, isHead ? { head: early.head } : {})).not.toEqual([]);
    }
  });

  test("with a shorter list: the size is proved too", async () => {
    const size = (state: States[number]) =>
      state.kind === entries.listSize.kind &&
      equalBytes(state.key, listKey(lists.keyRequestsOfAccount, eve.account));
    const shorter = withStates((states) =>
      states
        .filter((state) => !isItem(3)(state))
        .map((state) => (size(state) ? { ...state, value: toBytes(entries.listSize.codec, 3) } : state)),
    );
    expect(await kindsOf(shorter)).toEqual(["state"]);
    const none = withStates((states) =>
      states.map((state) => (size(state) ? { ...state, value: null } : state)),
    );
    expect(await kindsOf(none)).toEqual(["state"]);
  });

  test("with any value altered", async () => {
    for (const [at, { value }] of proof.evidence.states.entries()) {
      if (value === null) continue;
      const altered = Uint8Array.from(value);
      altered[altered.length - 1]! ^= 1;
      const changed = withStates((states) =>
        states.map((one, i) => (i === at ? { ...one, value: altered } : one)),
      );
      expect(await kindsOf(changed)).toContain("state");
    }
  });

  test("with an item that is shown twice in another's place", async () => {
    const first = proof.evidence.states.find(isItem(0))!;
    const swapped = withStates((states) =>
      states.map((state) => (isItem(2)(state) ? { ...state, value: first.value } : state)),
    );
    expect(await kindsOf(swapped)).toContain("state");
  });

  test("of another account, though whole", async () => {
    const of = await proveIssuance(world.ledger, ben.account);
    expect(await kindsOf(of, { account: eve.account })).toEqual(["account"]);
    expect(await kindsOf({ ...of, account: eve.account })).toContain("keys");
  });

  test("of an older head than the checker's, though it held then", async () => {
    expect(await kindsOf(early.proof, { head: early.head })).toEqual([]);
    expect(await kindsOf(early.proof, { head: await headNow() })).toEqual(["head"]);
    // Its entries, called those of a later block.
    const later = { ...early.proof, height: proof.height };
    expect(await kindsOf(later)).toContain("keys");
  });

  test("where it does not show that it extends the checker's head, or extends another chain", async () => {
    const silent = await proveIssuance(world.ledger, eve.account);
    expect(await kindsOf(silent, { head: early.head })).toEqual(["head"]);
    const other = { height: early.head.height, hash: randomBytes(32) };
    expect(await kindsOf(proof, { head: other })).toEqual(["head"]);
    const { height } = await headNow();
    expect(await kindsOf(proof, { head: { height, hash: randomBytes(32) } })).toEqual(["head"]);
  });

  test("under another genesis, and with a commit that no validator made", async () => {
    const stranger = await World.create();
    const faults = (await checkIssuance(proof, { genesis: stranger.ledger.genesis })).faults;
    expect(faults.map(({ kind }) => kind)).toEqual(["genesis"]);
    await stranger.close();
    const blocks = proof.evidence.blocks.map((block) => ({ ...block, commit: [] }));
    expect(await kindsOf({ ...proof, evidence: { ...proof.evidence, blocks } })).toContain("commit");
  });

  test("for a list key of another list", async () => {
    const key = listKey(lists.members, eve.account);
    const moved = withStates((states) =>
      states.map((state) => (state.kind === entries.listSize.kind ? { ...state, key } : state)),
    );
    expect(await kindsOf(moved)).toContain("state");
  });
});
