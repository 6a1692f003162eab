// The peers of figure 2 must be the schemes they claim to be: what is encrypted opens for those, and only those, who
// satisfy the policy, and costs what their papers say.
import { countingPairing, invert, loadPairing, parsePolicy } from "@chartseal/crypto";
import { describe, expect, it } from "vitest";
import * as bsw07 from "../src/peers/bsw07.ts";
import * as waters11 from "../src/peers/waters11.ts";

const pairing = await loadPairing();
const policies: readonly [policy: string, enough: string[], lacking: string[]][] = [
  ["a@h", ["a@h"], ["b@h"]],
  ["a@h and b@h and c@h", ["a@h", "b@h", "c@h"], ["a@h", "b@h"]],
  ["a@h or b@h", ["b@h"], ["c@h"]],
  ["2 of (a@h, b@h, c@h and d@h)", ["a@h", "c@h", "d@h"], ["a@h", "c@h"]],
  ["(a@h or b@h) and 2 of (c@h, d@h, e@h)", ["b@h", "c@h", "e@h"], ["a@h", "b@h", "d@h"]],
];

describe("Waters 2011", () => {
  const { publicKey, master } = waters11.setup(pairing);
  for (const [text, enough, lacking] of policies) {
    it(`opens ${text} for who satisfies it and for nobody else`, () => {
      const policy = parsePolicy(text);
      const { ciphertext, K } = waters11.encrypt(pairing, publicKey, policy);
      const opened = waters11.decrypt(pairing, waters11.keygen(pairing, master, enough), policy, ciphertext);
      expect(pairing.gt.equal(opened, K)).toBe(true);
      const other = waters11.keygen(pairing, master, lacking);
      expect(() => waters11.decrypt(pairing, other, policy, ciphertext)).toThrow("does not satisfy");
      const stranger = waters11.keygen(pairing, waters11.setup(pairing).master, enough);
      expect(pairing.gt.equal(waters11.decrypt(pairing, stranger, policy, ciphertext), K)).toBe(false);
    });
  }

  it("does not open for two people who put their keys together", () => {
    const policy = parsePolicy("a@h and b@h");
    const { ciphertext, K } = waters11.encrypt(pairing, publicKey, policy);
    const [one, two] = ["a@h", "b@h"].map((name) => waters11.keygen(pairing, master, [name]));
    const pooled = { ...one!, leaves: new Map([...one!.leaves, ...two!.leaves]) };
    expect(pairing.gt.equal(waters11.decrypt(pairing, pooled, policy, ciphertext), K)).toBe(false);
  });

  it("costs n double multiplications in G1, n + 1 in G2, one in GT, and n + 2 Miller loops", () => {
    const { pairing: counted, counts, reset } = countingPairing(pairing);
    const policy = parsePolicy("a@h and b@h and c@h");
    const { ciphertext } = waters11.encrypt(counted, publicKey, policy);
    expect(counts()).toMatchObject({ E1: 3, E1terms: 6, E2: 4, ET: 1, P: 0 });
    reset();
    waters11.decrypt(counted, waters11.keygen(pairing, master, ["a@h", "b@h", "c@h"]), policy, ciphertext);
    expect(counts()).toMatchObject({ P: 5, F: 1 });
  });
});

describe("BSW 2007", () => {
  const { publicKey, master } = bsw07.setup(pairing, invert);
  for (const [text, enough, lacking] of policies) {
    it(`opens ${text} for who satisfies it and for nobody else`, () => {
      const policy = parsePolicy(text);
      const { ciphertext, K } = bsw07.encrypt(pairing, publicKey, policy);
      const opened = bsw07.decrypt(pairing, bsw07.keygen(pairing, master, enough), policy, ciphertext);
      expect(pairing.gt.equal(opened, K)).toBe(true);
      const other = bsw07.keygen(pairing, master, lacking);
      expect(() => bsw07.decrypt(pairing, other, policy, ciphertext)).toThrow("does not satisfy");
      const stranger = bsw07.keygen(pairing, bsw07.setup(pairing, invert).master, enough);
      expect(pairing.gt.equal(bsw07.decrypt(pairing, stranger, policy, ciphertext), K)).toBe(false);
    });
  }

  it("does not open for two people who put their keys together", () => {
    const policy = parsePolicy("a@h and b@h");
    const { ciphertext, K } = bsw07.encrypt(pairing, publicKey, policy);
    const [one, two] = ["a@h", "b@h"].map((name) => bsw07.keygen(pairing, master, [name]));
    const pooled = { ...one!, leaves: new Map([...one!.leaves, ...two!.leaves]) };
    expect(pairing.gt.equal(bsw07.decrypt(pairing, pooled, policy, ciphertext), K)).toBe(false);
  });

  it("costs n multiplications in G1, n + 1 in G2, one in GT, and 2n + 1 Miller loops", () => {
    const { pairing: counted, counts, reset } = countingPairing(pairing);
    const policy = parsePolicy("a@h and b@h and c@h");
    const { ciphertext } = bsw07.encrypt(counted, publicKey, policy);
    expect(counts()).toMatchObject({ E1: 3, E1terms: 3, E2: 4, ET: 1, P: 0 });
    reset();
    bsw07.decrypt(counted, bsw07.keygen(pairing, master, ["a@h", "b@h", "c@h"]), policy, ciphertext);
    expect(counts()).toMatchObject({ P: 7, F: 1 });
  });
});
