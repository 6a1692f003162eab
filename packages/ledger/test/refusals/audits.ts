/** Refusals about audits of what a provider stores. */
import { sha256, utf8 } from "@chartseal/crypto";
import type { ActionOf } from "../../src/actions.ts";
import { auditLifetimeMs, auditNonceHash } from "../../src/audit-values.ts";
import { hospital, type Identity, owner, service, stranger, type World } from "../world.ts";
import { type Case, someHash } from "./making.ts";

const nonce = sha256(utf8("an auditor's nonce"));

/** Opens an audit of the world's provider. */
export function openedBy(w: World, auditor: Identity): Uint8Array {
  return w.do(auditor, {
    kind: "open-audit",
    provider: service.account,
    nonceHash: auditNonceHash(nonce),
  });
}

export const resultOf = (
  auditId: Uint8Array,
  changes: Partial<ActionOf<"record-audit">> = {},
): ActionOf<"record-audit"> => ({
  kind: "record-audit",
  auditId,
  nonce,
  challenges: 460,
  records: 2,
  root: someHash,
  unanswered: 0,
  failures: 0,
  failed: [],
  mended: [],
  ...changes,
});

/** A world with one record of the owner, and its id. */
export function held(w: World): Uint8Array {
  w.submit(w.ownerDeposit("held"));
  return w.oneTime("held").id;
}

const recorded = (changes: Partial<ActionOf<"record-audit">>, auditor: Identity = hospital) => {
  return (w: World) => w.signed(auditor, resultOf(openedBy(w, auditor), changes));
};
/** A record, an audit opened after it, and a result that names it in `field`. */
const naming = (field: "failed" | "mended", auditor: Identity) => (w: World) => {
  const recordId = held(w);
  const changes = { [field]: [recordId], failures: field === "failed" ? 1 : 0 };
  return w.signed(auditor, resultOf(openedBy(w, auditor), changes));
};

export const audits: readonly Case[] = [
  [
    "provider-unknown",
    "an audit of nobody",
    (w) => w.signed(owner, { kind: "open-audit", provider: owner.account, nonceHash: someHash }),
  ],
  ["audit-unknown", "a result of no opening", (w) => w.signed(hospital, resultOf(someHash))],
  ["audit-unknown", "another's result", (w) => w.signed(service, resultOf(openedBy(w, hospital)))],
  [
    "audit-unknown",
    "a second result",
    (w) => {
      const auditId = openedBy(w, hospital);
      w.do(hospital, resultOf(auditId));
      return w.signed(hospital, resultOf(auditId));
    },
  ],
  [
    "audit-late",
    "a result after more than a day",
    (w) => {
      const auditId = openedBy(w, hospital);
      w.timestampMs += auditLifetimeMs;
      return w.signed(hospital, resultOf(auditId));
    },
  ],
  ["audit-nonce", "a nonce chosen after the block was there", recorded({ nonce: someHash })],
  ["audit-counts", "no chunk asked for", recorded({ challenges: 0 })],
  ["audit-counts", "more chunks than may be asked for", recorded({ challenges: 1001 })],
  ["audit-counts", "no record", recorded({ records: 0 })],
  ["audit-counts", "more unanswered than asked", recorded({ unanswered: 3 })],
  ["audit-counts", "failures that are not named", recorded({ failures: 1 })],
  ["record-unknown", "a record that is not there", recorded({ failures: 1, failed: [someHash] })],
  ["audit-records", "a stranger who says that another's record is lost", naming("failed", stranger)],
  [
    "audit-records",
    "a record twice",
    (w) => {
      const recordId = held(w);
      return w.signed(
        hospital,
        resultOf(openedBy(w, hospital), { failures: 2, failed: [recordId, recordId] }),
      );
    },
  ],
  [
    "audit-records",
    "a record that is younger than the seed",
    (w) => {
      const auditId = openedBy(w, hospital);
      return w.signed(hospital, resultOf(auditId, { failures: 1, failed: [held(w)] }));
    },
  ],
  ["audit-mended", "a record that never failed", naming("mended", hospital)],
  [
    "audit-mended",
    "the provider takes back what a hospital found",
    (w) => {
      const recordId = held(w);
      w.do(hospital, resultOf(openedBy(w, hospital), { failures: 1, failed: [recordId] }));
      return w.signed(service, resultOf(openedBy(w, service), { mended: [recordId] }));
    },
  ],
  [
    "audit-mended",
    "a record that failed in the same audit",
    (w) => {
      const recordId = held(w);
      w.do(hospital, resultOf(openedBy(w, hospital), { failures: 1, failed: [recordId] }));
      const both = { failures: 1, failed: [recordId], mended: [recordId] };
      return w.signed(hospital, resultOf(openedBy(w, hospital), both));
    },
  ],
];
