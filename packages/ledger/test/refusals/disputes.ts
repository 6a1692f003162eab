/** Refusals about disputes over transforms: who may open one, who answers when, and what a verdict may rest on. */
import { sha256, utf8 } from "@chartseal/crypto";
import type { ActionOf } from "../../src/actions.ts";
import { disputeAnswerMs, type Verdict } from "../../src/dispute-values.ts";
import { entries, load } from "../../src/state-kinds.ts";
import { type AnsweredTransform, signStatement } from "../../src/transform-statement.ts";
import { doctor, hospital, type Identity, nodes, owner, service, stranger, type World } from "../world.ts";
import { type Case, flip, grantIn, issueIn, someHash } from "./making.ts";

/** Id of the key that `issueIn` makes the doctor's. */
export const disputedKeyId = someHash;
const answerHash = sha256(utf8("T"));

/** What the provider signed for the doctor's request, or something else. */
export function claimOf(
  w: World,
  changes: Partial<AnsweredTransform & { rows: readonly number[] }> = {},
): ActionOf<"dispute-transform"> {
  const requestId = changes.requestId ?? w.oneTime("request").id;
  const { recordId, recordDigest } = load(w.state, entries.request, requestId)!;
  const transformKeyId = disputedKeyId;
  const place = { chainId: w.chainId, provider: service.account, requestId, recordId, recordDigest };
  const { rows = [0, 1], ...others } = changes;
  const about = { ...place, transformKeyId, answerHash, ...others };
  const { signature } = signStatement(service, about, rows);
  return { kind: "dispute-transform", requestId, keyId: about.transformKeyId, rows, answerHash, signature };
}

/** A world with a transform that can be disputed. */
export function transformed(w: World): World {
  w.submit(issueIn(w));
  w.do(service, w.receiptAction(grantIn(w)));
  return w;
}

/** The doctor's dispute, opened. */
export function disputed(w: World): Uint8Array {
  transformed(w);
  return w.do(doctor, claimOf(w));
}

const envelopes = nodes.map((_, at) => new Uint8Array(80).fill(at));
export const openingOf = (disputeId: Uint8Array): ActionOf<"open-transform-key"> => ({
  kind: "open-transform-key",
  disputeId,
  box: utf8("key and header"),
  envelopes,
});
export const evidenceOf = (disputeId: Uint8Array): ActionOf<"dispute-evidence"> => ({
  kind: "dispute-evidence",
  disputeId,
  box: utf8("K and proof"),
  envelopes,
});

/** A node's verdict over all that the ledger holds by now. */
export function verdictOf(w: World, disputeId: Uint8Array, verdict: Verdict): ActionOf<"dispute-verdict"> {
  const { opening, evidence } = load(w.state, entries.dispute, disputeId)!;
  return { kind: "dispute-verdict", disputeId, verdict, opening, evidence };
}

const opened = (w: World, ...answers: readonly ("opening" | "evidence")[]): Uint8Array => {
  const disputeId = disputed(w);
  if (answers.includes("opening")) w.do(service, openingOf(disputeId));
  if (answers.includes("evidence")) w.do(doctor, evidenceOf(disputeId));
  return disputeId;
};
const judged =
  (verdict: Verdict, ...answers: readonly ("opening" | "evidence")[]) =>
  (w: World) =>
    w.signed(nodes[0]!, verdictOf(w, opened(w, ...answers), verdict));
const later = (w: World): World => Object.assign(w, { timestampMs: w.timestampMs + disputeAnswerMs + 1 });
const claimed =
  (change: (claim: ActionOf<"dispute-transform">) => object, by: Identity = doctor) =>
  (w: World) => {
    const claim = claimOf(transformed(w));
    return w.signed(by, { ...claim, ...change(claim) });
  };

export const disputes: readonly Case[] = [
  ["request-unknown", "of a request that nobody made", claimed(() => ({ requestId: someHash }))],
  [
    "transform-unanswered",
    "of a grant that was not used",
    (w) => {
      w.submit(issueIn(w));
      grantIn(w);
      return w.signed(doctor, claimOf(w));
    },
  ],
  [
    "transform-unsigned",
    "a T of the reader's own",
    claimed(({ answerHash: hash }) => ({ answerHash: flip(hash) })),
  ],
  ["transform-unsigned", "a flipped signature", claimed(({ signature }) => ({ signature: flip(signature) }))],
  ["transform-unsigned", "other rows", claimed(() => ({ rows: [0] }))],
  ["transform-unsigned", "no rows", (w) => w.signed(doctor, claimOf(transformed(w), { rows: [] }))],
  [
    "transform-unsigned",
    "rows out of order",
    (w) => w.signed(doctor, claimOf(transformed(w), { rows: [1, 0] })),
  ],
  [
    "transform-unsigned",
    "a statement about another digest",
    (w) => w.signed(doctor, claimOf(transformed(w), { recordDigest: someHash })),
  ],
  ["transform-key", "under another's key", claimed(() => ({}), owner)],
  [
    "transform-key",
    "under a key that was never issued",
    (w) => w.signed(doctor, claimOf(transformed(w), { transformKeyId: answerHash })),
  ],
  ...(["revoked", "revoked and given again"] as const).map(
    (how): Case => [
      "transform-key",
      `made with a part that was ${how} since`,
      (w) => {
        const claim = claimOf(transformed(w));
        const part = { namespace: "cedars", account: doctor.account, attributes: ["physician@cedars"] };
        w.do(hospital, { kind: "revoke", ...part });
        if (how !== "revoked") w.do(hospital, { kind: "vouch", ...part, mode: "transform", digest: null });
        return w.signed(doctor, claim);
      },
    ],
  ),
  ["role-missing", "by one who is no member", claimed(() => ({}), service)],
  [
    "transform-disputed",
    "once more",
    (w) => {
      disputed(w);
      return w.signed(doctor, claimOf(w));
    },
  ],
  ["dispute-unknown", "an opening for nothing", (w) => w.signed(service, openingOf(someHash))],
  ["dispute-unknown", "evidence for nothing", (w) => w.signed(doctor, evidenceOf(someHash))],
  [
    "dispute-unknown",
    "a verdict after it was settled",
    (w) => {
      const disputeId = opened(w, "opening");
      for (const node of nodes.slice(0, 2)) w.do(node, verdictOf(w, disputeId, "provider"));
      return w.signed(nodes[2]!, verdictOf(w, disputeId, "provider"));
    },
  ],
  ["role-missing", "an opening by the reader", (w) => w.signed(doctor, openingOf(disputed(w)))],
  ["role-missing", "evidence by the owner", (w) => w.signed(owner, evidenceOf(disputed(w)))],
  ["dispute-answered", "a second opening", (w) => w.signed(service, openingOf(opened(w, "opening")))],
  ["dispute-answered", "a second proof", (w) => w.signed(doctor, evidenceOf(opened(w, "evidence")))],
  [
    "dispute-judges",
    "a judge left out",
    (w) => w.signed(service, { ...openingOf(disputed(w)), envelopes: envelopes.slice(1) }),
  ],
  [
    "dispute-judges",
    "one judge too many",
    (w) => w.signed(doctor, { ...evidenceOf(disputed(w)), envelopes: [...envelopes, envelopes[0]!] }),
  ],
  [
    "dispute-late",
    "an opening after the day",
    (w) => {
      const disputeId = disputed(w);
      return later(w).signed(service, openingOf(disputeId));
    },
  ],
  [
    "role-missing",
    "a stranger's verdict",
    (w) => w.signed(stranger, verdictOf(w, opened(w, "opening"), "provider")),
  ],
  [
    "verdict-given",
    "a node's second verdict",
    (w) => {
      const disputeId = opened(w, "opening", "evidence");
      w.do(nodes[0]!, verdictOf(w, disputeId, "reader"));
      return w.signed(nodes[0]!, verdictOf(w, disputeId, "provider"));
    },
  ],
  ["verdict-unfounded", "the provider convicted before its day is over", judged("provider")],
  ["verdict-unfounded", "the reader dismissed before its day is over", judged("dismissed", "opening")],
  ["verdict-unfounded", "the sealer without evidence", judged("sealer", "opening")],
  ["verdict-unfounded", "the reader without evidence", judged("reader", "opening")],
  ["verdict-unfounded", "the reader without an opening", judged("reader", "evidence")],
  [
    "verdict-unfounded",
    "dismissed where the provider is silent too",
    (w) => {
      const disputeId = disputed(w);
      return later(w).signed(nodes[0]!, verdictOf(w, disputeId, "dismissed"));
    },
  ],
  [
    "verdict-unfounded",
    "over another opening than the ledger's",
    (w) => w.signed(nodes[0]!, { ...verdictOf(w, opened(w, "opening"), "provider"), opening: someHash }),
  ],
  [
    "verdict-unfounded",
    "over evidence that is not there",
    (w) => w.signed(nodes[0]!, { ...verdictOf(w, opened(w, "opening"), "provider"), evidence: someHash }),
  ],
];
