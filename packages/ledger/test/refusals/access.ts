/** Refusals about requests, grants, receipts, disputes and certificates. */
import type { Action } from "../../src/actions.ts";
import { signAdmission, signErasedCopy } from "../../src/authorisation.ts";
import { encodeTransaction } from "../../src/transaction.ts";
import { doctor, type Identity, owner, policy, service, stranger, type World } from "../world.ts";
import { type Case, grantIn, recordIn, ruleOf, someHash } from "./making.ts";

const copyOf = ({ chainId }: World, recordId: Uint8Array, holder: Identity) =>
  signErasedCopy(holder.seed, { chainId, recordId, address: "objects/x" });

export const access: readonly Case[] = [
  [
    "request-exists",
    "a one-time key used for two requests",
    (w) => {
      grantIn(w);
      return w.attributeRequest("request", { recordId: w.oneTime("record").id, keys: w.keys });
    },
  ],
  [
    "purpose-missing",
    "no purpose",
    (w) => w.attributeRequest("q", { recordId: recordIn(w), keys: w.keys, changes: { purpose: null } }),
  ],
  [
    "person-unproved",
    "a person whom the policy does not name",
    (w) => w.namedRequest(doctor, "q", w.requestAction("q", recordIn(w), { proof: "person" })),
  ],
  [
    "role-missing",
    "another as the owner",
    (w) => w.namedRequest(doctor, "q", w.requestAction("q", recordIn(w), { proof: "owner" })),
  ],
  [
    "emergency-missing",
    "an emergency that is not there",
    (w) =>
      w.namedRequest(
        doctor,
        "q",
        w.requestAction("q", recordIn(w), { proof: "emergency", purpose: "BTG", emergencyId: someHash }),
      ),
  ],
  ["request-unknown", "a receipt for nothing", (w) => w.signed(service, w.receiptAction(someHash))],
  [
    "role-missing",
    "a receipt by another than the record's provider",
    (w) => w.signed(owner, w.receiptAction(grantIn(w), owner)),
  ],
  [
    "grant-missing",
    "a receipt after the provider refused",
    (w) => {
      const requestId = grantIn(w);
      w.do(service, { kind: "refuse", requestId, code: "key-missing" });
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "grant-missing",
    "a grant of the era before",
    (w) => {
      const requestId = grantIn(w);
      const action: Action = {
        kind: "raise-era",
        lostHeight: 99,
        lostHash: someHash,
        missing: [],
        tombstones: [],
      };
      const body = w.body(action);
      w.submit(encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] }));
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "grant-used",
    "a second receipt",
    (w) => {
      const requestId = grantIn(w);
      w.do(service, w.receiptAction(requestId));
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "grant-lapsed",
    "a receipt after ten minutes",
    (w) => {
      const requestId = grantIn(w);
      w.timestampMs += 600_000;
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "record-erased",
    "a receipt after the erasure",
    (w) => {
      const requestId = grantIn(w);
      w.do(owner, { kind: "erase", recordId: w.oneTime("record").id });
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "record-version",
    "a receipt after a rekey",
    (w) => {
      const recordId = recordIn(w);
      w.submit(w.attributeRequest("request", { recordId, keys: w.keys }));
      const deposit = w.depositAction(recordId, { headerHash: someHash });
      const { headerHash, address } = deposit;
      const action: Action = {
        kind: "rekey",
        recordId,
        version: 2,
        headerHash,
        address,
        policy,
        statement: null,
      };
      w.do(owner, action, { storageReceipt: w.stored(deposit) });
      return w.signed(service, w.receiptAction(w.oneTime("request").id));
    },
  ],
  [
    "rule-missing",
    "a receipt after the rule was revoked",
    (w) => {
      const requestId = grantIn(w);
      w.do(owner, { kind: "revoke-rule", namespace: "cedars" });
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "rule-expired",
    "a receipt after the rule's time",
    (w) => {
      w.do(owner, ruleOf({ expiresMs: w.timestampMs + 120_000 }));
      const requestId = grantIn(w);
      w.timestampMs += 120_000;
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "rule-purpose",
    "a receipt for a purpose that the owner has taken from the rule",
    (w) => {
      const requestId = grantIn(w);
      w.do(owner, ruleOf({ purposes: ["HRESCH"] }));
      return w.signed(service, w.receiptAction(requestId));
    },
  ],
  [
    "receipt-proof-invalid",
    "another request's ciphertext to the committee",
    (w) => {
      const requestId = grantIn(w);
      const { auditCiphertext } = w.receiptAction(someHash);
      return w.signed(service, { ...w.receiptAction(requestId), auditCiphertext });
    },
  ],
  [
    "dispute-invalid",
    "a relay that did not bring it",
    (w) => w.signed(owner, { kind: "mark-disputed", recordId: recordIn(w), relay: stranger.account }),
  ],
  [
    "certificate-invalid",
    "a certificate before the erasure",
    (w) => w.signed(service, { kind: "erase-certificate", recordId: recordIn(w), copies: [] }),
  ],
  [
    "certificate-invalid",
    "a copy of which nobody says that it is gone",
    (w) => {
      const recordId = recordIn(w);
      w.do(owner, { kind: "erase", recordId });
      const copies = [{ holder: service.account, address: "objects/x", signature: new Uint8Array(64) }];
      return w.signed(service, { kind: "erase-certificate", recordId, copies });
    },
  ],
  [
    "role-missing",
    "a certificate by a stranger",
    (w) => {
      const recordId = recordIn(w);
      w.do(owner, { kind: "erase", recordId });
      return w.signed(stranger, {
        kind: "erase-certificate",
        recordId,
        copies: [copyOf(w, recordId, service)],
      });
    },
  ],
  [
    "certificate-invalid",
    "a copy whose holder is no provider",
    (w) => {
      const recordId = recordIn(w);
      w.do(owner, { kind: "erase", recordId });
      return w.signed(service, {
        kind: "erase-certificate",
        recordId,
        copies: [copyOf(w, recordId, stranger)],
      });
    },
  ],
  [
    "role-missing",
    "an erasure by another than the owner",
    (w) => w.signed(doctor, { kind: "erase", recordId: recordIn(w) }),
  ],
  [
    "role-missing",
    "a receipt in another provider's name",
    (w) => {
      const requestId = grantIn(w);
      return w.signed(service, w.receiptAction(requestId, stranger));
    },
  ],
  [
    "one-time-invalid",
    "a request under another key's id",
    (w) => {
      const recordId = recordIn(w);
      const requestId = w.oneTime("victim").id;
      return w.namedRequest(owner, "q", w.requestAction("q", recordId, { proof: "owner", requestId }));
    },
  ],
  [
    "one-time-invalid",
    "a request that names another one-time key than the one that signs",
    (w) => {
      const { publicKey: oneTimeKey, id: requestId } = w.oneTime("other");
      const changes = { proof: "owner", requestId, oneTimeKey } as const;
      return w.namedRequest(owner, "q", w.requestAction("q", recordIn(w), changes));
    },
  ],
  [
    "emergency-missing",
    "an emergency named where none is claimed",
    (w) => {
      const changes = { proof: "owner", emergencyId: someHash } as const;
      return w.namedRequest(owner, "q", w.requestAction("q", recordIn(w), changes));
    },
  ],
];
