/**
 * FABEO ciphertext-policy attribute-based encryption, as a key encapsulation: the algebra and nothing else.
 * Riepel, Wee: FABEO: Fast Attribute-Based Encryption with Optimal Security, ACM CCS 2022, figure 1 left (CRYPTO §2).
 *
 * Letters of the paper:  α master secret · b = H1("…/base") · H(u) = H1("…/attr" ‖ u) · S attributes of a key ·
 *   r randomness of a key · k1, k2_u, k3 the key · M matrix of the policy, ρ(i) attribute of row i, λ = M·(s1, v) ·
 *   τ how often the most repeated attribute occurs, j(i) ∈ 1…τ which of its occurrences row i is ·
 *   s1, s'_j, v_k scalars of a ciphertext · c1, c2_j, c3_i the ciphertext · I, γ rows and coefficients that open it ·
 *   K = mpk^{s1} the encapsulated element.
 * Sizes: key 48 + 48·|S| + 96 bytes, ciphertext 96 + 96·τ + 48·ℓ bytes for ℓ rows.
 */
import { concat, u64, utf8 } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import type { G1, G2, GT, Pairing, Scalar, Term } from "../pairing/pairing.ts";
import { mod } from "../pairing/scalar.ts";
import type { Policy } from "../policy/policy.ts";
import { type SpanProgram, spanProgram } from "../policy/span-program.ts";
import { randomScalar } from "../random.ts";
import { tag } from "../tags.ts";

/**
 * A user's key: k1 = [α]g1 + [r]b, k2_u = [r]H(u), k3 = [r]g2 ≠ 0. A transform key is the same with Z in place of g1,
 * and an answer of one authority node the same with its share α_i in place of α.
 */
export interface AttributeKey {
  readonly k1: G1;
  readonly k2: ReadonlyMap<string, G1>;
  readonly k3: G2;
}

/** c1 = [s1]g2 ≠ 0, c2_j = [s'_j]g2, c3_i = [λ_i]b + [s'_{j(i)}]H(ρ(i)). */
export interface Ciphertext {
  readonly c1: G2;
  readonly c2: readonly G2[];
  readonly c3: readonly G1[];
}

/** The scalars of one ciphertext: s1, s'_1 … s'_τ, and v_2 … v_c for the other columns of the matrix. */
export interface EncapsScalars {
  readonly s1: Scalar;
  readonly sPrime: readonly Scalar[];
  readonly v: readonly Scalar[];
}

/** A policy's matrix with the numbering of repeated attributes. */
export interface Shape {
  readonly program: SpanProgram;
  /** j(i), from 1, one a row. */
  readonly occurrence: readonly number[];
  /** τ */
  readonly tau: number;
}

/** Matrix, j and τ of a policy, counted over its canonical leaves: one row a leaf, in text order. */
export function shapeOf(policy: Policy): Shape {
  const program = spanProgram(policy);
  const seen = new Map<string, number>();
  const occurrence = program.rows.map(({ attribute }) => {
    const count = (seen.get(attribute) ?? 0) + 1;
    seen.set(attribute, count);
    return count;
  });
  return { program, occurrence, tau: Math.max(...occurrence) };
}

/** b, the base that carries the shares. */
export function baseB(pairing: Pairing): G1 {
  return pairing.g1.hash(tag("cpabe/base"), [new Uint8Array(0)])[0]!;
}

/** H(u) of each attribute; an attribute is of variable length, so its u64 length stands before it. */
export function attributePoints(pairing: Pairing, attributes: readonly string[]): G1[] {
  const messages = attributes.map((attribute) => {
    const name = utf8(attribute);
    return concat(u64(name.length), name);
  });
  return pairing.g1.hash(tag("cpabe/attr"), messages);
}

/** e(g1, g2) */
export function pairingBase(pairing: Pairing): GT {
  return pairing.multiPairing([[pairing.g1.generator, pairing.g2.generator]]);
}

/** Setup with the master secret in one hand, for tests and benchmarks: α, mpk = e(g1, g2)^α (576 bytes encoded). */
export function setup(pairing: Pairing): { alpha: Scalar; mpk: GT } {
  const alpha = randomScalar({ nonZero: true });
  return { alpha, mpk: pairing.gt.powerSplit(pairingBase(pairing), alpha) };
}

/**
 * KeyGen(α, S) with Z in place of g1 where `blinded` is given: k1 = [α]Z + [r]b, k2_u = [r]H(u), k3 = [r]g2, r fresh
 * from the CSPRNG and never zero. α may be a node's share α_i. |S| + 2 multiplications in G1 (α is split), one in G2.
 */
export function keygen(
  pairing: Pairing,
  options: { alpha: Scalar; attributes: Iterable<string>; blinded?: G1 },
): AttributeKey {
  const { g1, g2 } = pairing;
  const attributes = [...new Set(options.attributes)];
  const r = randomScalar({ nonZero: true });
  const points = [baseB(pairing), ...attributePoints(pairing, attributes)];
  const [rb, ...k2] = g1.linear(points.map((point) => [{ point, scalar: r, fixed: true }]));
  const k1 = g1.add(g1.multiplySplit(options.blinded ?? g1.generator, options.alpha), rb!);
  const k3 = g2.linear([[{ point: g2.generator, scalar: r, fixed: true }]])[0]!;
  return { k1, k2: new Map(attributes.map((attribute, i) => [attribute, k2[i]!])), k3 };
}

/** λ = M·(s1, v_2 … v_c), one share a row. */
export function shares(program: SpanProgram, { s1, v }: Pick<EncapsScalars, "s1" | "v">): Scalar[] {
  const vector = [s1, ...v];
  return program.rows.map(({ entries }) => {
    let sum = 0n;
    for (const [column, value] of entries) sum += value * vector[column]!;
    return mod(sum);
  });
}

/** c1, c2, c3: ℓ double multiplications in G1 and 1 + τ in G2. */
export function encaps(pairing: Pairing, shape: Shape, scalars: EncapsScalars): Ciphertext {
  const { g1, g2 } = pairing;
  const lambda = shares(shape.program, scalars);
  const b = baseB(pairing);
  const names = [...new Set(shape.program.rows.map((row) => row.attribute))];
  const hashed = attributePoints(pairing, names);
  const pointOf = new Map(names.map((name, i) => [name, hashed[i]!]));
  const c3 = g1.linear(
    shape.program.rows.map(({ attribute }, i): Term<G1>[] => [
      { point: b, scalar: lambda[i]!, fixed: true },
      { point: pointOf.get(attribute)!, scalar: scalars.sPrime[shape.occurrence[i]! - 1]!, fixed: true },
    ]),
  );
  const exponents = [scalars.s1, ...scalars.sPrime];
  const [c1, ...c2] = g2.linear(exponents.map((scalar) => [{ point: g2.generator, scalar, fixed: true }]));
  return { c1: c1!, c2, c3 };
}

/** K = mpk^{s1}, one exponentiation in GT. */
export function encapsulated(pairing: Pairing, mpk: GT, s1: Scalar): GT {
  return pairing.gt.power([{ base: mpk, exponent: s1, fixed: true }]);
}

/**
 * Decaps: K = e(k1, c1) · Π_j e(Σ_{i∈I, j(i)=j} [γ_i]k2_{ρ(i)}, c2_j) / e(Σ_{i∈I} [γ_i]c3_i, k3), or T = K^{1/z} under
 * a transform key. τ' + 2 Miller loops, τ' the occurrences that I uses, and one final exponentiation. It checks
 * nothing: rows and coefficients that do not fit the matrix, or a key that lacks them, give a meaningless element.
 * @throws ChartsealError `policy-unsatisfied` if the key has no k2 for a row's attribute
 */
export function decaps(
  pairing: Pairing,
  key: AttributeKey,
  shape: Shape,
  opening: { readonly rows: readonly number[]; readonly coefficients: readonly Scalar[] },
  ciphertext: Ciphertext,
): GT {
  const byOccurrence = new Map<number, Term<G1>[]>();
  const all: Term<G1>[] = [];
  opening.rows.forEach((row, at) => {
    const scalar = opening.coefficients[at]!;
    const point = key.k2.get(shape.program.rows[row]!.attribute);
    if (point === undefined)
      throw new ChartsealError("policy-unsatisfied", "the key lacks an attribute it needs");
    const j = shape.occurrence[row]!;
    byOccurrence.set(j, [...(byOccurrence.get(j) ?? []), { point, scalar }]);
    all.push({ point: ciphertext.c3[row]!, scalar });
  });
  const pairs: [G1, G2][] = [[key.k1, ciphertext.c1]];
  for (const [j, terms] of byOccurrence) pairs.push([combine(pairing, terms), ciphertext.c2[j - 1]!]);
  pairs.push([pairing.g1.negate(combine(pairing, all)), key.k3]);
  return pairing.multiPairing(pairs);
}

/** Σ [γ]point, where γ = 1 (every policy of `and` and `or` alone) costs an addition only. */
function combine(pairing: Pairing, terms: readonly Term<G1>[]): G1 {
  const plain = pairing.g1.sum(terms.filter(({ scalar }) => scalar === 1n).map(({ point }) => point));
  const others = terms.filter(({ scalar }) => scalar !== 1n);
  return others.length === 0 ? plain : pairing.g1.add(plain, pairing.g1.linear([others])[0]!);
}
