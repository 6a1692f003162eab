// The published vectors of attribute-based signatures (spec/4-abs.md, spec/vectors/abs.json), reproduced bit for bit by
// the default backend and by the independent oracle over @noble/curves.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { attributeKeys, batchWeights, messageScalar, type Statement, sign, verify } from "../src/abs/abs.ts";
import { namespaceLists, verifyNamespaceKeys } from "../src/abs/namespace-keys.ts";
import { rowBases } from "../src/abs/row-bases.ts";
import { attributeScalar, parameters, signerPoint } from "../src/abs/scheme.ts";
import {
  decodeSignature,
  encodeNamespaceLists,
  encodeNamespaceProof,
  encodeSignature,
} from "../src/abs/wire.ts";
import { fromBigInt, fromHex, toBigInt, toHex, utf8 } from "../src/bytes.ts";
import { reduce, sha256 } from "../src/hash.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import { order, type Pairing, type Scalar } from "../src/pairing/pairing.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomScalar } from "../src/random.ts";
import { seedRandomness } from "../src/random-seam.ts";
import { nobleOracle } from "./noble-oracle.ts";

const policies = [
  "cardiologist@cedars",
  "cardiologist@cedars and researcher@trial-7",
  "chief@cedars or 2 of (cardiologist@cedars, nurse@cedars, researcher@trial-7) and researcher@trial-7",
] as const;
const namespaceNames = ["cedars", "trial-7"] as const;
const columns = 4;
const period = "2026q4";

const hex32 = (x: Scalar): string => toHex(fromBigInt(x, 32));
/** A scalar of the recipe: OS2IP(SHA-256(name ‖ "0") ‖ SHA-256(name ‖ "1")) mod p. */
const scalarOf = (name: string): Scalar =>
  reduce(new Uint8Array([...sha256(utf8(`${name}0`)), ...sha256(utf8(`${name}1`))]));
const bytesOf = (name: string): Uint8Array => sha256(utf8(name));

/** Runs with the seam's stream for a seed; the scalars that it gives first are returned beside. */
function seeded<T>(seed: string, draws: number, run: () => T): { draws: string[]; result: T } {
  const replay = seedRandomness(seed);
  const first = Array.from({ length: draws }, () => hex32(randomScalar()));
  replay();
  const restore = seedRandomness(seed);
  try {
    return { draws: first, result: run() };
  } finally {
    restore();
  }
}

/** Everything in spec/vectors/abs.json but its recipe. */
export function computeVectors(pairing: Pairing) {
  const { g1, g2 } = pairing;
  const { g, C, h } = parameters(pairing);
  const chainId = bytesOf("abs vectors: chain");
  const a0 = scalarOf("abs vectors: a0");
  const account = bytesOf("abs vectors: account").slice(0, 20);
  const base = g1.multiply(signerPoint(pairing, account), a0);
  const committeeKey = g2.multiply(h(0), a0);
  const namespaces = namespaceNames.map((namespace) => {
    const secret = {
      namespace,
      a: scalarOf(`abs vectors: a ${namespace}`),
      b: scalarOf(`abs vectors: b ${namespace}`),
    };
    const identity = {
      chainId,
      namespace,
      account: bytesOf(`abs vectors: account ${namespace}`).slice(0, 20),
    };
    const { draws, result } = seeded(`abs vectors: proof ${namespace}`, 2, () =>
      namespaceLists(pairing, identity, secret, columns),
    );
    return { secret, identity, ...result, nonces: draws };
  });
  const held = ["cardiologist@cedars", "researcher@trial-7"].map((attribute) => `${attribute}#${period}`);
  const keys = new Map(
    held.flatMap((attribute) => {
      const { secret } = namespaces[attribute.includes("@cedars") ? 0 : 1] as (typeof namespaces)[number];
      return [...attributeKeys(pairing, { secret, attributes: [attribute], account, base, committeeKey })];
    }),
  );
  const lists = new Map(namespaces.map(({ identity, lists: own }) => [identity.namespace, own]));
  const signatures = policies.map((text, i) => {
    const policy = parsePolicy(text);
    const statement: Statement = {
      policy,
      periods: new Map(policy.attributes.map((attribute) => [attribute, period])),
      namespaces: lists,
      chainId,
      kind: "deposit",
      message: bytesOf(`abs vectors: message ${i}`),
    };
    const rows = rowBases(pairing, statement);
    const { draws, result } = seeded(`abs vectors: signature ${i}`, 1 + rows.program.rows.length, () =>
      sign(pairing, statement, { account, base, attributes: keys }),
    );
    const mu = messageScalar(statement, rows);
    const weight = batchWeights(pairing, committeeKey, [{ rows, mu, signature: result }]);
    return {
      policy: text,
      signedText: rows.text,
      kind: statement.kind,
      message: toHex(statement.message),
      namespacesDigest: toHex(rows.namespacesDigest),
      mu: hex32(mu),
      r: draws,
      signature: toHex(encodeSignature(pairing, result)),
      weights: Array.from({ length: 1 + rows.program.columns }, (_, k) => toHex(fromBigInt(weight(k), 16))),
      verified: verify(pairing, committeeKey, { ...statement, signature: result }),
    };
  });
  return {
    g: toHex(g1.encode(g)),
    C: toHex(g1.encode(C)),
    h: [0, 1, 2, 256].map((j) => [j, toHex(g2.encode(h(j)))]),
    chainId: toHex(chainId),
    a0: hex32(a0),
    A0: toHex(g2.encode(committeeKey)),
    account: toHex(account),
    K0: toHex(g1.encode(signerPoint(pairing, account))),
    Kbase: toHex(g1.encode(base)),
    namespaces: namespaces.map(({ secret, identity, lists: own, proof, nonces }) => ({
      namespace: identity.namespace,
      account: toHex(identity.account),
      a: hex32(secret.a),
      b: hex32(secret.b),
      lists: toHex(encodeNamespaceLists(pairing, own)),
      nonces,
      proof: toHex(encodeNamespaceProof(proof)),
      verified: verifyNamespaceKeys(pairing, identity, { lists: own, proof }),
    })),
    keys: held.map((attribute) => ({
      attribute,
      u: hex32(attributeScalar(attribute)),
      K: toHex(g1.encode(keys.get(attribute) ?? g1.zero)),
    })),
    signatures,
  };
}

const file = JSON.parse(readFileSync(new URL("../../../spec/vectors/abs.json", import.meta.url), "utf8")) as {
  recipe: string;
} & ReturnType<typeof computeVectors>;

describe.each(["mcl-wasm", "@noble/curves"])("%s reproduces", (name) => {
  let pairing: Pairing;
  let computed: ReturnType<typeof computeVectors>;
  beforeAll(async () => {
    pairing = name === "mcl-wasm" ? await loadPairing() : nobleOracle;
    computed = computeVectors(pairing);
  });

  test("every element of the published vectors", () => {
    const { recipe, ...published } = file;
    expect(recipe).toBe("spec/4-abs.md");
    expect(computed).toEqual(published);
    expect(computed.signatures.every(({ verified }) => verified)).toBe(true);
    expect(computed.namespaces.every(({ verified }) => verified)).toBe(true);
  });
});

test("the published signatures follow from their r by the formulas of the spec alone", () => {
  // Σ over exponents, on the noble oracle's points only: no code of src/abs but the parameters' hashing.
  const pairing = nobleOracle;
  const { g1, g2 } = pairing;
  const mod = (x: bigint): bigint => ((x % order) + order) % order;
  const [first] = file.signatures;
  const [key] = file.keys;
  if (first === undefined || key === undefined) throw new Error("no vector");
  const [r0, r1] = first.r.map((text) => toBigInt(fromHex(text))) as [bigint, bigint];
  const { Y, W, S, P } = decodeSignature(pairing, fromHex(first.signature));
  const [a, b, u, a0] = [file.namespaces[0]?.a, file.namespaces[0]?.b, key.u, file.a0].map((text) =>
    toBigInt(fromHex(text ?? "")),
  ) as [bigint, bigint, bigint, bigint];
  const K0 = g1.decode(fromHex(file.K0));
  const [g, C] = [g1.decode(fromHex(file.g)), g1.decode(fromHex(file.C))];
  const h1 = g2.decode(fromHex(String(file.h[1]?.[1])));
  const message = g1.add(C, g1.multiply(g, toBigInt(fromHex(first.mu))));
  expect(g1.equal(W, g1.multiply(K0, r0))).toBe(true);
  expect(g1.equal(Y, g1.multiply(K0, mod(a0 * r0)))).toBe(true);
  // [a + b·u]S_1 = [r0]K_base + [(a + b·u) r1](C + [μ]g) needs no inversion.
  const denominator = mod(a + b * u);
  const left = g1.multiply(S[0] ?? g1.zero, denominator);
  expect(g1.equal(left, g1.add(Y, g1.multiply(message, mod(denominator * r1))))).toBe(true);
  expect(g2.equal(P[0] ?? g2.zero, g2.multiply(h1, mod(denominator * r1)))).toBe(true);
});
