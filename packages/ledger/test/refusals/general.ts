/** Refusals that every kind meets, roles, votes, and key generation. */
import { encode } from "@chartseal/crypto";
import type { Action } from "../../src/actions.ts";
import { signAdmission, signOneTime } from "../../src/authorisation.ts";
import { entries } from "../../src/state-kinds.ts";
import { decodeTransaction, encodeTransaction } from "../../src/transaction.ts";
import { doctor, hospital, nodes, owner, service, stranger } from "../world.ts";
import {
  alertOf,
  type Case,
  enrolOf,
  flipped,
  inPlace,
  keyRequested,
  nobody,
  registration,
  someHash,
  vouchOf,
} from "./making.ts";

export const general: readonly Case[] = [
  [
    "settings-invalid",
    "an emergency without end",
    (w) => {
      const body = w.body({
        kind: "set-settings",
        emergencyAttributes: [],
        recoveryRequired: false,
        recoveryDelayMs: 0,
        emergencyLifetimeMs: 0,
      });
      return encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] });
    },
  ],
  ["malformed", "bytes that are no transaction", () => Uint8Array.of(0x80)],
  ["malformed", "a point off the curve", (w) => keyRequested(w, { blinded: new Uint8Array(48).fill(0xbf) })],
  ["wrong-chain", "another chain", inPlace(() => ({ chainId: someHash }))],
  ["wrong-era", "another era", inPlace(() => ({ era: 1 }))],
  ["lapsed", "past its time", inPlace((w) => ({ lastValidMs: w.timestampMs - 1 }))],
  ["valid-too-long", "too far ahead", inPlace((w) => ({ lastValidMs: w.timestampMs + 3_600_001 }))],
  ["head-unknown", "a fork's block", inPlace((w) => ({ head: { height: w.height, hash: someHash } }))],
  ["head-unknown", "a block to come", inPlace((w) => ({ head: { height: w.height + 5, hash: someHash } }))],
  [
    "repeated",
    "the same body under the next sequence number",
    (w) => {
      const body = w.body(alertOf);
      w.submit(w.signed(service, alertOf, { body }));
      return w.signed(service, alertOf, { body });
    },
  ],
  [
    "sequence-wrong",
    "the same transaction again, as if its identifier were forgotten",
    (w) => {
      const bytes = w.signed(service, alertOf);
      const identifier = w.submit(bytes);
      w.state.remove(entries.transaction.kind, identifier);
      return bytes;
    },
  ],
  [
    "authorisation-parts",
    "a one-time key that nobody asked for",
    (w) => {
      const body = w.body(alertOf);
      return w.signed(service, alertOf, { body, oneTime: signOneTime(nobody.seed, body) });
    },
  ],
  ["authorisation-parts", "nobody's signature", (w) => encodeTransaction(w.body(alertOf), {})],
  ["authorisation-parts", "an admission that nobody asked for", (w) => w.admitted(service, alertOf)],
  ["signer-unknown", "an account that is not there", (w) => w.signed(nobody, alertOf)],
  [
    "signature-invalid",
    "a flipped bit",
    (w) => {
      const bytes = w.signed(service, alertOf);
      return flipped(bytes, decodeTransaction(bytes).authorisation.account!.signature);
    },
  ],
  ["role-missing", "a stranger vouches for a hospital", (w) => w.signed(stranger, vouchOf())],
  ["role-missing", "a member's alert about nothing of its own", (w) => w.signed(stranger, alertOf)],
  ["account-exists", "enrolled twice", (w) => w.signed(owner, enrolOf(owner))],
  ["account-mismatch", "another's key", (w) => w.signed(nobody, enrolOf(stranger))],
  ["account-mismatch", "a hospital in another's name", (w) => w.admitted(owner, registration(w, "maple"))],
  ["account-unknown", "a vouch for nobody", (w) => w.signed(hospital, vouchOf({ account: nobody.account }))],
  ["admission-missing", "a hospital without a vote", (w) => w.signed(hospital, registration(w, "maple"))],
  [
    "admission-missing",
    "a provider of no genesis",
    (w) =>
      w.signed(nobody, { kind: "register-provider", publicKey: nobody.publicKey, hpkeKey: nobody.hpkeKey }),
  ],
  [
    "admission-invalid",
    "the vote of one who is no validator",
    (w) => {
      const action = registration(w, "maple");
      const body = w.body(action);
      return w.signed(hospital, action, { body, admissions: [signAdmission(owner.seed, body)] });
    },
  ],
  [
    "admission-invalid",
    "a vote on something else",
    (w) => {
      const action = registration(w, "maple");
      return w.signed(hospital, action, { admissions: [signAdmission(service.seed, w.body(alertOf))] });
    },
  ],
  [
    "account-mismatch",
    "an account of the genesis that enrols under another key",
    (w) => w.signed(service, { ...enrolOf(stranger) }),
  ],
  [
    "account-mismatch",
    "a member that becomes a provider under another key",
    (w) => {
      const { publicKey, hpkeKey } = nobody;
      return w.admitted(doctor, { kind: "register-provider", publicKey, hpkeKey });
    },
  ],
  [
    "admission-missing",
    "a new era without a vote",
    (w) => {
      const action: Action = {
        kind: "raise-era",
        lostHeight: 1,
        lostHash: someHash,
        missing: [],
        tombstones: [],
      };
      return encodeTransaction(w.body(action), {});
    },
  ],
  [
    "account-exists",
    "a provider registered twice",
    (w) => {
      const { publicKey, hpkeKey } = service;
      return w.signed(service, { kind: "register-provider", publicKey, hpkeKey });
    },
  ],
];

export const committee: readonly Case[] = [
  [
    "keygen-done",
    "a key set once",
    (w) =>
      w.signed(nodes[0]!, {
        kind: "keygen-commit",
        session: "reading",
        attempt: 1,
        message: encode([1, 1, someHash]),
      }),
  ],
];

export const beforeKeys: readonly Case[] = [
  ["committee-missing", "an account before the committee has keys", (w) => w.signed(owner, enrolOf(owner))],
  [
    "keygen-round",
    "a reveal before the commits",
    (w) =>
      w.signed(nodes[0]!, {
        kind: "keygen-reveal",
        session: "audit",
        attempt: 1,
        message: new Uint8Array(9),
      }),
  ],
  [
    "keygen-round",
    "an attempt to come",
    (w) =>
      w.signed(nodes[0]!, {
        kind: "keygen-commit",
        session: "audit",
        attempt: 2,
        message: encode([1, 1, someHash]),
      }),
  ],
  [
    "keygen-message",
    "a commit in another node's name",
    (w) =>
      w.signed(nodes[0]!, {
        kind: "keygen-commit",
        session: "audit",
        attempt: 1,
        message: encode([1, 2, someHash]),
      }),
  ],
];
