/**
 * Proxies: a guardian of a minor, or a carer, whom the owner lets read and change rules in the owner's name until a time
 * at which nothing has to happen. A proxy reads under a key of its own (special-key.ts), and every such read names it.
 */
import { ChartsealError, equalBytes, randomBytes, selfAttribute, toHex } from "@chartseal/crypto";
import {
  emptyKey,
  entries,
  lists,
  type ProxyRight,
  type ProxyValue,
  type Submitted,
} from "@chartseal/ledger";
import type { Identity, Provider, Surroundings } from "./parties.ts";
import { type RuleOptions, ruleFields } from "./rule.ts";
import { isVouched, readEntry, readList } from "./state.ts";
import { AccountWriter } from "./submit.ts";

type Signing = Pick<Identity, "account" | "seed">;

/** `void`: an era was raised since, or the proxy's account was given up. */
export type ProxyStatus = "in-force" | "ended" | "void";

export interface Appointment extends ProxyValue {
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly status: ProxyStatus;
}

/** By the owner. @throws ChartsealError `input-invalid` */
export async function appointProxy(
  surroundings: Surroundings,
  options: {
    readonly owner: Signing;
    readonly proxy: Uint8Array;
    readonly endMs: number;
    readonly may: readonly ProxyRight[];
  },
): Promise<{ readonly proxyId: Uint8Array; readonly submitted: Submitted }> {
  const { owner, ...appointed } = options;
  const proxyId = randomBytes(32);
  const action = { kind: "appoint-proxy", proxyId, ...appointed } as const;
  return { proxyId, submitted: await new AccountWriter(surroundings, owner).submit(action) };
}

/** Before its time, by the owner or by the proxy; the provider deletes the key when it follows the ledger. */
export async function endProxy(
  surroundings: Surroundings & { readonly provider: Provider },
  options: { readonly by: Signing; readonly proxyId: Uint8Array },
): Promise<Submitted> {
  const { by, proxyId } = options;
  const submitted = await new AccountWriter(surroundings, by).submit({ kind: "end-proxy", proxyId });
  await surroundings.provider.follow();
  return submitted;
}

/** The owner's rule, set by the proxy. */
export async function setRuleAsProxy(
  surroundings: Surroundings,
  options: Omit<RuleOptions, "owner"> & { readonly proxy: Signing; readonly proxyId: Uint8Array },
): Promise<Submitted> {
  const { proxy, proxyId } = options;
  const { fields } = ruleFields(options);
  const action = { kind: "set-rule-as-proxy", proxyId, ...fields } as const;
  return await new AccountWriter(surroundings, proxy).submit(action);
}

export async function revokeRuleAsProxy(
  surroundings: Surroundings,
  options: { readonly proxy: Signing; readonly proxyId: Uint8Array; readonly namespace: string },
): Promise<Submitted> {
  const { proxy, ...revoked } = options;
  return await new AccountWriter(surroundings, proxy).submit({ kind: "revoke-rule-as-proxy", ...revoked });
}

type Place = Pick<Surroundings, "ledger" | "now">;

/** As of now. @throws ChartsealError `proxy-missing` */
export async function readProxy({ ledger, now }: Place, id: Uint8Array): Promise<Appointment> {
  const value = await readEntry(ledger, entries.proxy, id);
  if (value === undefined) throw new ChartsealError("proxy-missing", "no such appointment is on the ledger");
  const era = (await readEntry(ledger, entries.era, emptyKey))?.era ?? 0;
  const isPast = Math.max((await ledger.head()).timestampMs, now()) >= value.endMs;
  const stands = await isVouched(ledger, value.proxy, selfAttribute(toHex(value.proxy)));
  if (value.era !== era || !stands) return { ...value, id, status: "void" };
  return { ...value, id, status: isPast || value.ended !== null ? "ended" : "in-force" };
}

/** Whom the owner appointed, oldest first. */
export function listProxies(place: Place, owner: Uint8Array): Promise<Appointment[]> {
  return listed(place, lists.proxiesOfOwner, owner);
}

/** For whom the account was appointed, oldest first. */
export function listAppointments(place: Place, proxy: Uint8Array): Promise<Appointment[]> {
  return listed(place, lists.proxiesOfAccount, proxy);
}

async function listed(
  place: Place,
  list: typeof lists.proxiesOfOwner | typeof lists.proxiesOfAccount,
  account: Uint8Array,
): Promise<Appointment[]> {
  const proxies: Appointment[] = [];
  for (const id of await readList(place.ledger, list, account)) proxies.push(await readProxy(place, id));
  return proxies;
}

/**
 * The appointment in force under which the account acts for the owner with that right, the one that ends last.
 * @throws ChartsealError `proxy-missing`
 */
export async function appointmentFor(
  place: Place,
  options: { readonly owner: Uint8Array; readonly proxy: Uint8Array; readonly right: ProxyRight },
): Promise<Appointment> {
  const { owner, proxy, right } = options;
  const all = (await listAppointments(place, proxy)).filter((one) => equalBytes(one.owner, owner));
  const serving = all.filter(({ status, may }) => status === "in-force" && may.includes(right));
  const last = serving.sort((a, b) => b.endMs - a.endMs)[0];
  if (last !== undefined) return last;
  const message =
    all.length === 0
      ? "the owner has appointed no such proxy"
      : `no appointment with the right ${right} is in force`;
  throw new ChartsealError("proxy-missing", message, {
    hint: "The owner appoints one with chartseal proxy appoint.",
  });
}
