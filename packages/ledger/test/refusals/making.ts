/** What the cases of refusals are made of: actions, and worlds brought to the point where one is refused. */
import {
  encodeNamespaceLists,
  encodeNamespaceProof,
  namespaceKeys,
  sha256,
  toHex,
  utf8,
} from "@chartseal/crypto";
import type { Action } from "../../src/actions.ts";
import type { RefusalName } from "../../src/refusals.ts";
import { decodeTransaction, encodeTransaction } from "../../src/transaction.ts";
import {
  type BodyChanges,
  doctor,
  hospital,
  identity,
  owner,
  policy,
  service,
  type World,
  writers,
} from "../world.ts";

export const both = ["cardiologist@cedars", "physician@cedars"];
export const nobody = identity("nobody");
export const someHash = sha256(utf8("some hash"));

/** Name of the refusal → a transaction that provokes it, made in a world of its own. */
export type Case = readonly [RefusalName, string, (world: World) => Uint8Array];

export const alertOf: Action = { kind: "alert", alert: "other", recordId: null, detail: "x" };
export const ruleOf = (changes: object = {}): Action => ({
  kind: "set-rule",
  namespace: "cedars",
  policy,
  writers,
  purposes: ["TREAT"],
  expiresMs: null,
  perDay: 3,
  ...changes,
});
export const vouchOf = (changes: object = {}): Action => ({
  kind: "vouch",
  namespace: "cedars",
  account: doctor.account,
  attributes: ["nurse@cedars"],
  mode: "transform",
  digest: null,
  ...changes,
});
export const enrolOf = ({ publicKey, hpkeKey }: typeof owner): Action => ({
  kind: "enrol",
  publicKey,
  hpkeKey,
});

export function inPlace(changes: (world: World) => BodyChanges): (world: World) => Uint8Array {
  return (world) => world.signed(service, alertOf, { body: world.body(alertOf, changes(world)) });
}

/** A signed transaction with one byte of it changed where `at` points. */
export function flipped(bytes: Uint8Array, part: Uint8Array): Uint8Array {
  const { bodyBytes, authorisation } = decodeTransaction(bytes);
  const swap = <T>(value: T): T => {
    if (value instanceof Uint8Array)
      return (value === part || toHex(value) === toHex(part) ? flip(value) : value) as T;
    if (Array.isArray(value)) return value.map(swap) as T;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, swap(one)])) as T;
  };
  return encodeTransaction(bodyBytes, swap(authorisation));
}

export function flip(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[9]! ^= 1;
  return copy;
}

export function recordIn(world: World, label = "record"): Uint8Array {
  world.submit(world.authorDeposit(label, world.keys));
  return world.oneTime(label).id;
}

export function grantIn(world: World): Uint8Array {
  const recordId = recordIn(world);
  world.submit(world.attributeRequest("request", { recordId, keys: world.keys }));
  return world.oneTime("request").id;
}

export function registration(world: World, name: string, changes: { lists?: Uint8Array } = {}): Action {
  const { pairing, chainId } = world;
  const { account, hpkeKey } = hospital;
  const made = namespaceKeys(pairing, { chainId, namespace: name, account }, 1);
  const proof = encodeNamespaceProof(made.proof);
  return {
    kind: "register-namespace",
    name,
    account,
    hpkeKey,
    lists: encodeNamespaceLists(pairing, made.lists),
    proof,
    ...changes,
  };
}

export function keyRequested(
  world: World,
  changes: object = {},
  prepare: (world: World) => void = () => {},
): Uint8Array {
  const { action } = world.keyRequest(doctor, { label: "key", attributes: both });
  prepare(world);
  return world.signed(doctor, { ...action, ...changes });
}

export function issueIn(world: World, changes: object = {}): Uint8Array {
  const { action } = world.keyRequest(doctor, { label: "key", attributes: both });
  world.do(doctor, action);
  const { requestId } = action;
  return world.signed(service, { kind: "key-issued", requestId, keyId: someHash, nodes: [1, 2], ...changes });
}

export function rekeyIn(world: World, changes: object = {}): Uint8Array {
  const recordId = recordIn(world);
  const deposit = world.depositAction(recordId);
  const { headerHash, address } = deposit;
  const action: Action = {
    kind: "rekey",
    recordId,
    version: 2,
    headerHash,
    address,
    policy,
    statement: null,
    ...changes,
  };
  return world.signed(owner, action, { storageReceipt: world.stored(deposit) });
}
