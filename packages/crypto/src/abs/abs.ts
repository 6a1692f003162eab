/**
 * Attribute-based signatures: someone whose attributes satisfy this policy signed this, and nothing more (CRYPTO §3).
 * What the other parts call; the algebra is in scheme.ts. A signature is unforgeable but not strongly so: anyone can
 * re-randomise it, so nothing may depend on its bytes.
 */
import { concat, u32, utf8 } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import { fixed, type HashPart, hash, hashToScalar, reduce } from "../hash.ts";
import type { G1, G2, Pairing, Scalar } from "../pairing/pairing.ts";
import { encodeScalar, mod } from "../pairing/scalar.ts";
import { parseSigningAttribute } from "../policy/attribute.ts";
import { missing } from "../policy/satisfy.ts";
import { select } from "../policy/span-program.ts";
import { randomBytes } from "../random.ts";
import type { NamespaceLists, NamespaceSecret } from "./namespace-keys.ts";
import { type RowBases, rowBases, type SigningPolicy } from "./row-bases.ts";
import {
  attributeKeyPoint,
  attributeScalar,
  baseFits,
  type Claimed,
  equationsHold,
  parameters,
  rowBase,
  type Signature,
  signerPoint,
  signRows,
  wellFormed,
} from "./scheme.ts";
import { encodeSignature } from "./wire.ts";

/** What one member signs with. Secret. */
export interface SigningKeys {
  /** 20 bytes. */
  readonly account: Uint8Array;
  /** K_base. */
  readonly base: G1;
  /** `name@namespace#period` → K_u. */
  readonly attributes: ReadonlyMap<string, G1>;
}

/** What is signed: m, 32 bytes, for one chain and one kind of transaction. */
export interface Statement extends SigningPolicy {
  readonly chainId: Uint8Array;
  readonly kind: string;
  readonly message: Uint8Array;
}

/** A statement and what should be its signature. */
export interface Signed extends Statement {
  readonly signature: Signature;
}

/** h_0, the base of the committee's A0 = [a0]h_0. */
export function committeeBase(pairing: Pairing): G2 {
  return parameters(pairing).h(0);
}

/** K_0 of an account (20 bytes): nobody's choice. @throws ChartsealError `input-invalid` */
export function signerBasePoint(pairing: Pairing, account: Uint8Array): G1 {
  return signerPoint(pairing, account);
}

/** Is this K_base = [a0]K_0 of that account? */
export function checkSignerBase(
  pairing: Pairing,
  {
    account,
    base,
    committeeKey,
  }: { readonly account: Uint8Array; readonly base: G1; readonly committeeKey: G2 },
): boolean {
  return baseFits(pairing, signerPoint(pairing, account), base, committeeKey);
}

/**
 * K_u of the namespace's own attributes, each with its period, for the account that signed the request. K_0 is
 * recomputed from that account and never taken from the caller: else two people pool attributes.
 * @throws ChartsealError `issue-refused` for a K_base that is not this account's, `input-invalid` for an attribute that
 * is malformed or another namespace's
 */
export function attributeKeys(
  pairing: Pairing,
  {
    secret,
    attributes,
    account,
    base,
    committeeKey,
  }: {
    readonly secret: NamespaceSecret;
    readonly attributes: readonly string[];
    readonly account: Uint8Array;
    readonly base: G1;
    readonly committeeKey: G2;
  },
): Map<string, G1> {
  if (!checkSignerBase(pairing, { account, base, committeeKey })) {
    throw new ChartsealError("issue-refused", "the base key is not this account's");
  }
  return new Map(
    attributes.map((attribute) => {
      if (parseSigningAttribute(attribute).namespace !== secret.namespace) {
        throw new ChartsealError("input-invalid", "an attribute of another namespace", {
          data: { attribute },
        });
      }
      return [attribute, attributeKeyPoint(pairing, secret, attributeScalar(attribute), base)];
    }),
  );
}

/**
 * The signer's check of keys received: e(K_u, A_1 + [u]B_1) = e(K_base, h_1) for each, all in one product under fresh
 * random weights, one by one where that fails.
 * @throws ChartsealError `issue-invalid` with the first attribute whose key does not fit
 */
export function checkAttributeKeys(
  pairing: Pairing,
  keys: SigningKeys,
  namespaces: ReadonlyMap<string, NamespaceLists>,
): void {
  const items = [...keys.attributes].map(([attribute, key]): readonly [string, G1, G2] => {
    const lists = namespaces.get(parseSigningAttribute(attribute).namespace);
    const [A, B] = [lists?.A[0], lists?.B[0]];
    if (A === undefined || B === undefined || pairing.g1.isZero(key)) notFitting(attribute);
    return [attribute, key, rowBase(pairing, A, B, attributeScalar(attribute))];
  });
  if (keysFit(pairing, keys.base, items)) return;
  const wrong = items.find((item) => !keysFit(pairing, keys.base, [item]));
  notFitting(wrong?.[0] ?? "");
}

function notFitting(attribute: string): never {
  throw new ChartsealError("issue-invalid", "an attribute key does not fit", { data: { attribute } });
}

function keysFit(pairing: Pairing, base: G1, items: readonly (readonly [string, G1, G2])[]): boolean {
  const { g1 } = pairing;
  const weights = items.map(() => reduce(randomBytes(16)));
  const total = mod(-weights.reduce((sum, weight) => sum + weight, 0n));
  const scaled = g1.linear([
    [{ point: base, scalar: total }],
    ...items.map(([, key], i) => [{ point: key, scalar: weights[i] ?? 0n }]),
  ]);
  const bases = [parameters(pairing).h(1), ...items.map(([, , point]) => point)];
  return pairing.gt.isOne(pairing.multiPairing(scaled.map((point, i) => [point, bases[i] as G2])));
}

/**
 * Signs with the smallest set of the signer's attributes that satisfies the policy; the signature shows neither the
 * set nor the signer. 2ℓ + 2 multiplications in G1, one in G2 for each non-zero entry of the matrix.
 * @throws ChartsealError `policy-unsatisfied` with `missing`, and as `rowBases`
 */
export function sign(pairing: Pairing, statement: Statement, keys: SigningKeys): Signature {
  const bases = rowBases(pairing, statement);
  const { policy } = statement;
  const held = new Set(
    policy.attributes.filter((_, i) => keys.attributes.has(bases.signingAttributes[i] ?? "")),
  );
  const selection = select(policy, held);
  if (selection === undefined) {
    throw new ChartsealError("policy-unsatisfied", "the signing keys do not satisfy the policy", {
      data: { missing: missing(policy.tree, held) },
    });
  }
  const gamma = policy.attributes.map(() => 0n);
  for (const [at, row] of selection.rows.entries()) gamma[row] = selection.coefficients[at] ?? 0n;
  return signRows(pairing, bases, messageScalar(statement, bases), {
    K0: signerPoint(pairing, keys.account),
    Kbase: keys.base,
    gamma,
    K: bases.signingAttributes.map((attribute) => keys.attributes.get(attribute)),
  });
}

/** μ = H_p("…/abs-msg", chain id, kind, canonical policy with periods, SHA-256 of the row namespaces' lists, m). */
export function messageScalar(statement: Statement, bases: RowBases): Scalar {
  const { chainId, kind, message } = statement;
  if (message.length !== 32 || chainId.length !== 32) {
    throw new ChartsealError("input-invalid", "what is signed and the chain id are 32 bytes each");
  }
  return hashToScalar("abs/abs-msg", chainId, utf8(kind), utf8(bases.text), bases.namespacesDigest, message);
}

/** Does the signature verify? ℓ + 3 Miller loops and one final exponentiation; false for anything malformed. */
export function verify(pairing: Pairing, committeeKey: G2, signed: Signed): boolean {
  return verifyBatch(pairing, committeeKey, [signed]).length === 0;
}

/**
 * The indexes, ascending, of the signatures that do not verify. One final exponentiation where all do; a failing batch
 * is halved until the bad ones stand alone. The weights follow from every byte of the batch, so that all validators
 * agree and no signer can predict them.
 */
export function verifyBatch(pairing: Pairing, committeeKey: G2, batch: readonly Signed[]): readonly number[] {
  const bad: number[] = [];
  const items: Item[] = [];
  for (const [index, signed] of batch.entries()) {
    const item = prepare(pairing, signed, index);
    if (item === undefined) bad.push(index);
    else items.push(item);
  }
  bad.push(...bisect(pairing, committeeKey, items));
  return bad.sort((a, b) => a - b);
}

interface Item extends Claimed {
  readonly index: number;
  readonly rows: RowBases;
  readonly signature: Signature;
}

/** Undefined for what no pairing is needed to refuse. */
function prepare(pairing: Pairing, signed: Signed, index: number): Item | undefined {
  try {
    const rows = rowBases(pairing, signed);
    const item = { index, rows, mu: messageScalar(signed, rows), signature: signed.signature };
    return wellFormed(pairing, item) ? item : undefined;
  } catch (error) {
    if (error instanceof ChartsealError && error.code !== "defect") return undefined;
    throw error;
  }
}

function bisect(pairing: Pairing, committeeKey: G2, items: readonly Item[]): number[] {
  if (items.length === 0) return [];
  if (equationsHold(pairing, committeeKey, items, batchWeights(pairing, committeeKey, items))) return [];
  if (items.length === 1) return items.map(({ index }) => index);
  const middle = items.length >> 1;
  return [items.slice(0, middle), items.slice(middle)].flatMap((half) => bisect(pairing, committeeKey, half));
}

/**
 * ρ_0 = 1, ρ_j = the first 16 bytes of SHA-256("…/abs-batch" ‖ E ‖ u32 j); E = SHA-256 over parameters, A0, and of each
 * signature row bases, canonical policy with periods, μ and all its bytes.
 */
export function batchWeights(
  pairing: Pairing,
  committeeKey: G2,
  items: readonly (Claimed & { readonly rows: RowBases })[],
): (equation: number) => Scalar {
  const { g1, g2 } = pairing;
  const { g, C, h } = parameters(pairing);
  const start = concat(g1.encode(g), g1.encode(C), g2.encode(h(0)), g2.encode(h(1)), g2.encode(committeeKey));
  const parts = items.flatMap(({ rows, mu, signature }): HashPart[] => [
    fixed(rows.basesDigest),
    utf8(rows.text),
    fixed(encodeScalar(mu)),
    encodeSignature(pairing, signature),
  ]);
  const seed = hash("abs/abs-batch-seed", fixed(start), ...parts);
  return (equation) => {
    if (equation === 0) return 1n;
    return reduce(hash("abs/abs-batch", fixed(seed), fixed(u32(equation))).subarray(0, 16));
  };
}
