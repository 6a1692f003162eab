/** Refusals about namespaces, periods, vouches and keys. */
import { encodeNamespaceLists, namespaceKeys, toHex } from "@chartseal/crypto";
import { decodeTransaction } from "../../src/transaction.ts";
import { doctor, hospital, owner, service, stranger } from "../world.ts";
import { both, type Case, issueIn, keyRequested, registration, someHash, vouchOf } from "./making.ts";

export const namespaces: readonly Case[] = [
  ["namespace-exists", "registered twice", (w) => w.admitted(hospital, registration(w, "cedars"))],
  ["namespace-exists", "the reserved one", (w) => w.admitted(hospital, registration(w, "self"))],
  [
    "namespace-keys-invalid",
    "another's lists",
    (w) => {
      const { account } = hospital;
      const other = namespaceKeys(w.pairing, { chainId: w.chainId, namespace: "maple", account }, 1);
      return w.admitted(
        hospital,
        registration(w, "maple", { lists: encodeNamespaceLists(w.pairing, other.lists) }),
      );
    },
  ],
  [
    "namespace-unknown",
    "a period of no namespace",
    (w) => w.signed(hospital, { kind: "open-period", namespace: "maple", attribute: "a@maple", label: "q1" }),
  ],
  [
    "period-used",
    "a label that was opened before",
    (w) =>
      w.signed(hospital, {
        kind: "open-period",
        namespace: "cedars",
        attribute: "nurse@cedars",
        label: "2026q4",
      }),
  ],
  [
    "period-used",
    "a label that looks like the next after a revocation",
    (w) =>
      w.signed(hospital, {
        kind: "open-period",
        namespace: "cedars",
        attribute: "nurse@cedars",
        label: "2026q4.1",
      }),
  ],
  [
    "attributes-invalid",
    "another's attribute",
    (w) => w.signed(hospital, vouchOf({ attributes: ["nurse@maple"] })),
  ],
  [
    "attributes-invalid",
    "not sorted",
    (w) => w.signed(hospital, vouchOf({ attributes: [...both].reverse() })),
  ],
  [
    "attributes-invalid",
    "a person vouches for another name of self",
    (w) => {
      const { account } = owner;
      const attributes = [`emergency.${toHex(account)}@self`];
      return w.signed(owner, vouchOf({ namespace: "self", account, attributes }));
    },
  ],
  [
    "nothing-to-revoke",
    "what is not held",
    (w) =>
      w.signed(hospital, {
        kind: "revoke",
        namespace: "cedars",
        account: doctor.account,
        attributes: ["nurse@cedars"],
      }),
  ],
  [
    "request-exists",
    "a key request twice",
    (w) =>
      keyRequested(w, {}, (one) =>
        one.do(doctor, one.keyRequest(doctor, { label: "key", attributes: both }).action),
      ),
  ],
  [
    "vouch-missing",
    "an attribute that nobody vouches for",
    (w) => w.signed(doctor, w.keyRequest(doctor, { label: "key", attributes: ["nurse@cedars"] }).action),
  ],
  [
    "vouch-missing",
    "a revocation between request and issue",
    (w) => {
      const { action } = w.keyRequest(doctor, { label: "key", attributes: both });
      w.do(doctor, action);
      w.do(hospital, {
        kind: "revoke",
        namespace: "cedars",
        account: doctor.account,
        attributes: [both[0]!],
      });
      return w.signed(service, {
        kind: "key-issued",
        requestId: action.requestId,
        keyId: someHash,
        nodes: [1, 2],
      });
    },
  ],
  [
    "key-proof-invalid",
    "another request's Z",
    (w) => {
      const other = w.keyRequest(doctor, { label: "other", attributes: both }).action;
      return keyRequested(w, { blinded: other.blinded });
    },
  ],
  [
    "provider-unknown",
    "a key for a stranger to keep",
    (w) =>
      w.signed(
        doctor,
        w.keyRequest(doctor, { label: "key", attributes: both, provider: stranger.account }).action,
      ),
  ],
  [
    "provider-unknown",
    "a full key for another",
    (w) =>
      w.signed(
        doctor,
        w.keyRequest(doctor, { label: "key", attributes: both, mode: "full", provider: service.account })
          .action,
      ),
  ],
  ["epoch-wrong", "an epoch to come", (w) => keyRequested(w, { epoch: 2 })],
  [
    "request-unknown",
    "an issue that nobody asked for",
    (w) => w.signed(service, { kind: "key-issued", requestId: someHash, keyId: someHash, nodes: [1, 2] }),
  ],
  ["issue-nodes", "one node twice", (w) => issueIn(w, { nodes: [1, 1] })],
  ["issue-nodes", "fewer than t", (w) => issueIn(w, { nodes: [1] })],
  [
    "issue-done",
    "issued twice",
    (w) => {
      const bytes = issueIn(w);
      w.submit(bytes);
      return w.signed(service, decodeTransaction(bytes).body.action);
    },
  ],
  [
    "role-missing",
    "a key issued by another than its keeper",
    (w) => {
      const issued = decodeTransaction(issueIn(w)).body.action;
      return w.signed(stranger, issued);
    },
  ],
  [
    "role-missing",
    "a period opened by another than the namespace",
    (w) => {
      const opening = {
        kind: "open-period",
        namespace: "cedars",
        attribute: "nurse@cedars",
        label: "2027q1",
      } as const;
      return w.signed(stranger, opening);
    },
  ],
  [
    "attributes-invalid",
    "a period of another's attribute",
    (w) => {
      const opening = {
        kind: "open-period",
        namespace: "cedars",
        attribute: "nurse@maple",
        label: "2027q1",
      } as const;
      return w.signed(hospital, opening);
    },
  ],
  ["attributes-invalid", "a key over nothing", (w) => keyRequested(w, { attributes: [] })],
  [
    "attributes-invalid",
    "a key over unsorted attributes",
    (w) => keyRequested(w, { attributes: [...both].reverse() }),
  ],
  [
    "role-missing",
    "a revocation by another than the namespace",
    (w) =>
      w.signed(stranger, { kind: "revoke", namespace: "cedars", account: doctor.account, attributes: [] }),
  ],
  [
    "role-missing",
    "a revocation of another's own name",
    (w) => w.signed(hospital, { kind: "revoke", namespace: "self", account: owner.account, attributes: [] }),
  ],
  [
    "attributes-invalid",
    "a revocation of one attribute twice",
    (w) => {
      const attributes = ["physician@cedars", "physician@cedars"];
      return w.signed(hospital, { kind: "revoke", namespace: "cedars", account: doctor.account, attributes });
    },
  ],
  [
    "attributes-invalid",
    "a revocation of what another vouched for",
    (w) => {
      const { account } = owner;
      const attributes = [`${toHex(account)}@self`];
      return w.signed(hospital, { kind: "revoke", namespace: "cedars", account, attributes });
    },
  ],
  [
    "nothing-to-revoke",
    "all of an account that holds nothing",
    (w) =>
      w.signed(hospital, { kind: "revoke", namespace: "cedars", account: stranger.account, attributes: [] }),
  ],
  ["attributes-invalid", "a vouch for nothing", (w) => w.signed(hospital, vouchOf({ attributes: [] }))],
  ["attributes-invalid", "a full vouch for no issue", (w) => w.signed(hospital, vouchOf({ mode: "full" }))],
  [
    "attributes-invalid",
    "a standing vouch for one issue",
    (w) => w.signed(hospital, vouchOf({ digest: someHash })),
  ],
  [
    "vouch-missing",
    "a full vouch of what is not vouched for",
    (w) => w.signed(hospital, vouchOf({ mode: "full", digest: someHash })),
  ],
  [
    "role-missing",
    "a vouch for another's own name",
    (w) => {
      const { account } = stranger;
      return w.signed(
        doctor,
        vouchOf({ namespace: "self", account, attributes: [`${toHex(account)}@self`] }),
      );
    },
  ],
];
