/**
 * Emergencies and proxies in force (CRYPTO §3.1, Emergency leaf): what the ledger must show at a request for a key, at
 * the issue, at a request to read and at its receipt, and what nodes and provider ask again at their own head. All of it
 * is judged at a time and nothing has to happen for one to end.
 */
import { emergencyAttribute, equalBytes, selfAttribute, toHex } from "@chartseal/crypto";
import type { ProxyRight, SpecialMode } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import {
  type EmergencyValue,
  entries,
  load,
  type ProxyValue,
  type RecordValue,
  type SpecialKeyValue,
} from "../state-kinds.ts";
import { settingsOf } from "./set-settings.ts";
import { eraOf } from "./setting.ts";
import { isVouched } from "./vouch.ts";

type Reading = Pick<StateAccess, "get">;

/** An emergency or a proxy, as its key and its requests see it. */
export interface SpecialGrant {
  readonly mode: SpecialMode;
  readonly owner: Uint8Array;
  /** The account that gets the key and nobody else: the first clinician, or the proxy. */
  readonly reader: Uint8Array;
  /** The one attribute that the key is for. */
  readonly attribute: string;
  /** It ends when block time, or the provider's clock, reaches this. */
  readonly endMs: number;
  /** The records named; undefined where every record of the owner is meant. */
  readonly records: readonly Uint8Array[] | undefined;
}

/** Which emergency or proxy, asked at which time. */
export interface GrantPlace {
  readonly mode: SpecialMode;
  readonly grantId: Uint8Array;
  readonly timestampMs: number;
}

/** @throws Refusal `emergency-…`, `proxy-…` unless it is in force at that time */
export function demandGrant(state: Reading, { mode, grantId, timestampMs }: GrantPlace): SpecialGrant {
  if (mode === "emergency") {
    const { owner, first, endMs, records } = demandEmergency(state, grantId, timestampMs);
    return { mode, owner, reader: first, attribute: emergencyAttribute(toHex(owner)), endMs, records };
  }
  const { owner, proxy, endMs } = demandProxy(state, grantId, { timestampMs, right: "read" });
  return { mode, owner, reader: proxy, attribute: selfAttribute(toHex(owner)), endMs, records: undefined };
}

/** That this account may read this record by it now. @throws Refusal */
export function demandReading(
  state: Reading,
  place: GrantPlace & {
    readonly account: Uint8Array;
    readonly recordId: Uint8Array;
    readonly record: RecordValue;
  },
): SpecialGrant {
  const grant = demandGrant(state, place);
  const { account, recordId, record, mode } = place;
  const isEmergency = mode === "emergency";
  demand(equalBytes(account, grant.reader), isEmergency ? "emergency-reader" : "proxy-missing");
  const named = grant.records?.some((one) => equalBytes(one, recordId)) ?? true;
  const own = equalBytes(record.owner, grant.owner);
  demand(named && own, isEmergency ? "emergency-record" : "proxy-right");
  return grant;
}

/** Its key, which the account's present key asked for. @throws Refusal `special-key-missing` */
export function demandSpecialKey(state: Reading, grantId: Uint8Array): SpecialKeyValue {
  const key = load(state, entries.specialKey, grantId);
  const account = key === undefined ? undefined : load(state, entries.account, key.account);
  demand(key && account && equalBytes(account.publicKey, key.publicKey), "special-key-missing");
  return key;
}

/** Declared, of this era, not over, and its first clinician still one. */
export function demandDeclared(state: Reading, emergencyId: Uint8Array, timestampMs: number): EmergencyValue {
  const emergency = load(state, entries.emergency, emergencyId);
  demand(emergency, "emergency-missing");
  demand(emergency.era === eraOf(state), "emergency-void");
  demand(emergency.ended === null && timestampMs < emergency.endMs, "emergency-over");
  demandClinician(state, emergency.first, emergency.attribute);
  return emergency;
}

/** Confirmed besides, by one who still is a clinician: an attribute revoked in between ends it for both. */
function demandEmergency(state: Reading, emergencyId: Uint8Array, timestampMs: number): EmergencyValue {
  const emergency = demandDeclared(state, emergencyId, timestampMs);
  demand(emergency.second, "emergency-unconfirmed");
  demandClinician(state, emergency.second.account, emergency.second.attribute);
  return emergency;
}

/** The account holds that attribute now, and the consortium lists it now. @throws Refusal `emergency-attribute` */
export function demandClinician(state: Reading, account: Uint8Array, attribute: string): void {
  const listed = settingsOf(state).emergencyAttributes.includes(attribute);
  demand(listed && isVouched(state, account, attribute), "emergency-attribute", { attribute });
}

/** Appointed with that right, of this era, not over, and its account not given up. */
export function demandProxy(
  state: Reading,
  proxyId: Uint8Array,
  { timestampMs, right }: { readonly timestampMs: number; readonly right: ProxyRight },
): ProxyValue {
  const proxy = load(state, entries.proxy, proxyId);
  demand(proxy !== undefined && proxy.era === eraOf(state), "proxy-missing");
  demand(proxy.ended === null && timestampMs < proxy.endMs, "proxy-over");
  demand(isVouched(state, proxy.proxy, selfAttribute(toHex(proxy.proxy))), "proxy-missing");
  demand(proxy.may.includes(right), "proxy-right", { right });
  return proxy;
}
