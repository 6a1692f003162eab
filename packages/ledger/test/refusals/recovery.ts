/** Refusals about keys of accounts and their recovery. */
import { accountOf } from "../../src/authorisation.ts";
import {
  guardianAccounts,
  guardians,
  paper,
  protect,
  replacement,
  settle,
  start,
  started,
  ways,
  withKey,
} from "../recoveries.ts";
import { doctor, nodes, owner, service, stranger } from "../world.ts";
import { both, type Case, enrolOf, nobody, someHash } from "./making.ts";

const next = withKey(owner, "next");

export const recovery: readonly Case[] = [
  [
    "key-taken",
    "another member's key",
    (w) => w.signed(owner, replacement(w, { ...doctor, account: owner.account })),
  ],
  ["key-taken", "the key that the account has", (w) => w.signed(owner, replacement(w, owner))],
  [
    "key-taken",
    "a key that the account had before",
    (w) => {
      w.do(owner, replacement(w, next));
      return w.signed(next, replacement(w, owner));
    },
  ],
  [
    "key-taken",
    "a newcomer enrols under the key that another got",
    (w) => {
      w.do(owner, replacement(w, next));
      const newcomer = { ...next, account: accountOf(next.publicKey) };
      return w.signed(newcomer, enrolOf(newcomer));
    },
  ],
  [
    "key-taken",
    "a recovery to a key that somebody enrolled meanwhile",
    (w) => {
      const recoveryId = started(w, { ...next, ...nobody, account: owner.account });
      w.do(nobody, enrolOf(nobody));
      w.timestampMs += 8 * 24 * 3_600_000;
      return w.signed({ ...nobody, account: owner.account }, { kind: "finish-recovery", recoveryId });
    },
  ],
  [
    "key-unproved",
    "a key whose holder said nothing",
    (w) => w.signed(owner, replacement(w, next, { publicKey: withKey(owner, "other").publicKey })),
  ],
  [
    "key-unproved",
    "a proof for another mail key",
    (w) => w.signed(owner, replacement(w, next, { hpkeKey: someHash })),
  ],
  [
    "key-unproved",
    "a proof for another account",
    (w) => w.signed(owner, replacement(w, withKey(doctor, "next"))),
  ],
  [
    "role-missing",
    "a provider's key",
    (w) => {
      w.do(service, enrolOf(service));
      return w.signed(service, replacement(w, withKey(service, "next")));
    },
  ],
  [
    "account-unknown",
    "a key for no member",
    (w) => w.signed(nodes[0]!, replacement(w, withKey(nodes[0]!, "next"))),
  ],
  ["ways-invalid", "a threshold of none", (w) => w.signed(owner, ways({ threshold: 0 }))],
  ["ways-invalid", "a threshold above the guardians", (w) => w.signed(owner, ways({ threshold: 3 }))],
  ["ways-invalid", "a threshold of nobody", (w) => w.signed(owner, ways({ guardians: [], threshold: 1 }))],
  [
    "ways-invalid",
    "one guardian twice",
    (w) => w.signed(owner, ways({ guardians: [doctor.account, doctor.account] })),
  ],
  [
    "ways-invalid",
    "guardians out of order",
    (w) => w.signed(owner, ways({ guardians: [...guardianAccounts].reverse() })),
  ],
  [
    "ways-invalid",
    "its own guardian",
    (w) => w.signed(owner, ways({ guardians: [owner.account], threshold: 1 })),
  ],
  [
    "ways-invalid",
    "a paper kit that is somebody's key",
    (w) => w.signed(owner, ways({ paperKey: stranger.publicKey })),
  ],
  [
    "ways-invalid",
    "a paper kit that is its own key",
    (w) => w.signed(owner, ways({ paperKey: owner.publicKey })),
  ],
  [
    "ways-invalid",
    "a paper kit that is the key of an account under another name",
    (w) => {
      w.do(owner, replacement(w, next));
      return w.signed(doctor, ways({ guardians: [], threshold: 0, paperKey: next.publicKey }));
    },
  ],
  [
    "account-unknown",
    "a guardian whom the ledger does not know",
    (w) => w.signed(owner, ways({ guardians: [nobody.account], threshold: 1 })),
  ],
  [
    "recovery-open",
    "a thief of the old key removes the guardians first",
    (w) => {
      started(w, next, { whole: false });
      return w.signed(owner, ways({ guardians: [], threshold: 0 }));
    },
  ],
  [
    "recovery-open",
    "a thief of the old key moves away",
    (w) => {
      started(w, next);
      return w.signed(owner, replacement(w, withKey(owner, "thief")));
    },
  ],
  [
    "recovery-unknown",
    "an approval of nothing",
    (w) => w.signed(doctor, { kind: "approve-recovery", recoveryId: someHash }),
  ],
  [
    "recovery-unknown",
    "an end of what was objected to",
    (w) => {
      const recoveryId = started(w, next);
      w.do(owner, { kind: "object-recovery", recoveryId });
      w.timestampMs += 8 * 24 * 3_600_000;
      return w.signed(next, { kind: "finish-recovery", recoveryId });
    },
  ],
  [
    "recovery-unknown",
    "an end a month too late",
    (w) => {
      const recoveryId = started(w, next);
      w.timestampMs += 38 * 24 * 3_600_000;
      return w.signed(next, { kind: "finish-recovery", recoveryId });
    },
  ],
  [
    "recovery-approved",
    "one guardian twice",
    (w) =>
      w.signed(guardians[0]!, { kind: "approve-recovery", recoveryId: started(w, next, { whole: false }) }),
  ],
  [
    "recovery-approved",
    "an approval that a paper kit needs not",
    (w) => {
      protect(w);
      const recoveryId = w.do(paper, start(w, next));
      return w.signed(guardians[0]!, { kind: "approve-recovery", recoveryId });
    },
  ],
  [
    "recovery-waiting",
    "an end before the other guardian agreed",
    (w) => {
      const recoveryId = started(w, next, { whole: false });
      w.timestampMs += 8 * 24 * 3_600_000;
      return w.signed(next, { kind: "finish-recovery", recoveryId });
    },
  ],
  [
    "recovery-waiting",
    "an end within the waiting time",
    (w) => {
      const recoveryId = started(w, next);
      w.timestampMs += 7 * 24 * 3_600_000 - 2000;
      return w.signed(next, { kind: "finish-recovery", recoveryId });
    },
  ],
  [
    "recovery-again",
    "one guardian starts a second one",
    (w) => {
      started(w, next);
      return w.signed(guardians[0]!, start(w, withKey(owner, "other")));
    },
  ],
  [
    "recovery-again",
    "a guardian starts anew right after an objection",
    (w) => {
      w.do(owner, { kind: "object-recovery", recoveryId: started(w, next) });
      return w.signed(guardians[0]!, start(w, next));
    },
  ],
  ["role-missing", "a recovery of one who named nobody", (w) => w.signed(doctor, start(w, next))],
  [
    "role-missing",
    "a recovery by one who is no guardian",
    (w) => {
      protect(w);
      return w.signed(stranger, start(w, next));
    },
  ],
  [
    "role-missing",
    "an approval by one who is no guardian",
    (w) => w.signed(stranger, { kind: "approve-recovery", recoveryId: started(w, next) }),
  ],
  [
    "role-missing",
    "an objection by a guardian",
    (w) => w.signed(doctor, { kind: "object-recovery", recoveryId: started(w, next) }),
  ],
  [
    "role-missing",
    "an end in the name of another account",
    (w) => {
      const recoveryId = started(w, next);
      w.timestampMs += 8 * 24 * 3_600_000;
      return w.signed(stranger, { kind: "finish-recovery", recoveryId });
    },
  ],
  [
    "signature-invalid",
    "the old key ends a recovery",
    (w) => {
      const recoveryId = started(w, next);
      w.timestampMs += 8 * 24 * 3_600_000;
      return w.signed(owner, { kind: "finish-recovery", recoveryId });
    },
  ],
  [
    "signature-invalid",
    "the old key after a replacement",
    (w) => {
      w.do(owner, replacement(w, next));
      return w.signed(owner, ways());
    },
  ],
  [
    "account-mismatch",
    "a paper kit that the member replaced by another",
    (w) => {
      protect(w, { paperKey: withKey(owner, "other kit").publicKey });
      return w.signed(paper, start(w, next));
    },
  ],
  [
    "recovery-missing",
    "an owner with one way where two are asked for",
    (w) => {
      settle(w, { recoveryRequired: true });
      protect(w, { guardians: [], threshold: 0 });
      return w.ownerDeposit("record");
    },
  ],
  [
    "request-outdated",
    "a thief's request for a key, answered after the replacement",
    (w) => {
      const { action } = w.keyRequest(doctor, { label: "key", attributes: both });
      w.do(doctor, action);
      w.do(doctor, replacement(w, withKey(doctor, "next")));
      return w.signed(service, {
        kind: "key-issued",
        requestId: action.requestId,
        keyId: someHash,
        nodes: [1, 2],
      });
    },
  ],
];
