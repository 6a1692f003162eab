/**
 * Answers to an issue where they do not belong: mutated on the way, mutated by their own node, of another request, in
 * another node's name, twice. None makes a key, each is an error with its node, and only what a node signed names it.
 */
import {
  answerInfo,
  answerParts,
  decode,
  encode,
  hpkeOpen,
  hpkeSeal,
  issueDigest,
  signTagged,
  toHex,
} from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { readEntry, readNamedNodes, requestKey, type SealedAnswer } from "../src/index.ts";
import { issueRequestOf } from "../src/issue.ts";
import { type Member, World } from "./world.ts";

const policy = "physician@cedars";
const rounds = fuzzRounds(60, 0.0005);
let world: World;
let ben: Member;
let requestId: Uint8Array;
let answers: SealedAnswer[];

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ben = await world.member(policy);
  requestId = await asked();
  answers = await Promise.all(world.nodes.map((node) => node.answer(requestId)));
});
afterAll(() => world.close());

async function asked(): Promise<Uint8Array> {
  const attributes = [`${toHex(ben.account)}@self`, policy];
  return (await requestKey(world, { member: ben, attributes, provider: world.provider.account })).requestId;
}

/** No key of it: the provider refuses with an error that is none of its own defects, and the ledger shows no issue. */
async function expectNoKey(given: readonly SealedAnswer[], codes = ["issue-invalid"]): Promise<void> {
  const error = await world.provider.takeIssue({ requestId, answers: given }).catch((caught) => caught);
  expect(codes).toContain(error.code);
  expect((await readEntry(world.ledger, entries.keyRequest, requestId))!.keyId).toBeNull();
}

const mutation = fc.record({
  at: fc.nat(5000),
  to: fc.integer({ min: 1, max: 255 }),
  how: fc.constantFrom("change", "cut", "add"),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutated(bytes: Uint8Array, { at, to, how }: Mutation): Uint8Array {
  const place = at % bytes.length;
  if (how === "cut") return bytes.slice(0, place);
  if (how === "add") return Uint8Array.from([...bytes.slice(0, place), to, ...bytes.slice(place)]);
  return bytes.map((byte, k) => (k === place ? byte ^ to : byte));
}

/** Node 1 signs and seals something else. */
async function resigned(change: (answer: Uint8Array) => Uint8Array): Promise<SealedAnswer> {
  const { hpkeSecret, hpkePublic } = world.providerIdentity;
  const digest = issueDigest(world.pairing, await issueRequestOf(world, requestId));
  const info = answerInfo(digest, 1);
  const opened = (await hpkeOpen({ privateKey: hpkeSecret, info, sealed: answers[0]!.sealed }))!;
  const answer = change((decode(opened, { sizeMax: 1 << 20 }) as [Uint8Array])[0]);
  const { seed } = world.nodeParts[0]!.identity;
  const signature = signTagged(seed, "authority/answer", ...answerParts(digest, 1, answer));
  return {
    node: 1,
    sealed: await hpkeSeal({ receiver: hpkePublic, info, plaintext: encode([answer, signature]) }),
  };
}

test(
  "mutated on the way",
  async () => {
    const property = fc.asyncProperty(mutation, async (how) => {
      await expectNoKey([{ node: 1, sealed: mutated(answers[0]!.sealed, how) }, answers[1]!]);
    });
    await fc.assert(property, { numRuns: rounds });
    expect(await readNamedNodes(world.ledger)).toEqual([]);
  },
  fuzzTimeoutMs(rounds),
);

test("of another node, of another request, twice, too few, or for nobody", async () => {
  const [one, two, three] = answers as [SealedAnswer, SealedAnswer, SealedAnswer];
  await expectNoKey([{ ...one, node: 2 }, three]);
  await expectNoKey([{ ...one, node: 4 }, two]);
  await expectNoKey([{ ...one, node: 0 }, two]);
  await expectNoKey([one, one], ["input-invalid"]);
  await expectNoKey([one], ["input-invalid"]);
  await expectNoKey([], ["input-invalid"]);
  const other = await asked();
  await expectNoKey([await world.nodes[0]!.answer(other), two]);
  const partial = await world.nodes[0]!.basePartial(ben.account);
  await expectNoKey([partial, two]);
  expect(await readNamedNodes(world.ledger)).toEqual([]);
});

test(
  "mutated and then signed by their own node",
  async () => {
    const property = fc.asyncProperty(mutation, async (how) => {
      await expectNoKey([await resigned((answer) => mutated(answer, how)), answers[1]!]);
    });
    await fc.assert(property, { numRuns: rounds });
    const named = await readNamedNodes(world.ledger);
    expect(named.map(({ fault, account }) => [fault, toHex(account)])).toEqual([
      ["answer-invalid", toHex(world.nodeParts[0]!.identity.account)],
    ]);
  },
  fuzzTimeoutMs(rounds),
);

test("as they were sent, they make the key, in any order", async () => {
  const { keyId } = await world.provider.takeIssue({ requestId, answers: [answers[2]!, answers[0]!] });
  expect((await readEntry(world.ledger, entries.keyRequest, requestId))!.keyId).toEqual(keyId);
});
