/** What validators attest to each other: which messages are taken, when they are enough, and how absences are counted. */
import { encode, toHex } from "@chartseal/crypto";
import { beforeAll, describe, expect, it } from "vitest";
import type { Action } from "../src/actions.ts";
import { signAdmission } from "../src/authorisation.ts";
import { isTransaction } from "../src/block.ts";
import { AbsenceCounter } from "../src/comet/absence.ts";
import { Attestations, encodeAttestation, isAttestation } from "../src/comet/attestations.ts";
import { validatorsInForce } from "../src/rules/validators.ts";
import { identifierOf } from "../src/transaction.ts";
import { stakeWorld, validators } from "./stake-world.ts";
import { type BodyChanges, type Identity, startMs, stranger, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await stakeWorld([10, 10, 10, 10, 10]);
});

const absent = (missed = 1_000): Action => {
  const { publicKey: validator } = validators[4]!;
  return { kind: "jail-absent", validator, fromHeight: 1, toHeight: 1_000, missed };
};

const standing = (nowMs = startMs) => {
  const { chainId, state } = world;
  return { chainId, validators: validatorsInForce(state), nowMs };
};

function bodyFor(action: Action = absent(), changes: BodyChanges = {}): Uint8Array {
  return world.body(action, { lastValidMs: startMs + 600_000, ...changes });
}

function messageOf(by: Identity, body: Uint8Array, signed = body): Uint8Array {
  const admission = { ...signAdmission(by.seed, signed), validator: by.publicKey };
  return encodeAttestation({ body, admission });
}

describe("an attestation", () => {
  it("is no transaction, whatever it holds", () => {
    const message = messageOf(validators[0]!, bodyFor());
    expect([isAttestation(message), isTransaction(message)]).toEqual([true, false]);
    expect(isAttestation(encode([1, 2, 3]))).toBe(false);
  });

  it("makes a transaction once validators of more than two thirds of the stake attest the same", () => {
    const pool = new Attestations();
    const [body, other] = [bodyFor(), bodyFor(absent(999))];
    for (const by of validators.slice(0, 3)) pool.take(messageOf(by, body), standing());
    pool.take(messageOf(validators[3]!, other), standing());
    // Three of five are 60 %, and a fourth one says something else.
    expect(pool.agreed(standing().validators)).toEqual([]);
    pool.take(messageOf(validators[3]!, body), standing());
    const agreed = pool.agreed(standing().validators);
    expect(agreed.map(({ identifier }) => toHex(identifier))).toEqual([toHex(identifierOf(body))]);
    // The rules take it, with the parameters of the beginning.
    expect(world.verdict(agreed[0]!.transaction)).toBe("applied");
    pool.settle(agreed[0]!.identifier);
    expect(pool.agreed(standing().validators)).toEqual([]);
    expect(pool.isWanted(messageOf(validators[0]!, body), startMs)).toBe(false);
    expect(() => pool.take(messageOf(validators[0]!, body), standing())).toThrow("settled");
  });

  it("counts once, however often it comes", () => {
    const pool = new Attestations();
    const body = bodyFor();
    for (let times = 0; times < 4; times++) pool.take(messageOf(validators[0]!, body), standing());
    expect(pool.agreed(standing().validators)).toEqual([]);
  });

  it("is handed on for ten seconds after it was heard", () => {
    const pool = new Attestations();
    const message = messageOf(validators[0]!, bodyFor());
    expect(pool.isWanted(message, startMs)).toBe(false);
    pool.take(message, standing());
    expect([9_999, 10_000].map((ms) => pool.isWanted(message, startMs + ms))).toEqual([true, false]);
  });

  it("is refused by no validator, with another's signature, of another chain, of anything else, and too late", () => {
    const [one, two] = validators as [Identity, Identity];
    const body = bodyFor();
    const otherChain = bodyFor(absent(), { chainId: new Uint8Array(32) });
    const late = bodyFor(absent(), { lastValidMs: startMs - 1 });
    const lift = bodyFor({ kind: "lift-jail", publicKey: two.publicKey });
    const refused: [Uint8Array, string][] = [
      [messageOf(stranger, body), "input-invalid"],
      [messageOf(one, body, late), "signature-invalid"],
      [messageOf(one, otherChain), "input-invalid"],
      [messageOf(one, late), "input-invalid"],
      [messageOf(one, lift), "input-invalid"],
      [Uint8Array.of(1), "encoding-invalid"],
      [messageOf(one, body).slice(0, -1), "encoding-invalid"],
      [Uint8Array.of(...messageOf(one, body), 0), "encoding-invalid"],
    ];
    for (const [message, code] of refused) {
      const pool = new Attestations();
      expect(() => pool.take(message, standing())).toThrow(expect.objectContaining({ code }));
      expect(pool.agreed([])).toEqual([]);
    }
  });

  it("comes from one validator for 64 things at a time", () => {
    // A validator of bad will fills the others' memory with absences that nobody else saw.
    const pool = new Attestations();
    for (let missed = 0; missed < 64; missed++) {
      pool.take(messageOf(validators[0]!, bodyFor(absent(missed))), standing());
    }
    const more = () => pool.take(messageOf(validators[0]!, bodyFor(absent(64))), standing());
    expect(more).toThrow(expect.objectContaining({ code: "rate-limited" }));
    pool.take(messageOf(validators[1]!, bodyFor(absent(65))), standing());
    // What can be no transaction any more is forgotten.
    const later = standing(startMs + 600_001);
    const action = bodyFor(absent(66), { lastValidMs: startMs + 1_000_000 });
    pool.take(messageOf(validators[0]!, action), later);
  });
});

describe("absences", () => {
  const address = new Uint8Array(20).fill(7);
  const votes = (absentOne: boolean) => [{ address, absent: absentOne }];
  const missed = (counter: AbsenceCounter, from: number, to: number, length: number) => {
    const runs: [number, number, number | undefined][] = [];
    for (let height = from; height <= to; height++) {
      const run = counter.take({ height, votes: votes(height % 2 === 0) }, length);
      if (run !== undefined) runs.push([run.fromHeight, run.toHeight, run.missed.get(toHex(address))]);
    }
    return runs;
  };

  it("are counted in runs that begin alike at every node", () => {
    expect(missed(new AbsenceCounter(), 1, 25, 10)).toEqual([
      [1, 10, 5],
      [11, 20, 5],
    ]);
    expect(missed(new AbsenceCounter(), 4, 25, 10)).toEqual([[11, 20, 5]]);
  });

  it("are not counted over a gap, nor over a change of the run's length", () => {
    const gap = new AbsenceCounter();
    expect(missed(gap, 1, 5, 10)).toEqual([]);
    expect(missed(gap, 7, 19, 10)).toEqual([]);
    expect(missed(gap, 20, 30, 10)).toEqual([
      [11, 20, 5],
      [21, 30, 5],
    ]);
    const change = new AbsenceCounter();
    expect(missed(change, 1, 5, 100)).toEqual([]);
    expect(missed(change, 6, 12, 10)).toEqual([]);
    expect(missed(change, 13, 20, 10)).toEqual([[11, 20, 5]]);
  });
});
