/**
 * What the two sides of a dispute show, changed: kept answers, the reader's evidence, the provider's opening, the boxes that
 * they travel in, and the provider's signed word. Each is one encoding; what is none is an error of the input, and a
 * judge convicts whoever showed it and nobody else.
 */
import { type ErrorCode, hasCode, type ProvedRecovery, sha256 } from "@chartseal/crypto";
import { type TransformStatement, type Verdict, verifyStatement } from "@chartseal/ledger";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { type Dispute, openAsJudge, sealToJudges } from "../src/dispute/box.ts";
import {
  blindedOf,
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  type FailedAnswer,
} from "../src/dispute/evidence.ts";
import { judge } from "../src/dispute/judge.ts";
import { decodeKept, encodeKept } from "../src/dispute/kept.ts";
import { decodeOpening, encodeOpening } from "../src/dispute/opening.ts";
import { disputeTransform, readCommittee, readDispute } from "../src/index.ts";
import { readRequest } from "../src/state.ts";
import { answeredTo, nodesJudge, shownToNode } from "./disputing.ts";
import { type Member, World } from "./world.ts";

const policy = "doctor@cedars";
/** An element of GT is dear to read: 5 ms; a judgement takes 50. */
const dear = 0.01;
let world: World;
let ben: Member;
let failed: FailedAnswer;
let dispute: Dispute;
/** What node 1 was shown by each side, honest. */
let evidence: Uint8Array;
let opening: Uint8Array;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ben = await world.member(policy);
  const { recordId } = await world.byOwner(ben, { policy, text: "disputed" });
  failed = await answeredTo(world, ben, recordId);
  const { disputeId } = await disputeTransform(world, { member: ben, failed });
  await world.provider.follow();
  dispute = await readDispute(world, disputeId);
  evidence = (await shownToNode(world, dispute, { side: "reader", number: 1 }))!;
  opening = (await shownToNode(world, dispute, { side: "provider", number: 1 }))!;
});
afterAll(() => world.close());

const mutation = fc.record({
  at: fc.nat(20_000),
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

const usage: readonly ErrorCode[] = ["encoding-invalid", "input-invalid"];

/** Decodes to what has these bytes as its encoding, or says that they are none. */
function expectStrict(bytes: Uint8Array, again: (bytes: Uint8Array) => Uint8Array): void {
  try {
    expect(again(bytes)).toEqual(bytes);
  } catch (error) {
    if (!usage.some((code) => hasCode(error, code))) throw error;
  }
}

interface Codec {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly again: (bytes: Uint8Array) => Uint8Array;
  readonly share?: number;
}

const codecs: readonly Codec[] = [
  {
    name: "a kept answer",
    bytes: () => {
      const { requestId, transformKeyId, answer } = failed;
      const { chainId } = world.ledger;
      return encodeKept({ chainId, requestId, recordId: dispute.recordId, transformKeyId, answer });
    },
    again: (bytes) => encodeKept(decodeKept(bytes)),
  },
  {
    name: "the reader's evidence",
    bytes: () => evidence,
    again: (bytes) => encodeEvidence(world.pairing, decodeEvidence(world.pairing, bytes)),
    share: dear,
  },
  {
    name: "the reader's evidence where there is nothing to prove",
    bytes: () => encodeEvidence(world.pairing, { header: failed.answer.header, recovered: null }),
    again: (bytes) => encodeEvidence(world.pairing, decodeEvidence(world.pairing, bytes)),
  },
  {
    name: "the provider's opening",
    bytes: () => opening,
    again: (bytes) => {
      const { key, dropped } = decodeOpening(world.pairing, bytes);
      return encodeOpening(world.pairing, { keyId: dispute.keyId, key, dropped });
    },
    share: dear,
  },
];

for (const { name, bytes, again, share } of codecs) {
  const rounds = fuzzRounds(share === undefined ? 2_000 : 200, share);
  test(
    `${name}, changed or made up, is refused or is what it says`,
    () => {
      expect(again(bytes())).toEqual(bytes());
      fc.assert(
        fc.property(mutation, (how) => expectStrict(mutated(bytes(), how), again)),
        { numRuns: rounds },
      );
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (any) => expectStrict(any, again)),
        { numRuns: rounds },
      );
    },
    fuzzTimeoutMs(rounds * 2),
  );
}

/** What a judge of this dispute finds in these bytes. */
async function found(shown: {
  readonly evidence?: Uint8Array;
  readonly opening?: Uint8Array;
}): Promise<Verdict> {
  const { pairing, ledger } = world;
  const mpk = (await readCommittee(ledger, pairing)).reading.publicKey;
  const blinded = await blindedOf(world, dispute);
  const one = { dispute, chainId: ledger.chainId, mpk, blinded };
  return judge(pairing, {
    ...one,
    opened: decodeOpening(pairing, shown.opening ?? opening),
    evidence: decodeEvidence(pairing, shown.evidence ?? evidence),
  });
}

const judgements = fuzzRounds(60, 0.0005);

/** Well-formed all the same: other elements in the places of K and Y, another proof. */
function lies(): Evidence[] {
  const honest = decodeEvidence(world.pairing, evidence);
  const { gt } = world.pairing;
  const { shared, root, proof } = honest.recovered!;
  const { challenge, response } = proof;
  const others: Partial<ProvedRecovery>[] = [
    { shared: gt.multiply(shared, shared) },
    { shared: root },
    { shared: gt.one },
    { root: gt.multiply(root, root) },
    { root: shared },
    { shared: gt.multiply(shared, shared), root: gt.multiply(root, root) },
    { proof: { challenge: challenge + 1n, response } },
    { proof: { challenge, response: response + 1n } },
    { proof: { challenge: response, response: challenge } },
  ];
  return others.map((other) => ({ ...honest, recovered: { ...honest.recovered!, ...other } }));
}

/** The answer is right: with both sides honest the reader is at fault, and no change of the reader's blames another. */
test(
  "changed evidence convicts the reader, never the provider or the sealer",
  async () => {
    expect(await found({})).toBe("reader");
    for (const lie of lies()) {
      expect(await found({ evidence: encodeEvidence(world.pairing, lie) })).toBe("reader");
    }
    const property = fc.asyncProperty(mutation, async (how) => {
      const verdict = await found({ evidence: mutated(evidence, how) }).catch((error: unknown) => {
        if (!usage.some((code) => hasCode(error, code))) throw error;
        return "reader";
      });
      expect(verdict).toBe("reader");
    });
    await fc.assert(property, { numRuns: judgements });
  },
  fuzzTimeoutMs(judgements * 5),
);

test(
  "a changed opening convicts the provider, whatever the reader showed",
  async () => {
    const property = fc.asyncProperty(mutation, async (how) => {
      const changed = mutated(opening, how);
      const verdict = await found({ opening: changed }).catch((error: unknown) => {
        if (!usage.some((code) => hasCode(error, code))) throw error;
        return "provider";
      });
      expect(verdict).toBe("provider");
    });
    await fc.assert(property, { numRuns: judgements });
  },
  fuzzTimeoutMs(judgements * 5),
);

const boxes = fuzzRounds(200, 0.01);

/** A judge's answer to a box that was changed is that nothing was shown: no other plaintext, and no failure. */
test(
  "a changed box or envelope shows nothing, and each judge has its own",
  async () => {
    const plaintext = Uint8Array.from({ length: 500 }, (_, at) => at);
    const sealed = await sealToJudges(world, dispute, { side: "reader", plaintext });
    const parts = world.nodeParts.map(({ identity }) => identity);
    const shown = (number: number, given: typeof sealed) =>
      openAsJudge(world, dispute, {
        ...{ side: "reader", sealed: given, judge: parts[number - 1]!.account },
        secrets: [parts[number - 1]!.hpkeSecret],
      });
    for (const number of [1, 2, 3]) expect(await shown(number, sealed)).toEqual(plaintext);
    const property = fc.asyncProperty(mutation, fc.nat(3), async (how, which) => {
      if (which === 0) {
        expect(await shown(1, { ...sealed, box: mutated(sealed.box, how) })).toBeUndefined();
        return;
      }
      const envelopes = sealed.envelopes.map((one, at) => (at === which - 1 ? mutated(one, how) : one));
      expect(await shown(which, { ...sealed, envelopes })).toBeUndefined();
    });
    await fc.assert(property, { numRuns: boxes });
    const [one, two, three] = sealed.envelopes;
    expect(await shown(1, { ...sealed, envelopes: [two!, one!, three!] })).toBeUndefined();
  },
  fuzzTimeoutMs(boxes),
);

const statements = fuzzRounds(300, 0.02);

test(
  "a changed statement is not the provider's word",
  async () => {
    const { requestId, transformKeyId, answer } = failed;
    const { recordId, recordDigest } = (await readRequest(world.ledger, requestId))!;
    const about = {
      ...{
        chainId: world.ledger.chainId,
        provider: world.provider.account,
        requestId,
        recordId,
        recordDigest,
      },
      ...{ transformKeyId, answerHash: sha256(answer.transform) },
    };
    const { publicKey } = world.providerIdentity;
    const holds = (statement: TransformStatement, of = about) => verifyStatement(publicKey, of, statement);
    expect(holds(answer.statement)).toBe(true);
    const names = Object.keys(about) as (keyof typeof about)[];
    const { rows, signature } = answer.statement;
    const changes: readonly fc.Arbitrary<boolean>[] = [
      mutation.map((how) => holds({ rows, signature: mutated(signature, how) })),
      fc
        .array(fc.integer({ min: -1, max: 2 ** 33 }), { maxLength: 300 })
        .filter((other) => other.join() !== rows.join())
        .map((other) => holds({ rows: other, signature })),
      fc
        .tuple(fc.constantFrom(...names), mutation)
        .map(([name, how]) => holds(answer.statement, { ...about, [name]: mutated(about[name], how) })),
    ];
    fc.assert(
      fc.property(fc.oneof(...changes), (isWord) => {
        expect(isWord).toBe(false);
      }),
      { numRuns: statements },
    );
  },
  fuzzTimeoutMs(statements),
);

test("as both sides showed it, the nodes settle it", async () => {
  await nodesJudge(world, 1, 2, 3);
  expect((await readDispute(world, dispute.disputeId)).outcome).toBe("reader");
});
