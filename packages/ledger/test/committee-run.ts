/** A change of the committee in the world of world.ts: its runs, message by message or whole, with real dealings. */
import {
  type Agreed,
  auditKeySpace,
  commitOf,
  committeeBase,
  conclude,
  type Dealing,
  encodeCommit,
  encodeComplaint,
  encodeDeal,
  encodePublishedShare,
  encodeReveal,
  type Generation,
  generation,
  type KeySpace,
  type NodeShare,
  ownShare,
  publishShare,
  readingKeySpace,
  revealOf,
  shareFor,
  signingKeySpace,
  startDealing,
  utf8,
} from "@chartseal/crypto";
import type { Action, ActionOf, Session } from "../src/actions.ts";
import { entries, load } from "../src/state-kinds.ts";
import { nodes as genesisNodes, type Identity, type World } from "./world.ts";

export const sessions: readonly Session[] = ["reading", "signing", "audit"];
export const roundMs = 600_000;

export interface Change {
  readonly change: "refresh" | "reshare";
  /** The present nodes, who deal. */
  readonly from: readonly Identity[];
  readonly to: readonly Identity[];
  readonly threshold: number;
  readonly dealers: readonly number[];
}

export const refreshed: Change = {
  change: "refresh",
  from: genesisNodes,
  to: genesisNodes,
  threshold: 2,
  dealers: [1, 2, 3],
};

export function opening(
  { change, to, threshold, dealers }: Change,
  changes: object = {},
): ActionOf<"open-committee-change"> {
  const nodes = to.map(({ account }) => account);
  return { kind: "open-committee-change", change, nodes, threshold, dealers, ...changes };
}

export function spaceOf(world: World, session: Session): KeySpace<unknown> {
  const { pairing } = world;
  const spaces = {
    reading: readingKeySpace(pairing),
    signing: signingKeySpace(pairing, committeeBase(pairing)),
    audit: auditKeySpace(pairing),
  };
  return spaces[session] as KeySpace<unknown>;
}

/** One session's run of a change that is open. */
export class ChangeRun {
  world: World;
  readonly change: Change;
  readonly session: Session;
  readonly attempt: number;
  readonly run: Generation<unknown>;
  readonly dealings: ReadonlyMap<number, Dealing>;

  constructor(world: World, change: Change, session: Session) {
    this.world = world;
    this.change = change;
    this.session = session;
    this.attempt = load(world.state, entries.keygen, utf8(session))!.attempt;
    const space = spaceOf(world, session);
    const previous = world.committee(space);
    const { dealers, threshold, to } = change;
    const origin =
      change.change === "refresh"
        ? ({ kind: "refresh", previous } as const)
        : ({ kind: "reshare", previous, dealers } as const);
    const { chainId } = world;
    const { attempt } = this;
    this.run = generation(space, { chainId, nodes: to.length, threshold, attempt, origin });
    const shares = world.shares[session]!;
    this.dealings = new Map(
      dealers.map((dealer) => [dealer, startDealing(this.run, dealer, shares[dealer - 1]!)]),
    );
  }

  /** The same run, with the same dealings, as it goes on in another world. */
  in(world: World): ChangeRun {
    const copy: ChangeRun = Object.create(ChangeRun.prototype);
    return Object.assign(copy, this, { world });
  }

  message(kind: "commit" | "reveal" | "deal", dealer: number): Action {
    const { run, session, attempt } = this;
    const dealing = this.dealings.get(dealer)!;
    const messages = {
      commit: () => encodeCommit(commitOf(run, dealing)),
      reveal: () => encodeReveal(run, revealOf(run, dealing)),
      deal: () => encodeDeal({ dealer, envelopes: this.change.to.map(() => new Uint8Array(80)) }),
    };
    return { kind: `keygen-${kind}`, session, attempt, message: messages[kind]() };
  }

  round(kind: "commit" | "reveal" | "deal", dealers = this.change.dealers): void {
    for (const dealer of dealers) this.world.do(this.change.from[dealer - 1]!, this.message(kind, dealer));
  }

  complaint(receiver: number, dealer: number): Action {
    const { session, attempt } = this;
    return { kind: "keygen-complaint", session, attempt, message: encodeComplaint({ receiver, dealer }) };
  }

  answer(dealer: number, receiver: number): Action {
    const { session, attempt, run } = this;
    const message = encodePublishedShare(publishShare(run, this.dealings.get(dealer)!, receiver));
    return { kind: "keygen-answer", session, attempt, message };
  }

  get concluding(): Action {
    return { kind: "keygen-conclude", session: this.session, attempt: this.attempt };
  }

  conclude(receivers = this.change.to.map((_, at) => at + 1)): void {
    for (const receiver of receivers) this.world.do(this.change.to[receiver - 1]!, this.concluding);
  }

  verdict(by: Identity, action: Action): string {
    return this.world.verdict(this.world.signed(by, action));
  }

  get value() {
    return load(this.world.state, entries.keygen, utf8(this.session))!;
  }

  /** The receivers' new shares, of a run without a fault. */
  shares(): NodeShare[] {
    const { run, dealings, world, session } = this;
    const made = [...dealings.values()];
    const agreed = conclude(run, {
      commits: made.map((dealing) => commitOf(run, dealing)),
      reveals: made.map((dealing) => revealOf(run, dealing)),
      deals: made.map(({ dealer }) => ({
        dealer,
        envelopes: this.change.to.map(() => new Uint8Array(80)),
      })),
      complaints: [],
      published: [],
    }) as Agreed<unknown>;
    return this.change.to.map((_, at) => {
      const index = at + 1;
      const received = new Map(made.map((one) => [one.dealer, shareFor(run, one, index)]));
      const previous = world.shares[session]![at];
      const own = { index, received };
      return ownShare(run, agreed, run.origin.kind === "refresh" ? { ...own, previous: previous! } : own);
    });
  }
}

/** All rounds of all three sessions of an open change; the world has the new shares afterwards. */
export function runChange(world: World, change: Change): void {
  const made: Partial<Record<Session, NodeShare[]>> = {};
  for (const session of sessions) {
    const run = new ChangeRun(world, change, session);
    for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
    made[session] = run.shares();
    run.conclude();
  }
  world.shares = made;
}
