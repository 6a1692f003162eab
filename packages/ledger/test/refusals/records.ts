/** Refusals about rules, deposits, relays and records. */
import { encode, toHex } from "@chartseal/crypto";
import { signOneTime, signStorageReceipt } from "../../src/authorisation.ts";
import { entries, save } from "../../src/state-kinds.ts";
import { decodeTransaction, encodeTransaction } from "../../src/transaction.ts";
import { doctor, owner, policy, service, stranger, writers } from "../world.ts";
import { type Case, flipped, nobody, recordIn, rekeyIn, ruleOf, someHash } from "./making.ts";

export const records: readonly Case[] = [
  [
    "attribute-unknown",
    "a hospital that does not exist",
    (w) => w.signed(owner, ruleOf({ policy: "a@nowhere" })),
  ],
  ["policy-invalid", "not canonical", (w) => w.signed(owner, ruleOf({ policy: `(${policy})` }))],
  ["policy-invalid", "no policy at all", (w) => w.signed(owner, ruleOf({ policy: "and and" }))],
  [
    "policy-invalid",
    "a person inside an and",
    (w) => w.signed(owner, ruleOf({ policy: `nurse@cedars and ${toHex(owner.account)}@self` })),
  ],
  ["rule-invalid", "expired before it begins", (w) => w.signed(owner, ruleOf({ expiresMs: w.timestampMs }))],
  ["purpose-missing", "no purpose", (w) => w.signed(owner, ruleOf({ purposes: [] }))],
  ["purpose-missing", "break-glass in advance", (w) => w.signed(owner, ruleOf({ purposes: ["BTG"] }))],
  [
    "rule-missing",
    "an owner without a rule",
    (w) => w.authorDeposit("r", w.keys, { owner: stranger.account }),
  ],
  [
    "rule-missing",
    "a revoked rule",
    (w) => {
      w.do(owner, { kind: "revoke-rule", namespace: "cedars" });
      return w.authorDeposit("r", w.keys);
    },
  ],
  [
    "rule-missing",
    "an owner's deposit without the owner's signature",
    (w) => {
      const { bodyBytes, authorisation } = decodeTransaction(w.ownerDeposit("r"));
      const key = w.oneTime("r");
      const attributes = new Uint8Array(8);
      const { storageReceipt } = authorisation;
      return encodeTransaction(bodyBytes, {
        ...w.enveloped(key, { body: bodyBytes, attributes }),
        storageReceipt,
      });
    },
  ],
  [
    "rule-expired",
    "an expired rule",
    (w) => {
      w.do(owner, ruleOf({ expiresMs: w.timestampMs + 1000 }));
      return w.authorDeposit("r", w.keys);
    },
  ],
  [
    "rule-writers",
    "other writers",
    (w) => w.authorDeposit("r", w.keys, { authorPolicy: "cardiologist@cedars" }),
  ],
  [
    "rule-policy",
    "a wider policy",
    (w) => w.authorDeposit("r", w.keys, { policy: `${policy} or nurse@cedars` }),
  ],
  [
    "rule-policy",
    "a narrower policy in another order",
    (w) => w.authorDeposit("r", w.keys, { policy: `nurse@cedars and ${policy}` }),
  ],
  [
    "rule-quota",
    "one more than a day's",
    (w) => {
      for (const label of ["1", "2", "3"]) recordIn(w, label);
      return w.authorDeposit("4", w.keys);
    },
  ],
  [
    "record-exists",
    "a one-time key used again",
    (w) => {
      recordIn(w);
      return w.authorDeposit("record", w.keys);
    },
  ],
  [
    "one-time-invalid",
    "another key's id",
    (w) => {
      const action = w.depositAction(w.oneTime("victim").id);
      const body = w.body(action);
      const attributes = w.attributeSignature(w.keys, { body, policy: writers });
      const parts = w.enveloped(w.oneTime("thief"), { body, attributes });
      return encodeTransaction(body, { ...parts, storageReceipt: w.stored(action) });
    },
  ],
  [
    "one-time-invalid",
    "an owner's deposit under another key's id",
    (w) => {
      const action = w.depositAction(w.oneTime("victim").id, {
        namespace: null,
        authorPolicy: null,
        purposes: ["TREAT"],
      });
      const body = w.body(action);
      const oneTime = signOneTime(w.oneTime("own").seed, body);
      return w.signed(owner, action, { body, oneTime, storageReceipt: w.stored(action) });
    },
  ],
  [
    "one-time-invalid",
    "a flipped signature",
    (w) => {
      const bytes = w.ownerDeposit("r");
      return flipped(bytes, decodeTransaction(bytes).authorisation.oneTime!.signature);
    },
  ],
  [
    "namespace-given",
    "an owner's deposit that names a hospital",
    (w) => w.ownerDeposit("r", { namespace: "cedars" }),
  ],
  [
    "relay-unknown",
    "a stranger as the relay",
    (w) => {
      const key = w.oneTime("r");
      const action = w.depositAction(key.id);
      const body = w.body(action);
      const parts = w.enveloped(key, { body, attributes: new Uint8Array(8), relay: stranger });
      return encodeTransaction(body, { ...parts, storageReceipt: w.stored(action) });
    },
  ],
  [
    "relay-quota",
    "one envelope more than a minute's",
    (w) => {
      const minute = Math.floor(w.timestampMs / 60_000);
      save(w.state, entries.relayUse, service.account, { minute, count: 100 });
      return w.authorDeposit("r", w.keys);
    },
  ],
  [
    "relay-invalid",
    "a flipped envelope",
    (w) => {
      const bytes = w.authorDeposit("r", w.keys);
      return flipped(bytes, decodeTransaction(bytes).authorisation.relay!.signature);
    },
  ],
  [
    "attribute-proof-invalid",
    "one attribute of the two that the policy asks",
    (w) => {
      const { authorisation } = decodeTransaction(w.authorDeposit("r", w.keys));
      const key = w.oneTime("again");
      const action = w.depositAction(key.id);
      const body = w.body(action);
      const parts = w.enveloped(key, { body, attributes: authorisation.attributes! });
      return encodeTransaction(body, { ...parts, storageReceipt: w.stored(action) });
    },
  ],
  [
    "attribute-proof-invalid",
    "no signature at all",
    (w) => {
      const key = w.oneTime("again");
      const action = w.depositAction(key.id);
      const body = w.body(action);
      const parts = w.enveloped(key, { body, attributes: encode([1]) });
      return encodeTransaction(body, { ...parts, storageReceipt: w.stored(action) });
    },
  ],
  [
    "attribute-proof-invalid",
    "an attribute that was never opened",
    (w) => {
      const { authorisation } = decodeTransaction(w.authorDeposit("r", w.keys));
      const key = w.oneTime("o");
      const action = w.depositAction(key.id, {
        namespace: null,
        authorPolicy: "porter@cedars",
        purposes: ["TREAT"],
      });
      const body = w.body(action);
      const oneTime = signOneTime(key.seed, body);
      const { attributes } = authorisation;
      return w.signed(owner, action, { body, oneTime, attributes, storageReceipt: w.stored(action) });
    },
  ],
  [
    "policy-unprovable",
    "attributes where only a person is named",
    (w) => {
      w.submit(w.ownerDeposit("p", { policy: `${toHex(doctor.account)}@self` }));
      return w.attributeRequest("q", { recordId: w.oneTime("p").id, keys: w.keys });
    },
  ],
  [
    "storage-receipt-invalid",
    "a receipt over another header",
    (w) => {
      const { bodyBytes, authorisation } = decodeTransaction(w.ownerDeposit("r"));
      const storageReceipt = w.stored(w.depositAction(w.oneTime("r").id, { headerHash: someHash }));
      return encodeTransaction(bodyBytes, { ...authorisation, storageReceipt });
    },
  ],
  ["record-unknown", "no such record", (w) => w.signed(owner, { kind: "erase", recordId: someHash })],
  ["record-version", "a version skipped", (w) => rekeyIn(w, { version: 3 })],
  [
    "record-version",
    "a request for an old version",
    (w) => {
      const recordId = recordIn(w);
      return w.attributeRequest("q", { recordId, keys: w.keys, changes: { recordDigest: someHash } });
    },
  ],
  [
    "record-erased",
    "erased twice",
    (w) => {
      const recordId = recordIn(w);
      w.do(owner, { kind: "erase", recordId });
      return w.signed(owner, { kind: "erase", recordId });
    },
  ],
  [
    "statement-invalid",
    "another metadata commitment",
    (w) => rekeyIn(w, { statement: { ...w.depositAction(someHash).statement } }),
  ],
  [
    "account-unknown",
    "a record about nobody",
    (w) => w.authorDeposit("r", w.keys, { owner: nobody.account }),
  ],
  [
    "purpose-missing",
    "an author who gives purposes",
    (w) => w.authorDeposit("r", w.keys, { purposes: ["TREAT"] }),
  ],
  ["purpose-missing", "an owner who gives none", (w) => w.ownerDeposit("r", { purposes: [] })],
  [
    "role-missing",
    "another's deposit in the owner's name",
    (w) => w.ownerDeposit("r", { owner: doctor.account }),
  ],
  [
    "rule-missing",
    "a rule revoked twice",
    (w) => {
      w.do(owner, { kind: "revoke-rule", namespace: "cedars" });
      return w.signed(owner, { kind: "revoke-rule", namespace: "cedars" });
    },
  ],
  [
    "record-erased",
    "a rekey after the erasure",
    (w) => {
      const bytes = rekeyIn(w);
      const { body, authorisation } = decodeTransaction(bytes);
      w.do(owner, { kind: "erase", recordId: w.oneTime("record").id });
      return w.signed(owner, body.action, { storageReceipt: authorisation.storageReceipt });
    },
  ],
  ["role-missing", "a rule of one who is no member", (w) => w.signed(service, ruleOf())],
  [
    "namespace-unknown",
    "a rule for the namespace of persons",
    (w) => w.signed(owner, ruleOf({ namespace: "self" })),
  ],
  [
    "attribute-unknown",
    "an author policy of a hospital that does not exist",
    (w) => {
      const key = w.oneTime("r");
      const changes = { namespace: null, authorPolicy: "a@nowhere", purposes: ["TREAT"] } as const;
      const action = w.depositAction(key.id, changes);
      const body = w.body(action);
      const attributes = new Uint8Array(8);
      const oneTime = signOneTime(key.seed, body);
      return w.signed(owner, action, { body, oneTime, attributes, storageReceipt: w.stored(action) });
    },
  ],
  [
    "statement-invalid",
    "a payload above 1 TiB",
    (w) => {
      const { statement } = w.depositAction(someHash);
      return w.ownerDeposit("r", { statement: { ...statement, payloadLength: 2 ** 40 + 1 } });
    },
  ],
  [
    "storage-receipt-invalid",
    "a receipt by one who is no provider",
    (w) => {
      const { bodyBytes, authorisation } = decodeTransaction(w.ownerDeposit("r"));
      const { recordId, address, headerHash, statement } = w.depositAction(w.oneTime("r").id);
      const storageReceipt = signStorageReceipt(doctor.seed, { recordId, address, headerHash, ...statement });
      return encodeTransaction(bodyBytes, { ...authorisation, storageReceipt });
    },
  ],
];
