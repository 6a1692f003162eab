/**
 * spec/vectors/threshold.json, bit for bit: by the default backend and by the oracle, which shares no group code with it.
 * CHARTSEAL_WRITE_VECTORS=1 draws the file's secrets anew from a seed; everything else in it follows from them
 * (spec/8-authority.md tells the recipe). Proofs are held to their bytes by verifying them: the verifier computes the
 * commitments and hashes them to the challenge again.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { committeeBase } from "../src/abs/abs.ts";
import { concat, fromHex, toHex } from "../src/bytes.ts";
import { proveBlind, transformKeyPair } from "../src/cpabe/blind.ts";
import { attributePoints, baseB } from "../src/cpabe/scheme.ts";
import { encodeAttributeKey } from "../src/cpabe/wire.ts";
import { encode } from "../src/encoding.ts";
import { tagged } from "../src/hash.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import type { GT, Pairing } from "../src/pairing/pairing.ts";
import { decodeScalar, encodeScalar } from "../src/pairing/scalar.ts";
import { seedRandomness } from "../src/random-seam.ts";
import {
  auditCombine,
  auditEncrypt,
  auditLabel,
  auditShare,
  decodeAuditCiphertext,
  decodeAuditShare,
  encodeAuditCiphertext,
  encodeAuditShare,
} from "../src/threshold/audit.ts";
import { baseDigest, basePartial, combineBaseKey, encodeBasePartial } from "../src/threshold/base-key.ts";
import {
  commitOf,
  type NodeShare,
  ownShare,
  revealOf,
  shareFor,
  startDealing,
} from "../src/threshold/dkg.ts";
import {
  decodeReveal,
  encodeCommit,
  encodeReveal,
  shareEnvelopeBytes,
  shareInfo,
} from "../src/threshold/dkg-messages.ts";
import { conclude } from "../src/threshold/dkg-verify.ts";
import {
  type CommitteeKey,
  encodeCommitteeKey,
  type Generation,
  generation,
  type Origin,
} from "../src/threshold/generation.ts";
import { auditKeySpace, type KeySpace, readingKeySpace, signingKeySpace } from "../src/threshold/group.ts";
import {
  answerIssue,
  answerParts,
  checkAnswer,
  combineAnswers,
  decodeAnswer,
  encodeAnswer,
  type IssueRequest,
  issueDigest,
} from "../src/threshold/issue.ts";
import { nobleOracle } from "./noble-oracle.ts";

const file = new URL("../../../spec/vectors/threshold.json", import.meta.url);

interface RunVector {
  readonly name: string;
  readonly nodes: number;
  readonly threshold: number;
  readonly session: string;
  readonly dealers: readonly {
    readonly dealer: number;
    readonly coefficients: readonly string[];
    readonly commit: string;
    readonly reveal: string;
    readonly shares: readonly string[];
  }[];
  readonly shareInfo: string;
  readonly key: string;
  readonly nodeShares: readonly string[];
}

interface Vectors {
  readonly about: string;
  readonly chainId: string;
  /** reading, signing, audit, then a refresh of audit to epoch 2 and its resharing to 3 of 4 nodes. */
  readonly runs: readonly RunVector[];
  readonly issue: {
    readonly requestId: string;
    readonly account: string;
    readonly attributes: readonly string[];
    readonly provider: string;
    readonly recoveryKey: string;
    readonly blinded: string;
    readonly digest: string;
    readonly answers: readonly {
      readonly node: number;
      readonly r: string;
      readonly answer: string;
      readonly signed: string;
    }[];
    readonly key: string;
  };
  readonly base: {
    readonly account: string;
    readonly digest: string;
    readonly partials: readonly string[];
    readonly key: string;
  };
  readonly audit: {
    readonly label: string;
    readonly key: string;
    readonly x: string;
    readonly ciphertext: string;
    readonly shares: readonly string[];
  };
}

const chainId = new Uint8Array(32).fill(0xc5);
const account = new Uint8Array(20).fill(0xac);
const provider = new Uint8Array(20).fill(0x99);
const requestId = new Uint8Array(32).fill(0x1d);
const attributes = ["cardiologist@cedars", "researcher@mercy"];
const scalarHex = (scalar: bigint) => toHex(encodeScalar(scalar));
const scalarOf = (hex: string) => decodeScalar(fromHex(hex));

function spaces(pairing: Pairing) {
  return {
    reading: readingKeySpace(pairing),
    signing: signingKeySpace(pairing, committeeBase(pairing)),
    audit: auditKeySpace(pairing),
  };
}

/** Runs a step under a seed of its own. */
function seeded<T>(step: string, action: () => T): T {
  const restore = seedRandomness(`threshold vector/${step}`);
  try {
    return action();
  } finally {
    restore();
  }
}

interface Played<P> {
  readonly vector: RunVector;
  readonly key: CommitteeKey<P>;
  readonly shares: readonly NodeShare[];
}

/** A run from its vector where there is one: dealings and proofs are taken from it, and all else is computed. */
function playRun<P>(
  name: string,
  run: Generation<P>,
  previous: readonly NodeShare[],
  given?: RunVector,
): Played<P> {
  const dealings = run.dealers.map((dealer, k) => {
    const coefficients = given?.dealers[k]?.coefficients.map(scalarOf);
    const held = previous.find(({ index }) => index === dealer);
    if (coefficients !== undefined) return { dealer, coefficients };
    return seeded(`${name}/dealing ${dealer}`, () => startDealing(run, dealer, held));
  });
  const reveals = dealings.map((dealing, k) => {
    const taken = given?.dealers[k]?.reveal;
    if (taken !== undefined) return decodeReveal(run, fromHex(taken));
    return seeded(`${name}/reveal ${dealing.dealer}`, () => revealOf(run, dealing));
  });
  const commits = dealings.map((dealing) => commitOf(run, dealing));
  const envelopes = Array.from({ length: run.nodes }, () => new Uint8Array(shareEnvelopeBytes));
  const deals = run.dealers.map((dealer) => ({ dealer, envelopes }));
  const conclusion = conclude(run, { commits, reveals, deals, complaints: [], published: [] });
  if (conclusion.kind === "aborted") throw new Error(`aborted: ${JSON.stringify(conclusion.excluded)}`);
  const indices = Array.from({ length: run.nodes }, (_, k) => k + 1);
  const shares = indices.map((index) => {
    const received = new Map(dealings.map((dealing) => [dealing.dealer, shareFor(run, dealing, index)]));
    const before = previous.find((share) => share.index === index);
    return ownShare(run, conclusion, {
      index,
      received,
      ...(before === undefined ? {} : { previous: before }),
    });
  });
  const vector = {
    name,
    nodes: run.nodes,
    threshold: run.threshold,
    session: toHex(run.session),
    dealers: dealings.map((dealing, k) => ({
      dealer: dealing.dealer,
      coefficients: dealing.coefficients.map(scalarHex),
      commit: toHex(encodeCommit(commits[k]!)),
      reveal: toHex(encodeReveal(run, reveals[k]!)),
      shares: indices.map((index) => scalarHex(shareFor(run, dealing, index))),
    })),
    shareInfo: toHex(shareInfo(run, run.dealers[0]!, 2)),
    key: toHex(encodeCommitteeKey(run.space, conclusion.key)),
    nodeShares: shares.map(({ secret }) => scalarHex(secret)),
  };
  return { vector, key: conclusion.key, shares };
}

function make(pairing: Pairing, given?: Vectors): Vectors {
  const { reading, signing, audit } = spaces(pairing);
  const first = <P>(space: KeySpace<P>, at: number) =>
    playRun(space.name, generation(space, { chainId, nodes: 3, threshold: 2 }), [], given?.runs[at]);
  const again = <P>(
    name: string,
    space: KeySpace<P>,
    size: readonly [number, number],
    origin: Origin<P>,
    before: readonly NodeShare[],
    at: number,
  ) =>
    playRun(
      name,
      generation(space, { chainId, threshold: size[0], nodes: size[1], origin }),
      before,
      given?.runs[at],
    );
  const [alpha, a0, delta] = [first(reading, 0), first(signing, 1), first(audit, 2)];
  const refreshed = again(
    "audit refreshed",
    audit,
    [2, 3],
    { kind: "refresh", previous: delta.key },
    delta.shares,
    3,
  );
  const origin = { kind: "reshare", previous: refreshed.key, dealers: [1, 3] } as const;
  const reshared = again("audit reshared", audit, [3, 4], origin, refreshed.shares, 4);
  return {
    about:
      "Key generation, threshold issuance, base keys and the committee's box; the recipe is in spec/8-authority.md, Vectors.",
    chainId: toHex(chainId),
    runs: [alpha, a0, delta, refreshed, reshared].map(({ vector }) => vector),
    issue: makeIssue(pairing, alpha, given?.issue),
    base: makeBase(pairing, signing, a0),
    audit: makeAudit(pairing, delta, given?.audit),
  };
}

function makeIssue(
  pairing: Pairing,
  { key, shares }: Played<GT>,
  given?: Vectors["issue"],
): Vectors["issue"] {
  const { g1, g2 } = pairing;
  const recoveryKey =
    given === undefined
      ? seeded("z", () => transformKeyPair(pairing)).recoveryKey
      : scalarOf(given.recoveryKey);
  const pair = {
    recoveryKey,
    blinded:
      given === undefined
        ? seeded("z", () => transformKeyPair(pairing)).blinded
        : g1.decode(fromHex(given.blinded)),
  };
  const unblinded = g1.multiply(pair.blinded, recoveryKey);
  expect(g1.equal(unblinded, g1.generator)).toBe(true);
  const request: IssueRequest = {
    chainId,
    epoch: 1,
    requestId,
    account,
    blinded: pair.blinded,
    attributes,
    provider,
    mode: "transform",
  };
  const digest = issueDigest(pairing, request);
  const answers = [1, 3].map((node, k) => {
    const share = shares[node - 1]!;
    const proof = proveBlind(pairing, { pair, digest });
    const taken = given?.answers[k];
    const answer =
      taken === undefined
        ? seeded(`answer ${node}`, () => answerIssue(pairing, { request, proof, key, share }))
        : decodeAnswer(pairing, fromHex(taken.answer), attributes.length);
    // r is the first scalar that the node draws.
    const r =
      taken === undefined
        ? seeded(`answer ${node}`, () => transformKeyPair(pairing)).recoveryKey
        : scalarOf(taken.r);
    const points = [baseB(pairing), ...attributePoints(pairing, attributes)].map((point) =>
      g1.multiply(point, r),
    );
    const raised = g1.multiply(pair.blinded, share.secret);
    const image = pairing.multiPairing([[raised, g2.generator]]);
    const parts = {
      k1: g1.add(raised, points[0]!),
      k2: points.slice(1),
      k3: g2.multiply(g2.generator, r),
      image,
    };
    const bytes = encodeAnswer(pairing, { epoch: 1, node, ...parts, proof: answer.proof });
    expect(toHex(bytes)).toBe(toHex(encodeAnswer(pairing, answer)));
    checkAnswer(pairing, { request, key, answer });
    const signed = toHex(tagged("authority/answer", ...answerParts(digest, node, bytes)).subarray(0, 80));
    return { answer, vector: { node, r: scalarHex(r), answer: toHex(bytes), signed } };
  });
  const checked = answers.map(({ answer }) => checkAnswer(pairing, { request, key, answer }));
  const combined = combineAnswers(pairing, { threshold: 2, answers: checked });
  return {
    requestId: toHex(requestId),
    account: toHex(account),
    attributes,
    provider: toHex(provider),
    recoveryKey: scalarHex(recoveryKey),
    blinded: toHex(g1.encode(pair.blinded)),
    digest: toHex(digest),
    answers: answers.map(({ vector }) => vector),
    key: toHex(encode(encodeAttributeKey(pairing, combined))),
  };
}

function makeBase(
  pairing: Pairing,
  space: ReturnType<typeof spaces>["signing"],
  { key, shares }: Played<typeof space.base>,
): Vectors["base"] {
  const partials = [1, 2].map((node) => basePartial(pairing, { account, share: shares[node - 1]! }));
  return {
    account: toHex(account),
    digest: toHex(baseDigest(chainId, 1, account)),
    partials: partials.map((partial) => toHex(encodeBasePartial(pairing, partial))),
    key: toHex(pairing.g1.encode(combineBaseKey(pairing, { space, key, account }, partials))),
  };
}

function makeAudit(
  pairing: Pairing,
  { key, shares }: Played<ReturnType<typeof spaces>["audit"]["base"]>,
  given?: Vectors["audit"],
): Vectors["audit"] {
  const { g1 } = pairing;
  const label = auditLabel(requestId, provider);
  const secret = new Uint8Array(32).fill(0x5e);
  const sealed = () => auditEncrypt(pairing, { publicKey: key.publicKey, chainId, label, key: secret });
  const ciphertext =
    given === undefined ? seeded("box", sealed) : decodeAuditCiphertext(pairing, fromHex(given.ciphertext));
  // x is the first scalar that the sender draws.
  const x =
    given === undefined ? seeded("box", () => transformKeyPair(pairing)).recoveryKey : scalarOf(given.x);
  expect(g1.equal(ciphertext.point, g1.multiply(g1.generator, x))).toBe(true);
  const box = { chainId, label, ciphertext };
  const opened = [2, 3].map((node, k) => {
    const made = seeded(`opening ${node}`, () => auditShare(pairing, { box, key, share: shares[node - 1]! }));
    const taken = given === undefined ? made : decodeAuditShare(pairing, fromHex(given.shares[k]!));
    expect(g1.equal(made.value, taken.value)).toBe(true);
    return taken;
  });
  expect(auditCombine(pairing, { box, key, shares: opened })).toEqual(secret);
  return {
    label: toHex(label),
    key: toHex(secret),
    x: scalarHex(x),
    ciphertext: toHex(encodeAuditCiphertext(pairing, ciphertext)),
    shares: opened.map((share) => toHex(encodeAuditShare(pairing, share))),
  };
}

const backends: Record<string, Pairing> = {
  "the default backend": await loadPairing(),
  "the oracle": nobleOracle,
};

describe("the published vectors", () => {
  if (process.env.CHARTSEAL_WRITE_VECTORS === "1") {
    writeFileSync(file, `${JSON.stringify(make(backends["the default backend"]!), null, 1)}\n`);
  }
  const published = JSON.parse(readFileSync(file, "utf8")) as Vectors;

  test.each(Object.entries(backends))("follow from their secrets and verify, by %s", (_name, pairing) => {
    expect(make(pairing, published)).toEqual(published);
  });

  test("are what the seeds give", () => {
    expect(make(backends["the default backend"]!)).toEqual(published);
  });

  test("show what a node signs: the tag, d, its index, the answer's length", () => {
    const { digest, answers } = published.issue;
    const { node, answer, signed } = answers[0]!;
    const head = concat(
      new TextEncoder().encode("chartseal-v1/authority/answer\0"),
      fromHex(digest),
      Uint8Array.of(0, 0, 0, node),
    );
    const size = new Uint8Array(8);
    new DataView(size.buffer).setBigUint64(0, BigInt(answer.length / 2));
    const whole = concat(head, size, fromHex(answer));
    expect(toHex(whole.subarray(0, 80))).toBe(signed);
  });
});
