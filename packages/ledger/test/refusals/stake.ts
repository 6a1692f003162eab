/** Refusals about stake and votes, in a consortium of four validators with a stake of 10 each. */
import { sha256, utf8 } from "@chartseal/crypto";
import type { Action } from "../../src/actions.ts";
import { defaultStakeParameters } from "../../src/rules/stake-parameters.ts";
import { bondsMax } from "../../src/stake-values.ts";
import {
  admittedBy,
  equivocationOf,
  proposal,
  registerNode,
  unsigned,
  validators,
  voteIn,
} from "../stake-world.ts";
import { type Identity, identity, stranger, type World } from "../world.ts";
import type { Case } from "./making.ts";

const [one, two, three, four, five] = validators as unknown as [
  Identity,
  Identity,
  Identity,
  Identity,
  Identity,
];
const { publicKey } = four;
const unbond = (amount: number, by = one): Action => ({ kind: "unbond", validator: by.publicKey, amount });
const absence: Action = {
  kind: "jail-absent",
  validator: publicKey,
  fromHeight: 1,
  toHeight: 1_000,
  missed: 900,
};
const lift: Action = { kind: "lift-jail", publicKey };
const admit: Action = {
  kind: "admit-validator",
  publicKey: five.publicKey,
  operator: five.account,
  weight: 1,
};
const removal: Action = {
  kind: "remove-institution",
  role: "provider",
  account: one.account,
  namespace: null,
};
const byVote = (w: World, action: Action) => admittedBy(w, [one, two, three], action);
const afterJail = (make: (w: World) => Uint8Array) => (w: World) => {
  w.submit(unsigned(w, equivocationOf(w, four)));
  return make(w);
};
const open = (w: World, action = admit) => w.do(one, proposal(w, action));
const ballot = (proposalId: Uint8Array): Action => ({ kind: "vote", proposalId, inFavour: true });

/** Delegations of as many accounts as a validator can have bonds. */
function crowded(w: World): Uint8Array {
  const crowd = Array.from({ length: bondsMax }, (_, at) => identity(`crowd ${at}`));
  voteIn(w, { kind: "assign-weight", account: one.account, weight: 30 });
  w.do(one, { kind: "bond", validator: one.publicKey, amount: 10 });
  w.do(one, { kind: "bond", validator: one.publicKey, amount: 20 });
  for (const who of crowd) {
    registerNode(w, who);
    voteIn(w, { kind: "assign-weight", account: who.account, weight: 1 });
  }
  for (const who of crowd.slice(1)) w.do(who, { kind: "delegate", validator: one.publicKey, amount: 1 });
  return w.signed(crowd[0]!, { kind: "delegate", validator: one.publicKey, amount: 1 });
}

export const stake: readonly Case[] = [
  ["validator-unknown", "a bond to nobody", (w) => w.signed(one, unbond(1, five))],
  ["validator-exists", "one admitted twice", (w) => byVote(w, { ...admit, publicKey } as Action)],
  [
    "operator-missing",
    "a vote by an account that operates no validator",
    (w) => {
      const id = open(w);
      registerNode(w, stranger);
      return w.signed(stranger, ballot(id));
    },
  ],
  [
    "operator-missing",
    "a proposal by one that is jailed",
    afterJail((w) => w.signed(four, proposal(w, admit))),
  ],
  [
    "stake-holder",
    "an operator's delegation to its own",
    (w) => w.signed(one, { kind: "delegate", validator: one.publicKey, amount: 1 }),
  ],
  [
    "stake-holder",
    "a bond to another's",
    (w) => w.signed(one, { kind: "bond", validator: two.publicKey, amount: 1 }),
  ],
  ["stake-amount", "more than is bonded", (w) => w.signed(one, unbond(11))],
  ["stake-amount", "nothing", (w) => w.signed(one, unbond(0))],
  [
    "stake-amount",
    "weight that nobody gave",
    (w) => w.signed(one, { kind: "bond", validator: one.publicKey, amount: 1 }),
  ],
  ["stake-full", "one bond more than there can be", crowded],
  ["stake-unsafe", "a member of four that leaves", (w) => w.signed(one, unbond(10))],
  [
    "stake-waiting",
    "weight before its time",
    (w) => {
      w.do(one, unbond(1));
      return w.signed(one, { kind: "withdraw-weight", validator: one.publicKey });
    },
  ],
  ["validator-jailed", "an absence of one that is jailed", afterJail((w) => byVote(w, absence))],
  ["jail-stands", "a jail lifted that is none", (w) => byVote(w, lift)],
  [
    "jail-stands",
    "an operator's, after an equivocation",
    afterJail((w) => w.signed(four, { kind: "unjail", validator: publicKey })),
  ],
  ["absence-short", "a short absence", (w) => byVote(w, { ...absence, missed: 10 } as Action)],
  [
    "equivocation-invalid",
    "votes that another signed",
    (w) => unsigned(w, equivocationOf(w, four, { signer: one })),
  ],
  ["equivocation-known", "the same votes again", afterJail((w) => unsigned(w, equivocationOf(w, four)))],
  [
    "proposal-action",
    "bytes that are no action",
    (w) => w.signed(one, { ...proposal(w, admit), action: Uint8Array.of(0x80) }),
  ],
  ["proposal-action", "what no vote decides", (w) => w.signed(one, proposal(w, unbond(1)))],
  [
    "proposal-time",
    "a proposal without a time to vote",
    (w) => w.signed(one, proposal(w, admit, w.timestampMs)),
  ],
  [
    "proposal-time",
    "a proposal for ever",
    (w) => w.signed(one, proposal(w, admit, w.timestampMs + defaultStakeParameters.proposalMs + 1)),
  ],
  ["proposal-unknown", "a vote on nothing", (w) => w.signed(one, ballot(sha256(utf8("none"))))],
  [
    "proposal-closed",
    "a vote after its time",
    (w) => {
      const id = w.do(one, proposal(w, admit, w.timestampMs + 10));
      return w.signed(one, ballot(id));
    },
  ],
  [
    "ballot-cast",
    "a second vote",
    (w) => {
      const id = open(w);
      w.do(one, ballot(id));
      return w.signed(one, { kind: "vote", proposalId: id, inFavour: false });
    },
  ],
  [
    "proposal-short",
    "half of the stake in favour",
    (w) => {
      const proposalId = open(w);
      for (const who of [one, two]) w.do(who, ballot(proposalId));
      return w.signed(one, { kind: "execute", proposalId });
    },
  ],
  [
    "stake-parameters-invalid",
    "an hour's delay",
    (w) => byVote(w, { kind: "set-stake-parameters", ...defaultStakeParameters, unbondingMs: 3_600_000 }),
  ],
  ["institution-unknown", "a provider that is none", (w) => byVote(w, removal)],
];
