/** Emergencies and proxies in the small consortium: two emergency physicians of cedars, records of the owner, a carer. */
import {
  compareBytes,
  emergencyAttribute,
  encode,
  encodeBlindProof,
  issueDigest,
  proveBlind,
  selfAttribute,
  sha256,
  toHex,
  transformKeyPair,
  utf8,
} from "@chartseal/crypto";
import type { Action, ActionOf, Settings, SpecialMode } from "../src/actions.ts";
import { signAdmission } from "../src/authorisation.ts";
import { settingsOf } from "../src/rules/set-settings.ts";
import { entries, load } from "../src/state-kinds.ts";
import { encodeTransaction } from "../src/transaction.ts";
import { doctor, hospital, type Identity, owner, service, stranger, type World } from "./world.ts";

export const listed = "emergency-physician@cedars";
export const hourMs = 3_600_000;
export const emergencyId = sha256(utf8("emergency"));
export const proxyId = sha256(utf8("proxy"));

/** Settings changed by the one validator. */
export function settle(world: World, changes: Partial<Settings>): void {
  const body = world.body({ kind: "set-settings", ...settingsOf(world.state), ...changes });
  world.submit(encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] }));
}

export function vouchFor(world: World, who: Identity, attribute = listed): void {
  const vouch = { account: who.account, attributes: [attribute], mode: "transform", digest: null } as const;
  world.do(hospital, { kind: "vouch", namespace: "cedars", ...vouch });
}

export function revokeOf(world: World, who: Identity, attribute = listed): void {
  const revoked = { account: who.account, attributes: [attribute] };
  world.do(hospital, { kind: "revoke", namespace: "cedars", ...revoked });
}

/** Both clinicians hold the attribute, the consortium lists it. */
export function clinicians(world: World): void {
  settle(world, { emergencyAttributes: [listed] });
  vouchFor(world, doctor);
  vouchFor(world, stranger);
}

/** The owner's own record of that label. */
export function ownRecord(world: World, label: string): Uint8Array {
  world.submit(world.ownerDeposit(label));
  return world.oneTime(label).id;
}

export function declarationOf(
  world: World,
  records: readonly Uint8Array[],
  changes: Partial<ActionOf<"declare-emergency">> = {},
): ActionOf<"declare-emergency"> {
  return {
    kind: "declare-emergency",
    emergencyId,
    owner: owner.account,
    records: [...records].sort(compareBytes),
    reason: "cannot be asked, case 4711",
    endMs: world.timestampMs + hourMs,
    attribute: listed,
    ...changes,
  };
}

export function confirmationOf(
  world: World,
  changes: Partial<ActionOf<"confirm-emergency">> = {},
): ActionOf<"confirm-emergency"> {
  const declaration = load(world.state, entries.emergency, emergencyId)?.declaration ?? sha256();
  return { kind: "confirm-emergency", emergencyId, declaration, attribute: listed, ...changes };
}

/** An emergency in force over one record, which is returned. */
export function emergencyIn(world: World): Uint8Array {
  clinicians(world);
  const recordId = ownRecord(world, "record");
  world.do(doctor, declarationOf(world, [recordId]));
  world.do(stranger, confirmationOf(world));
  return recordId;
}

export function appointment(
  world: World,
  changes: Partial<ActionOf<"appoint-proxy">> = {},
): ActionOf<"appoint-proxy"> {
  const endMs = world.timestampMs + hourMs;
  return {
    kind: "appoint-proxy",
    proxyId,
    proxy: stranger.account,
    endMs,
    may: ["read", "rules"],
    ...changes,
  };
}

export function selfVouch(who: Identity): Action {
  const attributes = [selfAttribute(toHex(who.account))];
  return {
    kind: "vouch",
    namespace: "self",
    account: who.account,
    attributes,
    mode: "transform",
    digest: null,
  };
}

/** The stranger as the owner's carer, over one record of the owner, which is returned. */
export function proxyIn(world: World, changes: Partial<ActionOf<"appoint-proxy">> = {}): Uint8Array {
  const recordId = ownRecord(world, "record");
  world.do(stranger, selfVouch(stranger));
  world.do(owner, appointment(world, changes));
  return recordId;
}

/** A request for the special key. */
export function specialKeyRequest(
  world: World,
  who: Identity,
  options: { readonly mode: SpecialMode; readonly changes?: Partial<ActionOf<"request-special-key">> },
): ActionOf<"request-special-key"> {
  const { pairing, chainId } = world;
  const { mode, changes = {} } = options;
  const pair = transformKeyPair(pairing, { mode });
  const own = toHex(owner.account);
  const attributes = [mode === "emergency" ? emergencyAttribute(own) : selfAttribute(own)];
  const grantId = mode === "emergency" ? emergencyId : proxyId;
  const requestId = sha256(utf8(`special ${world.height}`));
  const asked = { requestId, attributes, provider: service.account, mode, grantId, epoch: 1, ...changes };
  const digest = issueDigest(pairing, { ...asked, chainId, account: who.account, blinded: pair.blinded });
  const proof = encode(encodeBlindProof(pairing, proveBlind(pairing, { pair, digest })));
  return { kind: "request-special-key", ...asked, blinded: pairing.g1.encode(pair.blinded), proof };
}

/** The special key of that grant, asked for by its reader and announced by the provider. */
export function issueSpecial(world: World, who: Identity, mode: SpecialMode): Uint8Array {
  const action = specialKeyRequest(world, who, { mode });
  world.do(who, action);
  const keyId = sha256(utf8(`special key ${world.height}`));
  world.do(service, { kind: "key-issued", requestId: action.requestId, keyId, nodes: [1, 3] });
  return keyId;
}

/** A request to read by emergency or proxy, whole. */
export function specialRead(
  world: World,
  who: Identity,
  options: {
    readonly mode: SpecialMode;
    readonly recordId: Uint8Array;
    readonly label?: string;
    readonly changes?: Partial<ActionOf<"request-access">>;
  },
): Uint8Array {
  const { mode, recordId, label = "read", changes = {} } = options;
  const purpose = mode === "emergency" ? "BTG" : null;
  const grantId = mode === "emergency" ? emergencyId : proxyId;
  const action = world.requestAction(label, recordId, {
    proof: mode,
    purpose,
    emergencyId: grantId,
    ...changes,
  });
  return world.namedRequest(who, label, action);
}

/** The era raised by the validator, as after a restore with loss. */
export function raiseEra(world: World): void {
  const body = world.body({
    kind: "raise-era",
    lostHeight: world.height + 1,
    lostHash: sha256(),
    missing: [],
    tombstones: [],
  });
  world.submit(encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] }));
}
