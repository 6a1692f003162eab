/** Key generation as the ledger runs it: silent nodes, complaints, aborted runs, and what nobody can do to it. */
import {
  auditKeySpace,
  commitOf,
  conclude,
  decodeCommitteeKey,
  encodeCommit,
  encodeComplaint,
  encodeDeal,
  encodePublishedShare,
  encodeReveal,
  type G1,
  type Generation,
  nodeKey,
  publishShare,
  revealOf,
  startDealing,
  utf8,
} from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import type { Action } from "../src/actions.ts";
import { entries, load } from "../src/state-kinds.ts";
import { nodes, owner, service, type World } from "./world.ts";
import { newWorld, runOf } from "./world-build.ts";

const session = "audit";
const roundMs = 600_000;
let base: World;
beforeAll(async () => {
  base = await newWorld();
});

/** One run with everything that its nodes may send. */
class Session {
  readonly world: World;
  readonly attempt: number;
  readonly run: Generation<G1>;
  readonly dealings;

  constructor(world: World, attempt = 1) {
    this.world = world;
    this.attempt = attempt;
    this.run = runOf(world, auditKeySpace(world.pairing), attempt);
    this.dealings = nodes.map((_, at) => startDealing(this.run, at + 1));
  }

  message(kind: "commit" | "reveal" | "deal", at: number): Action {
    const { run, attempt } = this;
    const dealing = this.dealings[at]!;
    const envelopes = nodes.map(() => new Uint8Array(80));
    const messages = {
      commit: () => encodeCommit(commitOf(run, dealing)),
      reveal: () => encodeReveal(run, revealOf(run, dealing)),
      deal: () => encodeDeal({ dealer: dealing.dealer, envelopes }),
    };
    return { kind: `keygen-${kind}`, session, attempt, message: messages[kind]() };
  }

  /** These nodes, all in one round. */
  round(kind: "commit" | "reveal" | "deal", ats: readonly number[] = [0, 1, 2]): void {
    for (const at of ats) this.world.do(nodes[at]!, this.message(kind, at));
  }

  complaint(by: number, against: number): Action {
    const message = encodeComplaint({ receiver: by + 1, dealer: against + 1 });
    return { kind: "keygen-complaint", session, attempt: this.attempt, message };
  }

  answer(by: number, to: number): Action {
    const message = encodePublishedShare(publishShare(this.run, this.dealings[by]!, to + 1));
    return { kind: "keygen-answer", session, attempt: this.attempt, message };
  }

  conclude(ats: readonly number[] = [0, 1, 2]): void {
    for (const at of ats) this.world.do(nodes[at]!, this.concluding);
  }

  get concluding(): Action {
    return { kind: "keygen-conclude", session, attempt: this.attempt };
  }

  verdict(at: number, action: Action): string {
    return this.world.verdict(this.world.signed(nodes[at]!, action));
  }

  get value() {
    return load(this.world.state, entries.keygen, utf8(session))!;
  }

  get key() {
    const bytes = load(this.world.state, entries.committee, utf8(session));
    return bytes === undefined ? undefined : decodeCommitteeKey(this.run.space, bytes);
  }
}

test("the machine comes to the key that the dealers' messages give, and to no claimed one", () => {
  const run = new Session(base.fork());
  run.round("commit");
  run.round("reveal");
  run.round("deal");
  run.conclude();
  const expected = conclude(run.run, {
    commits: run.dealings.map((dealing) => commitOf(run.run, dealing)),
    reveals: run.dealings.map((dealing) => revealOf(run.run, dealing)),
    deals: run.dealings.map(({ dealer }) => ({ dealer, envelopes: nodes.map(() => new Uint8Array(80)) })),
    complaints: [],
    published: [],
  });
  if (expected.kind === "aborted") throw new Error("aborted");
  const { g1 } = run.world.pairing;
  expect(g1.equal(run.key!.publicKey, expected.key.publicKey)).toBe(true);
  for (const index of [1, 2, 3])
    expect(g1.equal(nodeKey(run.key!, index), nodeKey(expected.key, index))).toBe(true);
  expect(run.verdict(0, run.message("commit", 0))).toBe("keygen-done");
});

test("only an authority node of the genesis speaks, once a round, in the order of rounds", () => {
  const run = new Session(base.fork());
  expect(run.world.verdict(run.world.signed(service, run.message("commit", 0)))).toBe("role-missing");
  expect(run.world.verdict(run.world.signed(owner, run.message("commit", 0)))).toBe("signer-unknown");
  run.round("commit", [0, 1]);
  expect(run.verdict(0, run.message("commit", 0))).toBe("keygen-round");
  // The third commit is waited for: who reveals first would let the last dealer choose.
  expect(run.verdict(0, run.message("reveal", 0))).toBe("keygen-round");
  run.round("commit", [2]);
  run.round("reveal", [0]);
  expect(run.verdict(0, run.message("deal", 0))).toBe("keygen-round");
  expect(run.verdict(0, run.concluding)).toBe("keygen-round");
});

test("a node reveals once, only what it committed to, and not after the first deal", () => {
  const run = new Session(base.fork());
  run.round("commit", [0, 1]);
  run.world.timestampMs += roundMs;
  expect(run.verdict(2, run.message("reveal", 2))).toBe("keygen-round");
  run.round("reveal", [0]);
  expect(run.verdict(0, run.message("reveal", 0))).toBe("keygen-round");
  expect(run.verdict(2, run.message("deal", 2))).toBe("keygen-round");
  const late = new Session(base.fork());
  late.round("commit");
  late.round("reveal", [0, 1]);
  late.world.timestampMs += roundMs;
  late.round("deal", [0]);
  expect(late.verdict(2, late.message("reveal", 2))).toBe("keygen-round");
  expect(late.verdict(0, late.message("deal", 0))).toBe("keygen-round");
  late.round("deal", [1]);
  late.conclude([0]);
  expect(late.verdict(0, late.concluding)).toBe("keygen-round");
});

test("a commit after the first reveal is refused, even of a node that was not waited for", () => {
  const run = new Session(base.fork());
  run.round("commit", [0, 1]);
  run.world.timestampMs += roundMs;
  run.round("reveal", [0]);
  expect(run.verdict(2, run.message("commit", 2))).toBe("keygen-round");
  run.round("reveal", [1]);
  run.round("deal", [0, 1]);
  run.conclude();
  expect(run.value.done).toBe(true);
});

test("commitments other than those committed to, or without their proof, are refused", () => {
  const run = new Session(base.fork());
  run.round("commit");
  const other = new Session(run.world);
  expect(run.verdict(0, other.message("reveal", 0))).toBe("keygen-message");
  expect(run.verdict(0, run.message("reveal", 1))).toBe("keygen-message");
  const copied = encodeReveal(run.run, { ...revealOf(run.run, run.dealings[0]!), dealer: 2 });
  expect(run.verdict(1, { kind: "keygen-reveal", session, attempt: 1, message: copied })).toBe(
    "keygen-message",
  );
});

test("a complaint that the dealer answers rightly leaves it in; the share stands on the ledger", () => {
  const run = new Session(base.fork());
  for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
  run.conclude([1]);
  expect(run.verdict(1, run.complaint(1, 0))).toBe("keygen-round");
  run.world.do(nodes[2]!, run.complaint(2, 0));
  expect(run.verdict(2, run.complaint(2, 0))).toBe("keygen-round");
  run.conclude([2]);
  // The last node waits for the answer.
  expect(run.verdict(1, run.concluding)).toBe("keygen-round");
  expect(run.verdict(1, run.answer(1, 2))).toBe("keygen-round");
  run.world.do(nodes[0]!, run.answer(0, 2));
  run.conclude([0]);
  expect(run.value.done).toBe(true);
  expect(run.key!.nodeKeys).toHaveLength(3);
});

test("a complaint that is answered wrongly or not at all stands, and the dealer is left out", () => {
  const run = new Session(base.fork());
  for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
  run.world.do(nodes[2]!, run.complaint(2, 0));
  const share = publishShare(run.run, run.dealings[0]!, 3).share + 1n;
  const message = encodePublishedShare({ dealer: 1, receiver: 3, share });
  expect(run.verdict(0, { kind: "keygen-answer", session, attempt: 1, message })).toBe("keygen-message");
  run.conclude([1, 2]);
  run.world.timestampMs += roundMs;
  run.conclude([1]);
  const { g1 } = run.world.pairing;
  const good = [1, 2].map((at) => revealOf(run.run, run.dealings[at]!).commitments[0]!);
  expect(g1.equal(run.key!.publicKey, g1.sum(good))).toBe(true);
});

test("too few good dealers abort the run; the next attempt starts over and the old messages do not serve", () => {
  const run = new Session(base.fork());
  for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
  run.world.do(nodes[2]!, run.complaint(2, 0));
  run.world.do(nodes[2]!, run.complaint(2, 1));
  run.conclude([2, 1]);
  run.world.timestampMs += roundMs;
  run.conclude([2]);
  expect(run.key).toBeUndefined();
  expect(run.value).toMatchObject({ attempt: 2, commits: [], done: false });
  expect(run.verdict(0, run.message("commit", 0))).toBe("keygen-round");
  const again = new Session(run.world, 2);
  again.round("commit");
  const old = { ...run.message("reveal", 0), attempt: 2 } as Action;
  expect(again.verdict(0, old)).toBe("keygen-message");
  for (const kind of ["reveal", "deal"] as const) again.round(kind);
  again.conclude();
  expect(again.value.done).toBe(true);
});

test("fewer than t nodes never end a run, however long they wait", () => {
  const run = new Session(base.fork());
  for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
  run.conclude([0]);
  run.world.timestampMs += 10 * roundMs;
  expect(run.verdict(0, run.concluding)).toBe("keygen-round");
  run.conclude([1]);
  expect(run.value.done).toBe(true);
});

test("no node speaks in another's name, in any round", () => {
  const run = new Session(base.fork());
  const as = (kind: Action["kind"], other: Action): Action => ({ ...other, kind }) as Action;
  expect(run.verdict(1, run.message("commit", 0))).toBe("keygen-message");
  run.round("commit");
  expect(run.verdict(1, run.message("reveal", 0))).toBe("keygen-message");
  run.round("reveal");
  expect(run.verdict(1, run.message("deal", 0))).toBe("keygen-message");
  run.round("deal");
  expect(run.verdict(1, run.complaint(2, 0))).toBe("keygen-message");
  run.world.do(nodes[2]!, run.complaint(2, 0));
  expect(run.verdict(1, run.answer(0, 2))).toBe("keygen-message");
  expect(run.verdict(0, run.answer(0, 1))).toBe("keygen-round");
  expect(run.verdict(0, as("keygen-answer", run.complaint(2, 0)))).toBe("malformed");
});
