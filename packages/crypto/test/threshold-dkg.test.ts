// Key generation: who ends with what, which dealers fall out, and the attacks that its rounds are there for.
import { describe, expect, test } from "vitest";
import type { GT } from "../src/pairing/pairing.ts";
import { mod } from "../src/pairing/scalar.ts";
import { randomScalar } from "../src/random.ts";
import { commitDigest, commitOf, revealOf, shareFits, startDealing } from "../src/threshold/dkg.ts";
import type { Reveal } from "../src/threshold/dkg-messages.ts";
import { conclude, verifyComplaint, verifyReveal } from "../src/threshold/dkg-verify.ts";
import { generation, keyIsConsistent, keyOf } from "../src/threshold/generation.ts";
import type { KeySpace } from "../src/threshold/group.ts";
import { lagrangeAtZero } from "../src/threshold/shamir.ts";
import {
  agreedOf,
  audit,
  chainId,
  codeOf,
  hexOf,
  type Misbehaviour,
  play,
  reading,
  signing,
  subsets,
  thrown,
} from "./threshold-fixtures.ts";

function secretOf(shares: readonly { readonly index: number; readonly secret: bigint }[]): bigint {
  const weights = lagrangeAtZero(shares.map(({ index }) => index));
  return shares.reduce((sum, { secret }, k) => mod(sum + secret * weights[k]!), 0n);
}

function endToEnd<P>(space: KeySpace<P>, threshold: number, nodes: number): void {
  const result = play(generation(space, { chainId, nodes, threshold }));
  const { key, qualified } = agreedOf(result);
  expect(qualified).toHaveLength(nodes);
  expect(keyIsConsistent(space, key)).toBe(true);
  const sum = [...result.dealings.values()].reduce(
    (total, { coefficients }) => mod(total + coefficients[0]!),
    0n,
  );
  const publicOf = (secret: bigint) =>
    hexOf(space, space.group.combine([{ point: space.base, scalar: secret }]));
  expect(hexOf(space, key.publicKey)).toBe(publicOf(sum));
  for (const indices of subsets(nodes, threshold)) {
    expect(secretOf(indices.map((index) => result.shares[index - 1]!))).toBe(sum);
  }
  for (const indices of threshold > 1 ? subsets(nodes, threshold - 1) : []) {
    expect(secretOf(indices.map((index) => result.shares[index - 1]!))).not.toBe(sum);
  }
}

const [alpha, delta] = [reading, audit];
const twoOfThree = generation(delta, { chainId, nodes: 3, threshold: 2 });

/** [scalar]base. */
function raise<P>({ group, base }: KeySpace<P>, scalar: bigint): P {
  return group.combine([{ point: base, scalar: mod(scalar) }]);
}

/** Σ [scalar]point. */
function sum<P>({ group }: KeySpace<P>, ...terms: readonly (readonly [point: P, scalar: bigint])[]): P {
  return group.combine(terms.map(([point, scalar]) => ({ point, scalar: mod(scalar) })));
}

describe("complaints", () => {
  const wrongTo2: Misbehaviour<never>["share"] = (dealer, receiver, share) =>
    dealer === 1 && receiver === 2 ? mod(share + 1n) : share;

  test("a dealer that sends a wrong share and publishes another wrong one is left out, and the rest agree", () => {
    const publish: Misbehaviour<never>["publish"] = (honest) => ({
      ...honest,
      share: mod(honest.share + 1n),
    });
    const result = play(twoOfThree, [], { share: wrongTo2, publish });
    const agreed = agreedOf(result);
    expect(result.transcript.complaints).toEqual([{ dealer: 1, receiver: 2 }]);
    expect(agreed.excluded).toEqual([{ dealer: 1, fault: "complaint-upheld" }]);
    expect(agreed.qualified).toEqual([2, 3]);
    expect(keyIsConsistent(delta, agreed.key)).toBe(true);
    const constants = [2, 3].map((dealer) => result.dealings.get(dealer)!.coefficients[0]!);
    expect(secretOf(result.shares.slice(0, 2))).toBe(mod(constants[0]! + constants[1]!));
  });

  test("a dealer that does not answer a complaint is left out, whatever it sent", () => {
    const result = play(twoOfThree, [], {
      complaints: [{ dealer: 3, receiver: 1 }],
      publish: () => undefined,
    });
    expect(agreedOf(result).excluded).toEqual([{ dealer: 3, fault: "complaint-upheld" }]);
  });

  test("a wrong share whose dealer publishes the right one stands as the receiver's share", () => {
    const result = play(twoOfThree, [], { share: wrongTo2 });
    expect(agreedOf(result).qualified).toEqual([1, 2, 3]);
    expect(agreedOf(result).published).toHaveLength(1);
    expect(secretOf(result.shares.slice(0, 2))).toBe(secretOf(result.shares.slice(1)));
  });

  test("an envelope that does not open is a complaint too, and a false complaint harms nobody", () => {
    const lost: Misbehaviour<never>["share"] = (dealer, receiver, share) =>
      dealer === 2 && receiver === 3 ? undefined : share;
    const result = play(twoOfThree, [], { share: lost, complaints: [{ dealer: 1, receiver: 1 }] });
    expect(agreedOf(result).qualified).toEqual([1, 2, 3]);
    expect(agreedOf(result).published).toHaveLength(2);
    expect(secretOf(result.shares.slice(0, 2))).toBe(secretOf(result.shares.slice(1)));
  });

  test("fewer than t good dealers abort", () => {
    const { conclusion } = play(twoOfThree, [], {
      silent: [1],
      reveal: (dealer, honest) => (dealer === 2 ? undefined : honest),
    });
    expect(conclusion).toEqual({
      kind: "aborted",
      excluded: [
        { dealer: 1, fault: "no-deal" },
        { dealer: 2, fault: "no-reveal" },
      ],
    });
  });

  test("two messages of one sender, and complaints by or against strangers, are refused; a share nobody asked for is left aside", () => {
    const { transcript, dealings } = play(twoOfThree);
    const twice = { ...transcript, reveals: [...transcript.reveals, transcript.reveals[0]!] };
    expect(codeOf(() => conclude(twoOfThree, twice))).toBe("input-invalid");
    for (const complaint of [
      { dealer: 4, receiver: 1 },
      { dealer: 1, receiver: 4 },
    ]) {
      expect(codeOf(() => verifyComplaint(twoOfThree, complaint))).toBe("issue-invalid");
      expect(codeOf(() => conclude(twoOfThree, { ...transcript, complaints: [complaint] }))).toBe(
        "issue-invalid",
      );
    }
    const unasked = {
      ...transcript,
      published: [{ dealer: 1, receiver: 2, share: dealings.get(1)!.coefficients[0]! }],
    };
    const conclusion = conclude(twoOfThree, unasked);
    expect(conclusion.kind === "agreed" && conclusion.published).toEqual([]);
  });

  test("the same messages in any order come to the same end", () => {
    const result = play(twoOfThree, [], { share: wrongTo2, complaints: [{ dealer: 3, receiver: 1 }] });
    const { commits, reveals, deals, complaints, published } = result.transcript;
    const reversed = {
      commits: commits.toReversed(),
      reveals: reveals.toReversed(),
      deals: deals.toReversed(),
      complaints: complaints.toReversed(),
      published: published.toReversed(),
    };
    const again = conclude(twoOfThree, reversed);
    expect(again.kind === "agreed" && hexOf(delta, again.key.publicKey)).toBe(
      hexOf(delta, agreedOf(result).key.publicKey),
    );
    expect(again.kind === "agreed" && again.qualified).toEqual(agreedOf(result).qualified);
  });
});

describe("a reveal", () => {
  const dealing = startDealing(twoOfThree, 1);
  const commit = commitOf(twoOfThree, dealing);
  const honest = revealOf(twoOfThree, dealing);
  const refusal = (run: typeof twoOfThree, sent: typeof honest, of = commit) =>
    thrown(() => verifyReveal(run, of, sent))?.code;

  test("is accepted as it is, and names its dealer when it is not", () => {
    expect(refusal(twoOfThree, honest)).toBeUndefined();
    const error = thrown(() => verifyReveal(twoOfThree, commit, { ...honest, commitments: [] }));
    expect(error?.data).toEqual({ dealer: 1 });
  });

  test("of other commitments than those hashed in round 1 is refused: no dealer chooses after it saw the others", () => {
    const other = revealOf(twoOfThree, startDealing(twoOfThree, 1));
    expect(refusal(twoOfThree, other)).toBe("issue-invalid");
    // Without round 1 the same reveal is as good as any.
    const weakened = { dealer: 1, digest: commitDigest(twoOfThree, 1, other.commitments) };
    expect(refusal(twoOfThree, other, weakened)).toBeUndefined();
  });

  test("of any number of commitments but t is refused: one more, and t nodes would not have the secret", () => {
    for (const size of [1, 3]) {
      const wide = { ...dealing, coefficients: Array.from({ length: size }, () => randomScalar()) };
      expect(refusal(twoOfThree, revealOf(twoOfThree, wide), commitOf(twoOfThree, wide))).toBe(
        "issue-invalid",
      );
    }
    // A copy that takes three commitments where t = 2: every share fits, and two of them give another secret.
    const wide = generation(delta, { chainId, nodes: 3, threshold: 3 });
    const { shares, dealings } = play(wide);
    const secret = [...dealings.values()].reduce(
      (total, { coefficients }) => mod(total + coefficients[0]!),
      0n,
    );
    expect(secretOf(shares.slice(0, 2))).not.toBe(secret);
  });

  test("serves in no other run, epoch, attempt, chain, key or committee, and for no other dealer", () => {
    const elsewhere = [
      generation(delta, { chainId, nodes: 3, threshold: 2, attempt: 2 }),
      generation(delta, { chainId: new Uint8Array(32), nodes: 3, threshold: 2 }),
      generation(delta, { chainId, nodes: 4, threshold: 2 }),
      generation({ ...delta, name: "signing" }, { chainId, nodes: 3, threshold: 2 }),
    ];
    for (const run of elsewhere) {
      const digest = commitDigest(run, 1, honest.commitments);
      expect(refusal(run, honest, { dealer: 1, digest })).toBe("issue-invalid");
    }
    const copied = { ...honest, dealer: 2 };
    const digest = commitDigest(twoOfThree, 2, honest.commitments);
    expect(refusal(twoOfThree, copied, { dealer: 2, digest })).toBe("issue-invalid");
  });

  test("whose proof covers other commitments of the same constant is refused", () => {
    const commitments = [honest.commitments[0]!, raise(delta, 5n)];
    const digest = commitDigest(twoOfThree, 1, commitments);
    expect(refusal(twoOfThree, { ...honest, commitments }, { dealer: 1, digest })).toBe("issue-invalid");
  });
});

describe("t − 1 nodes that choose α (rogue key), where n < 2t − 1", () => {
  const run = generation(alpha, { chainId, nodes: 2, threshold: 2 });
  const honest = startDealing(run, 1);
  const honestReveal = revealOf(run, honest);
  const chosen = randomScalar();
  const shareTo1 = randomScalar();
  // Node 2 waits for node 1's commitments, cancels them in its own constant, and fits the rest to one share it makes up.
  const constant = sum(alpha, [raise(alpha, chosen), 1n], [honestReveal.commitments[0]!, -1n]);
  const commitments = [constant, sum(alpha, [raise(alpha, shareTo1), 1n], [constant, -1n])];
  const proof = { challenge: randomScalar(), response: randomScalar() };
  const rogue: Reveal<GT> = { dealer: 2, commitments, proof };

  test("succeed on a copy that asks no proof: every share fits and mpk is theirs", () => {
    expect(shareFits(run, rogue, 1, shareTo1)).toBe(true);
    const together = [0, 1].map((k) => sum(alpha, [honestReveal.commitments[k]!, 1n], [commitments[k]!, 1n]));
    expect(hexOf(alpha, keyOf(run, together).publicKey)).toBe(hexOf(alpha, raise(alpha, chosen)));
  });

  test("fail here: the proof of knowledge does not exist, and the run aborts", () => {
    const digest = commitDigest(run, 2, commitments);
    const commits = [commitOf(run, honest), { dealer: 2, digest }];
    expect(thrown(() => verifyReveal(run, commits[1]!, rogue))?.message).toContain("does not prove");
    const deals = [1, 2].map((dealer) => ({ dealer, envelopes: [1, 2].map(() => new Uint8Array(80)) }));
    const conclusion = conclude(run, {
      commits,
      reveals: [honestReveal, rogue],
      deals,
      complaints: [],
      published: [],
    });
    expect(conclusion).toEqual({ kind: "aborted", excluded: [{ dealer: 2, fault: "reveal-invalid" }] });
  });

  test("where n ≥ 2t − 1 no second receiver's share can be made up", () => {
    const wider = generation(alpha, { chainId, nodes: 3, threshold: 2 });
    expect(shareFits(wider, rogue, 3, mod(3n * shareTo1))).toBe(false);
  });
});

describe("a refresh", () => {
  const first = play(twoOfThree);
  const previous = agreedOf(first).key;
  const run = generation(delta, { chainId, nodes: 3, threshold: 2, origin: { kind: "refresh", previous } });
  const second = play(run, first.shares);
  const { key } = agreedOf(second);

  test("keeps the public key and changes every share; shares of two epochs give nothing together", () => {
    expect(key.epoch).toBe(2);
    expect(hexOf(delta, key.publicKey)).toBe(hexOf(delta, previous.publicKey));
    expect(keyIsConsistent(delta, key)).toBe(true);
    const secret = secretOf(first.shares.slice(0, 2));
    expect(secretOf(second.shares.slice(1))).toBe(secret);
    for (const [k, share] of second.shares.entries()) expect(share.secret).not.toBe(first.shares[k]!.secret);
    expect(secretOf([first.shares[0]!, second.shares[1]!])).not.toBe(secret);
  });

  test("refuses a constant that is not zero; a copy that took it would have another key than it says", () => {
    const dealing = { ...startDealing(run, 1), coefficients: [5n, randomScalar()] };
    const reveal = revealOf(run, dealing);
    expect(thrown(() => verifyReveal(run, commitOf(run, dealing), reveal))?.message).toContain(
      "constant zero",
    );
    expect(keyIsConsistent(delta, keyOf(run, reveal.commitments))).toBe(false);
  });

  test("keeps the committee's size and threshold, and a fresh run refuses the constant zero", () => {
    const origin = { kind: "refresh", previous } as const;
    expect(codeOf(() => generation(delta, { chainId, nodes: 3, threshold: 3, origin }))).toBe(
      "input-invalid",
    );
    const zero = { ...startDealing(twoOfThree, 1), coefficients: [0n, 1n] };
    const error = thrown(() =>
      verifyReveal(twoOfThree, commitOf(twoOfThree, zero), revealOf(twoOfThree, zero)),
    );
    expect(error?.message).toContain("zero");
  });
});

describe("a resharing", () => {
  const first = play(generation(alpha, { chainId, nodes: 3, threshold: 2 }));
  const previous = agreedOf(first).key;
  const origin = { kind: "reshare", previous, dealers: [3, 1] } as const;
  const run = generation(alpha, { chainId, nodes: 5, threshold: 3, origin });

  test("to 3 of 5 keeps mpk; the old shares are useless beside the new", () => {
    const second = play(run, first.shares);
    const { key, qualified } = agreedOf(second);
    expect(qualified).toEqual([1, 3]);
    expect(hexOf(alpha, key.publicKey)).toBe(hexOf(alpha, previous.publicKey));
    expect(keyIsConsistent(alpha, key)).toBe(true);
    const secret = secretOf(first.shares.slice(0, 2));
    for (const indices of subsets(5, 3)) {
      expect(secretOf(indices.map((index) => second.shares[index - 1]!))).toBe(secret);
    }
    expect(secretOf([first.shares[0]!, second.shares[1]!, second.shares[2]!])).not.toBe(secret);
    expect(secretOf(second.shares.slice(0, 2))).not.toBe(secret);
  });

  test("refuses a dealer whose constant is not its share, and a share of another epoch", () => {
    const stranger = { dealer: 1, coefficients: [randomScalar(), 2n, 3n] };
    const error = thrown(() => verifyReveal(run, commitOf(run, stranger), revealOf(run, stranger)));
    expect(error?.message).toContain("own share");
    expect(codeOf(() => startDealing(run, 1))).toBe("input-invalid");
    expect(codeOf(() => startDealing(run, 1, first.shares[1]!))).toBe("input-invalid");
    expect(codeOf(() => startDealing(run, 1, { ...first.shares[0]!, epoch: 2 }))).toBe("input-invalid");
    expect(codeOf(() => startDealing(run, 2, first.shares[1]!))).toBe("input-invalid");
  });

  test("is dealt by one fixed set of t distinct nodes and aborts when one of them fails", () => {
    for (const dealers of [[1], [1, 1], [1, 2, 3], [1, 4], [0, 1]]) {
      const wrong = { kind: "reshare", previous, dealers } as const;
      expect(codeOf(() => generation(alpha, { chainId, nodes: 5, threshold: 3, origin: wrong }))).toBe(
        "input-invalid",
      );
    }
    const { conclusion } = play(run, first.shares, { silent: [3] });
    expect(conclusion).toEqual({ kind: "aborted", excluded: [{ dealer: 3, fault: "no-deal" }] });
  });

  test("with receivers that take different sets of dealers gives shares of different polynomials, hence the one set", () => {
    const whole = { ...previous, threshold: 3 };
    const all = generation(alpha, {
      chainId,
      nodes: 3,
      threshold: 2,
      origin: { kind: "reshare", previous: whole, dealers: [1, 2, 3] },
    });
    const polynomials = first.shares.map((share) => startDealing(all, share.index, share).coefficients);
    const shareFrom = (set: readonly number[], receiver: number) => {
      const weights = lagrangeAtZero(set);
      const values = set.map((dealer) => polynomials[dealer - 1]!);
      return values.reduce((total, [a, b], k) => mod(total + weights[k]! * (a! + b! * BigInt(receiver))), 0n);
    };
    const mixed = [
      { index: 1, secret: shareFrom([1, 2], 1) },
      { index: 2, secret: shareFrom([2, 3], 2) },
    ];
    expect(secretOf(mixed)).not.toBe(secretOf(first.shares.slice(0, 2)));
  });
});

describe("a run in which all are honest", () => {
  for (const [threshold, nodes] of [
    [1, 1],
    [2, 3],
    [3, 5],
  ] as const) {
    test(`${threshold} of ${nodes}: any t shares give the secret behind the public key, fewer do not, in all three groups`, () => {
      endToEnd(reading, threshold, nodes);
      endToEnd(signing, threshold, nodes);
      endToEnd(audit, threshold, nodes);
    });
  }
});
