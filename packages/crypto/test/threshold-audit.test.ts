// The committee's box (TDH2) and the signers' base key: t nodes give them, fewer do not, and the oracle that TDH2 denies.
import { describe, expect, test } from "vitest";
import { concat } from "../src/bytes.ts";
import { encode } from "../src/encoding.ts";
import { tagOf } from "../src/hash.ts";
import { hkdf } from "../src/kdf.ts";
import type { G1 } from "../src/pairing/pairing.ts";
import { mod } from "../src/pairing/scalar.ts";
import { randomBytes, randomScalar } from "../src/random.ts";
import {
  type AuditBox,
  auditCombine,
  auditEncrypt,
  auditLabel,
  auditShare,
  checkAuditShare,
  verifyAuditCiphertext,
} from "../src/threshold/audit.ts";
import { baseDigest, basePartial, checkBasePartial, combineBaseKey } from "../src/threshold/base-key.ts";
import { generation } from "../src/threshold/generation.ts";
import { claim, prove, verify } from "../src/threshold/proofs.ts";
import { lagrangeAtZero } from "../src/threshold/shamir.ts";
import {
  agreedOf,
  audit,
  chainId,
  codeOf,
  pairing,
  play,
  signing,
  subsets,
  thrown,
} from "./threshold-fixtures.ts";

const { g1 } = pairing;
const committee = play(generation(audit, { chainId, nodes: 3, threshold: 2 }));
const { key } = agreedOf(committee);
const [requestId, provider] = [new Uint8Array(32).fill(1), new Uint8Array(20).fill(2)];

function boxFor(label: Uint8Array, secret: Uint8Array): AuditBox {
  const ciphertext = auditEncrypt(pairing, { publicKey: key.publicKey, chainId, label, key: secret });
  return { chainId, label, ciphertext };
}

describe("a box to the committee", () => {
  const secret = randomBytes(32);
  const box = boxFor(auditLabel(requestId, provider), secret);
  const sharesOf = (nodes: readonly number[]) =>
    nodes.map((node) => auditShare(pairing, { box, key, share: committee.shares[node - 1]! }));

  test("opens with any t shares and with more", () => {
    expect(verifyAuditCiphertext(pairing, box)).toBe(true);
    for (const nodes of [...subsets(3, 2), [3, 1, 2]]) {
      expect(auditCombine(pairing, { box, key, shares: sharesOf(nodes) })).toEqual(secret);
    }
  });

  test("does not open with fewer, with one node twice, or by the algebra of t − 1", () => {
    expect(codeOf(() => auditCombine(pairing, { box, key, shares: sharesOf([1]) }))).toBe("input-invalid");
    expect(codeOf(() => auditCombine(pairing, { box, key, shares: sharesOf([1, 1]) }))).toBe("input-invalid");
    expect(codeOf(() => auditCombine(pairing, { box, key, shares: sharesOf([1, 2, 2]) }))).toBe(
      "input-invalid",
    );
    const alone = auditCombine(pairing, { box, key: { ...key, threshold: 1 }, shares: sharesOf([1]) });
    expect(alone).not.toEqual(secret);
  });

  test("names the node whose share is wrong, another node's, or of another box or epoch", () => {
    const [share] = sharesOf([2]);
    const other = boxFor(auditLabel(requestId, provider), secret);
    const foreign = auditShare(pairing, { box: other, key, share: committee.shares[1]! });
    const wrong = [
      { ...share!, value: g1.add(share!.value, g1.generator) },
      { ...share!, value: g1.zero },
      { ...share!, proof: { ...share!.proof, response: randomScalar() } },
      { ...share!, epoch: 2 },
      foreign,
      auditShare(pairing, { box, key, share: { ...committee.shares[1]!, secret: randomScalar() } }),
    ];
    for (const one of wrong) {
      const error = thrown(() => checkAuditShare(pairing, { box, key, share: one }));
      expect(error).toMatchObject({ code: "issue-invalid", data: { node: 2 } });
      expect(codeOf(() => auditCombine(pairing, { box, key, shares: [one, ...sharesOf([1, 3])] }))).toBe(
        "issue-invalid",
      );
    }
    for (const node of [1, 3, 4]) {
      expect(codeOf(() => checkAuditShare(pairing, { box, key, share: { ...share!, node } }))).toBe(
        "issue-invalid",
      );
    }
  });

  test("with anything of it changed does not verify, and no node touches it", () => {
    const { ciphertext, label } = box;
    const changed: AuditBox[] = [
      { ...box, label: label.with(0, label[0]! ^ 1) },
      { ...box, chainId: new Uint8Array(32) },
      { ...box, ciphertext: { ...ciphertext, masked: ciphertext.masked.with(0, ciphertext.masked[0]! ^ 1) } },
      { ...box, ciphertext: { ...ciphertext, point: g1.add(ciphertext.point, g1.generator) } },
      { ...box, ciphertext: { ...ciphertext, twin: g1.add(ciphertext.twin, g1.generator) } },
      { ...box, ciphertext: { ...ciphertext, point: g1.zero, twin: g1.zero } },
      { ...box, ciphertext: { ...ciphertext, proof: { ...ciphertext.proof, challenge: randomScalar() } } },
    ];
    for (const one of changed) {
      expect(verifyAuditCiphertext(pairing, one)).toBe(false);
      expect(codeOf(() => auditShare(pairing, { box: one, key, share: committee.shares[0]! }))).toBe(
        "signature-invalid",
      );
      expect(codeOf(() => auditCombine(pairing, { box: one, key, shares: sharesOf([1, 2]) }))).toBe(
        "signature-invalid",
      );
    }
  });
});

test("a box with R = 0, whose pad is known to all, is refused though its proof holds", () => {
  const [label, masked] = [auditLabel(requestId, provider), new Uint8Array(32)];
  const twinBase = g1.hash("chartseal-v1/authority/audit-base\0", [new Uint8Array(0)])[0]!;
  const claims = [audit.base, twinBase].map((base) => claim(audit.group, base, g1.zero));
  const purpose = { use: "authority/audit-proof", context: encode([chainId, label, masked]) } as const;
  const proof = prove(claims, 0n, purpose);
  expect(verify(claims, proof, purpose)).toBe(true);
  const ciphertext = { masked, point: g1.zero, twin: g1.zero, proof };
  expect(verifyAuditCiphertext(pairing, { chainId, label, ciphertext })).toBe(false);
});

describe("a stranger's R copied into a dispute of one's own", () => {
  const secret = randomBytes(32);
  const victim = boxFor(auditLabel(requestId, provider), secret);
  const label = auditLabel(new Uint8Array(32).fill(3), provider);

  /** What nodes that check no proof would do. */
  function weakened(point: G1): G1 {
    const weights = lagrangeAtZero([1, 2]);
    const terms = [0, 1].map((k) => ({ point, scalar: mod(weights[k]! * committee.shares[k]!.secret) }));
    return g1.linear([terms])[0]!;
  }

  function unmask(shared: G1): Uint8Array {
    const { point, masked } = victim.ciphertext;
    const material = concat(g1.encode(shared), g1.encode(point), victim.label);
    const pad = hkdf(material, new Uint8Array(0), tagOf("authority/audit-pad"), 32);
    return masked.map((byte, k) => byte ^ pad[k]!);
  }

  test("opens the stranger's box where nodes check no proof, plain and shifted by a known point", () => {
    expect(unmask(weakened(victim.ciphertext.point))).toEqual(secret);
    const y = randomScalar();
    const shifted = weakened(g1.add(victim.ciphertext.point, g1.multiply(g1.generator, y)));
    const back = g1.add(shifted, g1.negate(g1.multiply(key.publicKey, y)));
    expect(unmask(back)).toEqual(secret);
  });

  test("is refused by every node here, with the old proof, another box's proof, or R̄ of one's own", () => {
    const own = boxFor(label, randomBytes(32)).ciphertext;
    const attempts = [
      victim.ciphertext,
      { ...victim.ciphertext, proof: own.proof },
      { ...victim.ciphertext, masked: own.masked, proof: own.proof },
      { ...own, point: victim.ciphertext.point },
      { ...victim.ciphertext, twin: own.twin, proof: own.proof },
    ];
    for (const ciphertext of attempts) {
      const box = { chainId, label, ciphertext };
      expect(codeOf(() => auditShare(pairing, { box, key, share: committee.shares[0]! }))).toBe(
        "signature-invalid",
      );
    }
  });
});

describe("the base key of a signer", () => {
  const nodes = play(generation(signing, { chainId, nodes: 5, threshold: 3 }));
  const context = { space: signing, key: agreedOf(nodes).key, account: new Uint8Array(20).fill(5) };
  const partials = nodes.shares.map((share) => basePartial(pairing, { account: context.account, share }));
  const point = pairing.g1.hash("chartseal-v1/abs/abs-user\0", [context.account])[0]!;

  test("is [a0]K_0 by any t nodes", () => {
    const a0 = [...nodes.dealings.values()].reduce(
      (sum, { coefficients }) => mod(sum + coefficients[0]!),
      0n,
    );
    const expected = g1.multiply(point, a0);
    for (const chosen of [
      [1, 2, 3],
      [5, 3, 1],
      [1, 2, 3, 4, 5],
    ]) {
      const parts = chosen.map((node) => partials[node - 1]!);
      expect(g1.equal(combineBaseKey(pairing, context, parts), expected)).toBe(true);
    }
  });

  test("is refused for fewer than t, one node twice, and a wrong part, whose node is named", () => {
    const [one, two, three] = partials;
    expect(codeOf(() => combineBaseKey(pairing, context, [one!, two!]))).toBe("input-invalid");
    expect(codeOf(() => combineBaseKey(pairing, context, [one!, two!, two!]))).toBe("input-invalid");
    expect(codeOf(() => combineBaseKey(pairing, context, [one!, two!, three!, three!]))).toBe(
      "input-invalid",
    );
    const stranger = basePartial(pairing, { account: new Uint8Array(20), share: nodes.shares[2]! });
    for (const wrong of [
      stranger,
      { ...three!, epoch: 2 },
      { ...three!, value: g1.zero },
      { ...two!, node: 3 },
    ]) {
      expect(thrown(() => checkBasePartial(pairing, context, wrong))?.data).toEqual({ node: 3 });
      expect(codeOf(() => combineBaseKey(pairing, context, [one!, two!, wrong]))).toBe("issue-invalid");
    }
    expect(codeOf(() => checkBasePartial(pairing, context, { ...three!, node: 6 }))).toBe("issue-invalid");
  });

  test("is answered under a digest of chain, epoch and account", () => {
    const digests = [
      baseDigest(chainId, 1, context.account),
      baseDigest(chainId, 2, context.account),
      baseDigest(new Uint8Array(32), 1, context.account),
      baseDigest(chainId, 1, new Uint8Array(20)),
    ];
    expect(new Set(digests.map(String)).size).toBe(4);
  });
});
