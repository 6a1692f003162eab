// Threshold issuance: t nodes open what mpk locks, fewer do not, a wrong answer is named, and the attacks of CRYPTO §2.3.
import { describe, expect, test } from "vitest";
import { toHex } from "../src/bytes.ts";
import { proveBlind, type TransformKeyPair, transformKeyPair } from "../src/cpabe/blind.ts";
import { decapsulate, encapsulate, recoverFromTransform, recoverMessage } from "../src/cpabe/cpabe.ts";
import { attributePoints, baseB, pairingBase } from "../src/cpabe/scheme.ts";
import { ed25519KeyPair, signTagged, verifyTagged } from "../src/ed25519.ts";
import { encode } from "../src/encoding.ts";
import { countingPairing } from "../src/pairing/counting.ts";
import type { G1, Scalar } from "../src/pairing/pairing.ts";
import { invert, mod } from "../src/pairing/scalar.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomScalar } from "../src/random.ts";
import type { NodeShare } from "../src/threshold/dkg.ts";
import { type CommitteeKey, generation, nodeKey } from "../src/threshold/generation.ts";
import {
  type Answer,
  answerInfo,
  answerIssue,
  answerParts,
  type CheckedAnswer,
  checkAnswer,
  combineAnswers,
  encodeAnswer,
  type IssueRequest,
  issueDigest,
  sortAttributes,
} from "../src/threshold/issue.ts";
import { claim, prove } from "../src/threshold/proofs.ts";
import { lagrangeAtZero } from "../src/threshold/shamir.ts";
import { agreedOf, chainId, codeOf, pairing, play, reading, subsets, thrown } from "./threshold-fixtures.ts";

const { g1, g2, gt } = pairing;
const run = generation(reading, { chainId, nodes: 3, threshold: 2 });
const committee = play(run);
const { key } = agreedOf(committee);
const mpk = key.publicKey;
const context = new TextEncoder().encode("a record's context");

interface Asked {
  readonly pair: TransformKeyPair;
  readonly request: IssueRequest;
}

function ask(attributes: readonly string[], name = 1, overrides: Partial<IssueRequest> = {}): Asked {
  const pair = transformKeyPair(pairing, { mode: overrides.mode ?? "transform" });
  const bytes = (value: number, size: number) => new Uint8Array(size).fill(value);
  const request = {
    chainId,
    epoch: 1,
    requestId: bytes(name, 32),
    account: bytes(name, 20),
    blinded: pair.blinded,
    attributes: sortAttributes(attributes),
    provider: bytes(99, 20),
    mode: "transform" as const,
    ...overrides,
  };
  return { pair, request };
}

function answerOf({ pair, request }: Asked, share: NodeShare, of = key): Answer {
  const proof = proveBlind(pairing, { pair, digest: issueDigest(pairing, request) });
  return answerIssue(pairing, { request, proof, key: of, share });
}

function answersOf(asked: Asked, nodes: readonly number[]): CheckedAnswer[] {
  return nodes.map((node) => {
    const answer = answerOf(asked, committee.shares[node - 1]!);
    return checkAnswer(pairing, { request: asked.request, key, answer });
  });
}

function sealed(text: string) {
  const policy = parsePolicy(text);
  return { policy, context, ...encapsulate(pairing, { mpk, policy, context }) };
}

/** The algebra without any check: Σ λ_i·answer_i over whatever attributes both have. */
function combineBlindly(answers: readonly Answer[], attributes: readonly (readonly string[])[]) {
  const lambda = lagrangeAtZero(answers.map(({ node }) => node));
  const each = answers.map(({ k1, k2, k3 }, i) => ({
    k1: g1.multiply(k1, lambda[i]!),
    k2: new Map(attributes[i]!.map((attribute, j) => [attribute, g1.multiply(k2[j]!, lambda[i]!)])),
    k3: g2.multiply(k3, lambda[i]!),
  }));
  return each;
}

describe("t answers", () => {
  const asked = ask(["oncologist@cedars", "chief@cedars"]);
  const record = sealed("oncologist@cedars and chief@cedars or x@y");

  test("of any t nodes make one transform key, whose transform the reader alone opens", () => {
    for (const nodes of subsets(3, 2)) {
      const transformKey = combineAnswers(pairing, { threshold: 2, answers: answersOf(asked, nodes) });
      const transform = gt.encode(decapsulate(pairing, { key: transformKey, ...record }));
      const { recoveryKey } = asked.pair;
      expect(recoverFromTransform(pairing, { ...record, transform, recoveryKey }).message).toEqual(
        record.message,
      );
      const shared = decapsulate(pairing, { key: transformKey, ...record });
      expect(codeOf(() => recoverMessage(pairing, { ...record, shared }))).toBe("transform-invalid");
    }
  });

  test("in mode full make a full key, which opens without a provider", () => {
    const full = ask(["oncologist@cedars", "chief@cedars"], 1, { mode: "full" });
    const fullKey = combineAnswers(pairing, { threshold: 2, answers: answersOf(full, [1, 3]) });
    const shared = decapsulate(pairing, { key: fullKey, ...record });
    expect(recoverMessage(pairing, { ...record, shared }).message).toEqual(record.message);
  });

  test("and no fewer: t − 1 answers are refused, and by algebra give nothing", () => {
    const answers = answersOf(asked, [2]);
    expect(codeOf(() => combineAnswers(pairing, { threshold: 2, answers }))).toBe("input-invalid");
    expect(codeOf(() => combineAnswers(pairing, { threshold: 2, answers: [] }))).toBe("input-invalid");
    const alone = combineAnswers(pairing, { threshold: 1, answers });
    const transform = gt.encode(decapsulate(pairing, { key: alone, ...record }));
    const { recoveryKey } = asked.pair;
    expect(codeOf(() => recoverFromTransform(pairing, { ...record, transform, recoveryKey }))).toBe(
      "transform-invalid",
    );
  });

  test("of one node twice are refused", () => {
    for (const nodes of [
      [2, 2],
      [1, 2, 2],
    ]) {
      const answers = answersOf(asked, nodes);
      expect(codeOf(() => combineAnswers(pairing, { threshold: 2, answers }))).toBe("input-invalid");
    }
  });

  test("with the reader make a full key, which is why they never pass it", () => {
    const transformKey = combineAnswers(pairing, { threshold: 2, answers: answersOf(asked, [1, 2]) });
    const z = asked.pair.recoveryKey;
    const raised = {
      k1: g1.multiply(transformKey.k1, z),
      k2: new Map([...transformKey.k2].map(([attribute, point]) => [attribute, g1.multiply(point, z)])),
      k3: g2.multiply(transformKey.k3, z),
    };
    const shared = decapsulate(pairing, { key: raised, ...record });
    expect(recoverMessage(pairing, { ...record, shared }).message).toEqual(record.message);
  });
});

describe("a wrong answer is refused and its node named", () => {
  const asked = ask(["a@h", "b@h", "c@h"]);
  const share = committee.shares[1]!;
  const honest = answerOf(asked, share);
  const refusal = (answer: Answer, request = asked.request, of: CommitteeKey<typeof mpk> = key) =>
    thrown(() => checkAnswer(pairing, { request, key: of, answer }));

  test("the honest one is accepted", () => {
    expect(refusal(honest)).toBeUndefined();
  });

  test("a wrong share, or another node's", () => {
    const wrong = answerOf(asked, { ...share, secret: mod(share.secret + 1n) });
    expect(refusal(wrong)).toMatchObject({ code: "issue-invalid", data: { node: 2 } });
    const borrowed = answerOf(asked, { ...committee.shares[0]!, index: 2 });
    expect(refusal(borrowed)).toMatchObject({ code: "issue-invalid", data: { node: 2 } });
    expect(refusal({ ...honest, node: 1 })).toMatchObject({ code: "issue-invalid", data: { node: 1 } });
    expect(refusal({ ...honest, node: 4 })).toMatchObject({ code: "issue-invalid", data: { node: 4 } });
  });

  test("any part of it changed, were the proof even made for the change", () => {
    const other = g1.hash("chartseal-test\0", [new Uint8Array(1)])[0]!;
    const changes: Partial<Answer>[] = [
      { k1: g1.add(honest.k1, other) },
      { k3: g2.add(honest.k3, g2.generator) },
      { k2: honest.k2.toReversed() },
      { k2: honest.k2.slice(1) },
      { image: gt.multiply(honest.image, honest.image) },
      { epoch: 2 },
      { k3: g2.zero },
      { image: gt.one },
      { proof: { ...honest.proof, response: mod(honest.proof.response + 1n) } },
    ];
    for (const change of changes) {
      expect(refusal({ ...honest, ...change })).toMatchObject({ code: "issue-invalid", data: { node: 2 } });
    }
  });

  test("a node that proves its share and sends one wrong attribute is found by the weighted equation, and which", () => {
    const r = randomScalar();
    const forged = forge(asked, share, r, (points) => [
      points[0]!,
      g1.add(points[1]!, g1.generator),
      points[2]!,
    ]);
    expect(refusal(forged)).toMatchObject({ code: "issue-invalid", data: { node: 2, attribute: "b@h" } });
    // With all weights 1 the errors of two parts would cancel: this passes such a copy, and not ours.
    const cancelling = forge(asked, share, r, (points) => [
      g1.add(points[0]!, g1.generator),
      g1.add(points[1]!, g1.negate(g1.generator)),
      points[2]!,
    ]);
    const hashed = attributePoints(pairing, asked.request.attributes);
    const unweighted = pairing.multiPairing([
      [g1.sum([cancelling.k1, ...cancelling.k2]), g2.generator],
      [g1.negate(g1.sum([baseB(pairing), ...hashed])), cancelling.k3],
    ]);
    expect(gt.equal(unweighted, cancelling.image)).toBe(true);
    expect(refusal(cancelling)).toMatchObject({ data: { node: 2, attribute: "a@h" } });
    const wrongHead = forge(asked, share, r, (points) => points, g1.generator);
    expect(refusal(wrongHead)).toMatchObject({ data: { node: 2, attribute: undefined } });
  });

  test("an answer with r = 0, right in every equation, is refused: with z it would give [α_i]g1", () => {
    const bare = forge(asked, share, 0n, (points) => points);
    const raised = g1.multiply(bare.k1, asked.pair.recoveryKey);
    expect(g1.equal(raised, g1.multiply(g1.generator, share.secret))).toBe(true);
    expect(refusal(bare)?.message).toContain("zero");
    expect(refusal(forge(asked, share, 1n, (points) => points))).toBeUndefined();
  });

  test("of another epoch or with another number of parts is said to be that", () => {
    expect(refusal({ ...honest, epoch: 2 })?.message).toContain("another epoch");
    expect(refusal(honest, asked.request, { ...key, epoch: 2 })?.message).toContain("another epoch");
    expect(refusal({ ...honest, k2: honest.k2.slice(1) })?.message).toContain("one part an attribute");
  });

  test("twenty attributes cost no more pairings than one", () => {
    const names = Array.from({ length: 20 }, (_, k) => `a${k}@h`);
    const pairings = [names.slice(0, 1), names].map((attributes) => {
      const twenty = ask(attributes);
      const answer = answerOf(twenty, share);
      const counter = countingPairing(pairing);
      checkAnswer(counter.pairing, { request: twenty.request, key, answer });
      const { P, F } = counter.counts();
      return [P, F];
    });
    expect(pairings[1]).toEqual(pairings[0]);
  });

  test("an answer to one request does not serve another, though the sets are the same", () => {
    expect(refusal(honest, ask(["a@h", "b@h", "c@h"]).request)?.code).toBe("issue-invalid");
    for (const overrides of [
      { requestId: new Uint8Array(32) },
      { account: new Uint8Array(20) },
      { provider: new Uint8Array(20) },
      { chainId: new Uint8Array(32) },
      { mode: "full" as const },
      { mode: "emergency" as const, grantId: new Uint8Array(32) },
      { mode: "proxy" as const, grantId: new Uint8Array(32) },
    ]) {
      expect(refusal(honest, { ...asked.request, ...overrides })?.code).toBe("issue-invalid");
    }
  });

  test("the node's signature covers d, its index and the answer's bytes", () => {
    const { publicKey, seed } = ed25519KeyPair();
    const digest = issueDigest(pairing, asked.request);
    const bytes = encodeAnswer(pairing, honest);
    const signature = signTagged(seed, "authority/answer", ...answerParts(digest, 2, bytes));
    const holds = (d: Uint8Array, node: number, answer: Uint8Array) =>
      verifyTagged(publicKey, signature, "authority/answer", ...answerParts(d, node, answer));
    expect(holds(digest, 2, bytes)).toBe(true);
    expect(holds(digest, 3, bytes)).toBe(false);
    expect(holds(digest, 2, bytes.with(9, bytes[9]! ^ 1))).toBe(false);
    expect(holds(digest.with(0, digest[0]! ^ 1), 2, bytes)).toBe(false);
    expect(toHex(answerInfo(digest, 2))).not.toBe(toHex(answerInfo(digest, 3)));
  });
});

/** An answer whose proof is right for whatever its parts are: what a node that cheats would send. */
function forge(
  { pair, request }: Asked,
  share: NodeShare,
  r: Scalar,
  change: (points: G1[]) => G1[],
  offset: G1 = g1.zero,
): Answer {
  const digest = issueDigest(pairing, request);
  const points = attributePoints(pairing, request.attributes).map((point) => g1.multiply(point, r));
  const k1 = g1.sum([g1.multiply(pair.blinded, share.secret), g1.multiply(baseB(pairing), r), offset]);
  const parts = { epoch: 1, node: share.index, k1, k2: change(points), k3: g2.multiply(g2.generator, r) };
  const image = pairing.multiPairing([[g1.multiply(pair.blinded, share.secret), g2.generator]]);
  const { group, base } = reading;
  const claims = [
    claim(group, base, nodeKey(key, share.index)),
    claim(group, pairing.multiPairing([[pair.blinded, g2.generator]]), image),
  ];
  const encoded = parts.k2.map((point) => g1.encode(point));
  const context = encode([digest, parts.epoch, parts.node, g1.encode(k1), encoded, g2.encode(parts.k3)]);
  return { ...parts, image, proof: prove(claims, share.secret, { use: "authority/answer-proof", context }) };
}

describe("what a node answers", () => {
  const share = committee.shares[0]!;

  test("needs a proof of z bound to this very request", () => {
    const asked = ask(["a@h"]);
    const digest = issueDigest(pairing, asked.request);
    const other = issueDigest(pairing, ask(["a@h"], 2).request);
    const right = proveBlind(pairing, { pair: asked.pair, digest });
    const wrong = proveBlind(pairing, { pair: asked.pair, digest: other });
    const answer = (proof: typeof right, request = asked.request) =>
      codeOf(() => answerIssue(pairing, { request, proof, key, share }));
    expect(answer(right)).toBeUndefined();
    expect(answer(wrong)).toBe("issue-refused");
    expect(answer(right, { ...asked.request, blinded: g1.generator })).toBe("issue-refused");
    expect(answer(right, { ...asked.request, blinded: g1.zero })).toBe("issue-refused");
    expect(answer(right, { ...asked.request, mode: "full" })).toBe("issue-refused");
  });

  test("is for sorted attributes, none twice, at least one, in the share's epoch, a grant's id with its modes alone", () => {
    const { request } = ask(["a@h", "b@h"]);
    const code = (overrides: Partial<IssueRequest>) =>
      codeOf(() => issueDigest(pairing, { ...request, ...overrides }));
    expect(code({})).toBeUndefined();
    expect(code({ attributes: ["b@h", "a@h"] })).toBe("input-invalid");
    expect(code({ attributes: ["a@h", "a@h"] })).toBe("input-invalid");
    expect(code({ attributes: [] })).toBe("input-invalid");
    expect(code({ chainId: new Uint8Array(31) })).toBe("input-invalid");
    expect(code({ epoch: 0 })).toBe("input-invalid");
    expect(code({ mode: "emergency" })).toBe("input-invalid");
    expect(code({ mode: "proxy" })).toBe("input-invalid");
    expect(code({ grantId: new Uint8Array(32) })).toBe("input-invalid");
    const later = ask(["a@h"], 1, { epoch: 2 });
    expect(codeOf(() => answerOf(later, share))).toBe("input-invalid");
  });

  test("has a fresh r every time: two answers to one request share no part", () => {
    const asked = ask(["a@h"]);
    const [one, two] = [answerOf(asked, share), answerOf(asked, share)];
    expect(g2.equal(one.k3, two.k3)).toBe(false);
    expect(g1.equal(one.k1, two.k1)).toBe(false);
    expect(g1.equal(one.k2[0]!, two.k2[0]!)).toBe(false);
    expect(gt.equal(one.image, two.image)).toBe(true);
  });

  test("under one r for two Z would give away [α_i]g1 (weakened copy)", () => {
    const r = randomScalar();
    const [first, second] = [transformKeyPair(pairing), transformKeyPair(pairing)];
    const weakened = (blinded: G1) =>
      g1.add(g1.multiply(blinded, share.secret), g1.multiply(baseB(pairing), r));
    const difference = g1.add(weakened(first.blinded), g1.negate(weakened(second.blinded)));
    const factor = invert(mod(invert(first.recoveryKey) - invert(second.recoveryKey)));
    expect(g1.equal(g1.multiply(difference, factor), g1.multiply(g1.generator, share.secret))).toBe(true);
    // The same with our answers gives nothing, for each has its own r.
    const ours = [1, 2].map(() => ask(["a@h"]));
    const k1 = ours.map((asked) => answerOf(asked, share).k1);
    const [z1, z2] = ours.map(({ pair }) => invert(pair.recoveryKey));
    const guess = g1.multiply(g1.add(k1[0]!, g1.negate(k1[1]!)), invert(mod(z1! - z2!)));
    expect(g1.equal(guess, g1.multiply(g1.generator, share.secret))).toBe(false);
  });
});

describe("answers to two requests", () => {
  const record = sealed("a@h or b@h");
  const [first, second] = [ask(["a@h"], 1), ask(["b@h"], 2)];
  const answers = [answersOf(first, [1])[0]!, answersOf(second, [2])[0]!];

  test("whose own sets each satisfy a policy open it together by the algebra alone", () => {
    const parts = combineBlindly(
      answers.map(({ answer }) => answer),
      [["a@h"], ["b@h"]],
    );
    // Each half opens its own row with its own randomness and gives K^{λ_i α_i/(α z_i)}; raised to z_i, their product is K.
    const halves = parts.map((part) => decapsulate(pairing, { key: part, ...record }));
    const z = [first, second].map(({ pair }) => pair.recoveryKey);
    const shared = gt.power(halves.map((base, i) => ({ base, exponent: z[i]! })));
    expect(recoverMessage(pairing, { ...record, shared }).message).toEqual(record.message);
  });

  test("are not combined", () => {
    expect(codeOf(() => combineAnswers(pairing, { threshold: 2, answers }))).toBe("input-invalid");
  });

  test("nor are answers of two epochs, and the two epochs' shares open nothing together", () => {
    const origin = { kind: "refresh", previous: key } as const;
    const next = play(generation(reading, { chainId, nodes: 3, threshold: 2, origin }), committee.shares);
    const nextKey = agreedOf(next).key;
    const asked = ask(["a@h"]);
    const later = { ...asked, request: { ...asked.request, epoch: 2 } };
    const old = answersOf(asked, [1])[0]!;
    const fresh = answerOf(later, next.shares[1]!, nextKey);
    const checked = checkAnswer(pairing, { request: later.request, key: nextKey, answer: fresh });
    expect(codeOf(() => combineAnswers(pairing, { threshold: 2, answers: [old, checked] }))).toBe(
      "input-invalid",
    );
    const stale = answerOf(later, { ...committee.shares[0]!, epoch: 2 }, nextKey);
    expect(
      thrown(() => checkAnswer(pairing, { request: later.request, key: nextKey, answer: stale }))?.data,
    ).toEqual({ node: 1 });
    const relabelled = [{ ...old, digest: checked.digest }, checked];
    expect(codeOf(() => combineAnswers(pairing, { threshold: 2, answers: relabelled }))).toBe(
      "input-invalid",
    );
    const mixed = combineAnswers(pairing, {
      threshold: 2,
      answers: [{ ...old, digest: checked.digest, answer: { ...old.answer, epoch: 2 } }, checked],
    });
    const shared = gt.power([
      { base: decapsulate(pairing, { key: mixed, ...record }), exponent: asked.pair.recoveryKey },
    ]);
    expect(codeOf(() => recoverMessage(pairing, { ...record, shared }))).toBe("transform-invalid");
  });
});

test("commitments [α]g1 would be a master key: with r = 0 they open every policy, and here only e(g1, g2)^α is public", () => {
  const dealings = [...committee.dealings.values()];
  const alpha = dealings.reduce((sum, { coefficients }) => mod(sum + coefficients[0]!), 0n);
  const leaked = g1.multiply(g1.generator, alpha);
  const record = sealed("a@h and b@i and c@j");
  const shared = pairing.multiPairing([[leaked, record.encapsulation.c1]]);
  expect(recoverMessage(pairing, { ...record, shared }).message).toEqual(record.message);
  // What the transcript holds instead lives in GT, where no pairing with c1 is left to do.
  expect(gt.equal(mpk, gt.power([{ base: pairingBase(pairing), exponent: alpha }]))).toBe(true);
});
