/**
 * Attacks with chosen ciphertexts (CRYPTO §2.1): changed headers that a reader might accept, and the provider's
 * transform used as a decryption oracle. Each fails here and succeeds on a copy with the safeguard taken out.
 */
import { describe, expect, test } from "vitest";
import { equalBytes } from "../src/bytes.ts";
import { decapsulate, type Encapsulation, recoverMessage, verifyEncapsulation } from "../src/cpabe/cpabe.ts";
import {
  applyMask,
  type CiphertextBytes,
  ciphertextBytes,
  encapsScalars,
  timesG2,
  transcriptOf,
  verifyEncapsProof,
} from "../src/cpabe/fo.ts";
import { type AttributeKey, attributePoints, baseB, shapeOf, shares } from "../src/cpabe/scheme.ts";
import { hash, hashToScalar } from "../src/hash.ts";
import type { GT } from "../src/pairing/pairing.ts";
import { invert, mod } from "../src/pairing/scalar.ts";
import type { Policy } from "../src/policy/policy.ts";
import { randomBytes, randomScalar } from "../src/random.ts";
import { authority, codeOf, contextOf, fullKey, pairing, reader, seal } from "./cpabe-fixtures.ts";

const { g1, g2, gt } = pairing;

/** The reader's steps with another transcript: m where c1 = [s1]g2 holds, else undefined. */
function recoverWith(
  transcript: (context: Uint8Array, bytes: CiphertextBytes) => Uint8Array,
  { shared, context, encapsulation }: { shared: GT; context: Uint8Array; encapsulation: Encapsulation },
): Uint8Array | undefined {
  const salt = transcript(context, ciphertextBytes(pairing, encapsulation));
  const message = applyMask(pairing, shared, salt, encapsulation.mask);
  const { s1 } = encapsScalars(message, context, { tau: 1, columns: 1 });
  return g2.equal(timesG2(pairing, s1), encapsulation.c1) ? message : undefined;
}

/** [δ] more in the scalars of a ciphertext, by someone who knows none of them: s1 + δ1, s'_1 + δ'. */
function rerandomise(
  policy: Policy,
  { c1, c2, c3 }: Encapsulation,
  delta: { readonly s1: bigint; readonly sPrime: bigint },
): Pick<Encapsulation, "c1" | "c2" | "c3"> {
  const { program } = shapeOf(policy);
  const v = Array.from({ length: program.columns - 1 }, () => randomScalar());
  const lambda = shares(program, { s1: delta.s1, v });
  const points = attributePoints(pairing, policy.attributes);
  const b = baseB(pairing);
  const moved = c3.map((row, i) =>
    g1.sum([row, g1.multiply(b, lambda[i]!), g1.multiply(points[i]!, delta.sPrime)]),
  );
  return {
    c1: g2.add(c1, timesG2(pairing, delta.s1)),
    c2: [g2.add(c2[0]!, timesG2(pairing, delta.sPrime))],
    c3: moved,
  };
}

describe("a header changed by a third party", () => {
  const context = contextOf("changed on its way");
  const weakTranscript = (text: Uint8Array, { c1 }: CiphertextBytes) => hash("cpabe/transcript", text, c1);
  const variants: [
    name: string,
    change: (policy: Policy, e: Encapsulation) => Pick<Encapsulation, "c1" | "c2" | "c3">,
    stillOpens: string,
  ][] = [
    // s'_1 and the v_k moved, s1 not: the same K for every reader, another header.
    ["re-randomised", (policy, e) => rerandomise(policy, e, { s1: 0n, sPrime: randomScalar() }), "b@h"],
    // The row of a replaced: who holds b reads on and sees nothing, who holds a alone is shut out in silence.
    ["partly spoiled", (_, e) => ({ ...e, c3: [g1.multiply(g1.generator, 5n), ...e.c3.slice(1)] }), "b@h"],
  ];

  test.each(variants)(
    "%s: refused; accepted where c2 and c3 are left out of the transcript",
    (_, change, attribute) => {
      const key = fullKey(attribute);
      const text = "a@h or b@h";

      const weak = seal(text, context, { transcript: weakTranscript });
      const weakChanged = { ...weak.encapsulation, ...change(weak.policy, weak.encapsulation) };
      const weakShared = decapsulate(pairing, { key, policy: weak.policy, encapsulation: weakChanged });
      const opened = recoverWith(weakTranscript, { shared: weakShared, context, encapsulation: weakChanged });
      expect(opened).toEqual(weak.message);

      const real = seal(text, context);
      const changed = { ...real.encapsulation, ...change(real.policy, real.encapsulation) };
      const shared = decapsulate(pairing, { key, policy: real.policy, encapsulation: changed });
      // K itself is the right one: it is the transcript alone that refuses.
      expect(gt.equal(shared, real.shared)).toBe(true);
      const attempt = () =>
        recoverMessage(pairing, { policy: real.policy, context, encapsulation: changed, shared });
      expect(codeOf(attempt)).toBe("transform-invalid");
      expect(verifyEncapsulation(pairing, { ...real, encapsulation: changed })).toBe(false);
    },
  );

  test("without the c1 check a wrong K gives a wrong m and no error; here it is refused", () => {
    const { policy, encapsulation, message } = seal("a@h", context);
    const wrong = gt.power([{ base: authority.mpk, exponent: 12n }]);
    const bytes = ciphertextBytes(pairing, encapsulation);
    const unchecked = applyMask(pairing, wrong, transcriptOf(context, bytes), encapsulation.mask);
    expect(unchecked.length === 32 && !equalBytes(unchecked, message)).toBe(true);
    const attempt = () => recoverMessage(pairing, { policy, context, encapsulation, shared: wrong });
    expect(codeOf(attempt)).toBe("transform-invalid");
  });

  test("c1 = 0 would make K = 1 for everybody: refused by provider and reader, though s1 = 0 is known", () => {
    const { policy, encapsulation, message } = seal("a@h", context, {
      scalars: (scalars) => ({ ...scalars, s1: 0n }),
    });
    // A stranger without any key unmasks m with K = 1.
    const salt = transcriptOf(context, ciphertextBytes(pairing, encapsulation));
    expect(applyMask(pairing, gt.one, salt, encapsulation.mask)).toEqual(message);
    const asReader = () => recoverMessage(pairing, { policy, context, encapsulation, shared: gt.one });
    expect(codeOf(asReader)).toBe("transform-invalid");
    // The proof is a good one, of s1 = 0; the provider refuses the identity by itself.
    expect(verifyEncapsProof(pairing, context, encapsulation, encapsulation.proof)).toBe(true);
    expect(verifyEncapsulation(pairing, { policy, context, encapsulation })).toBe(false);
  });
});

describe("a message that a careless caller locks twice", () => {
  // With k a function of m alone, two proofs for two contexts answer two challenges with one k: their difference gives
  // s1, and K = mpk^{s1} opens both records for everybody. Every scalar, k too, depends on the context.
  const message = randomBytes(32);
  const shape = { tau: 1, columns: 1 };
  const contexts = [contextOf("first version"), contextOf("second version")];

  /** s1 from two proofs that should have nothing in common. */
  function solve(withContext: boolean): { guess: bigint; shared: GT } {
    const records = contexts.map((context) => {
      const scalars = () => encapsScalars(message, withContext ? context : new Uint8Array(0), shape);
      return seal("a@h", context, { message, scalars });
    });
    const [first, second] = records.map(({ context, encapsulation }) => {
      const { c1, c2, c3 } = ciphertextBytes(pairing, encapsulation);
      const R = g2.encode(encapsulation.proof.R);
      return { e: hashToScalar("cpabe/encaps-pok", context, c1, ...c2, ...c3, R), s: encapsulation.proof.s };
    });
    const guess = mod((first!.s - second!.s) * invert(first!.e - second!.e));
    return { guess, shared: records[0]!.shared };
  }

  test("is solved for s1 where the context is left out of the scalars, and not otherwise", () => {
    const weak = solve(false);
    expect(gt.equal(gt.power([{ base: authority.mpk, exponent: weak.guess }]), weak.shared)).toBe(true);
    const real = solve(true);
    expect(gt.equal(gt.power([{ base: authority.mpk, exponent: real.guess }]), real.shared)).toBe(false);
    const [one, two] = contexts.map((context) => encapsScalars(message, context, shape));
    expect(one!.k !== two!.k && one!.s1 !== two!.s1 && one!.sPrime[0] !== two!.sPrime[0]).toBe(true);
  });
});

describe("the transform as a decryption oracle", () => {
  // A reader may once have read a record, and may no more: its purpose is over, it has expired, was erased or rekeyed, or
  // the reading would stand in its access log. The reader copies c1, c2, c3 of the old header, which are public enough,
  // into a header of a record of its own under the same policy, and asks the provider to transform that one, which is
  // in order in every respect. T gives K of the old record, and the old transcript is public.
  const text = "a@h and b@h";
  const victimContext = contextOf("victim's record");
  const ownContext = contextOf("attacker's own record");
  const victim = seal(text, victimContext);
  const attacker = reader("a@h", "b@h");

  type Check = (options: { policy: Policy; context: Uint8Array; encapsulation: Encapsulation }) => boolean;

  /** What a provider does with the proof of knowledge decides whether it is an oracle. */
  function transform(
    check: Check,
    key: AttributeKey,
    context: Uint8Array,
    encapsulation: Encapsulation,
  ): GT | undefined {
    if (!check({ policy: victim.policy, context, encapsulation })) return undefined;
    return decapsulate(pairing, { key, policy: victim.policy, encapsulation });
  }

  /** K = T^z, taken back by the shift of s1 that the attacker added, opens the victim's mask. */
  function exploit(answer: GT | undefined, shift = 0n): Uint8Array | undefined {
    if (answer === undefined) return undefined;
    const shared = gt.power([
      { base: answer, exponent: attacker.recoveryKey },
      { base: authority.mpk, exponent: mod(-shift) },
    ]);
    return recoverWith(transcriptOf, { ...victim, shared });
  }

  const ours: Check = (options) => verifyEncapsulation(pairing, options);
  const noCheck: Check = () => true;
  /** A challenge that leaves the context out: the victim's proof travels with the victim's elements. */
  const withoutContext: Check = ({ encapsulation: { c1, c2, c3, proof } }) => {
    const bytes = ciphertextBytes(pairing, { c1, c2, c3 });
    const e = hashToScalar("cpabe/encaps-pok", bytes.c1, ...bytes.c2, ...bytes.c3, g2.encode(proof.R));
    return g2.equal(timesG2(pairing, proof.s), g2.add(proof.R, g2.multiply(c1, e)));
  };

  test("plain copy: opened by a provider that skips the check, refused by ours whatever proof is attached", () => {
    expect(exploit(transform(noCheck, attacker.transformKey, ownContext, victim.encapsulation))).toEqual(
      victim.message,
    );
    const own = seal(text, ownContext);
    const R = g2.multiply(g2.generator, 3n);
    for (const proof of [
      victim.encapsulation.proof,
      own.encapsulation.proof,
      { R, s: 3n },
      { R: g2.zero, s: 0n },
    ]) {
      const copied = { ...victim.encapsulation, proof };
      expect(exploit(transform(ours, attacker.transformKey, ownContext, copied))).toBeUndefined();
    }
  });

  test("re-randomised, so that no element is the victim's: likewise", () => {
    const shift = randomScalar();
    const moved = {
      ...victim.encapsulation,
      ...rerandomise(victim.policy, victim.encapsulation, { s1: shift, sPrime: randomScalar() }),
    };
    expect(exploit(transform(noCheck, attacker.transformKey, ownContext, moved), shift)).toEqual(
      victim.message,
    );
    // The attacker's best proofs: the victim's, the victim's moved by its own shift, and one of the shift alone.
    const { R, s } = victim.encapsulation.proof;
    const bytes = ciphertextBytes(pairing, moved);
    const e = hashToScalar("cpabe/encaps-pok", ownContext, bytes.c1, ...bytes.c2, ...bytes.c3, g2.encode(R));
    for (const proof of [
      { R, s },
      { R, s: mod(s + e * shift) },
      { R, s: mod(e * shift) },
    ]) {
      expect(
        exploit(transform(ours, attacker.transformKey, ownContext, { ...moved, proof }), shift),
      ).toBeUndefined();
    }
  });

  test("a proof whose challenge leaves the context out is copied with the elements, and opens the record again", () => {
    const k = randomScalar();
    const R = timesG2(pairing, k);
    const bytes = ciphertextBytes(pairing, victim.encapsulation);
    const e = hashToScalar("cpabe/encaps-pok", bytes.c1, ...bytes.c2, ...bytes.c3, g2.encode(R));
    const { s1 } = encapsScalars(victim.message, victimContext, { tau: 1, columns: 2 });
    const weakHeader = { ...victim.encapsulation, proof: { R, s: mod(k + e * s1) } };
    expect(exploit(transform(withoutContext, attacker.transformKey, ownContext, weakHeader))).toEqual(
      victim.message,
    );
    expect(exploit(transform(ours, attacker.transformKey, ownContext, weakHeader))).toBeUndefined();
  });

  test("the same provider still serves the record itself under its own context", () => {
    const answer = transform(ours, attacker.transformKey, victimContext, victim.encapsulation);
    expect(exploit(answer)).toEqual(victim.message);
  });
});
