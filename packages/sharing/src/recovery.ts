/**
 * An account's way back (CRYPTO §3.1, last point), without a super-user: the member names guardians and prints a paper
 * kit; either proposes a new key, the member is told and may object for a waiting time, then the new key takes over. z is
 * never shared out: the new key asks for a new issue.
 */
import { ChartsealError, compareBytes, ed25519KeyPairFromSeed, equalBytes } from "@chartseal/crypto";
import {
  accountOf,
  emptyKey,
  entries,
  isOpen,
  lists,
  type RecoveryValue,
  type Submitted,
  signNewKey,
  waysOf,
  waysRequired,
} from "@chartseal/ledger";
import type { Identity, Surroundings } from "./parties.ts";
import { readSettings } from "./settings.ts";
import { type Reader, readEntry, readList } from "./state.ts";
import { AccountWriter } from "./submit.ts";

/** Who may give an account a new key. */
export interface RecoveryWays {
  /** Accounts, ascending. */
  readonly guardians: readonly Uint8Array[];
  /** How many of them it takes. */
  readonly threshold: number;
  /** The paper kit's Ed25519 key. */
  readonly paperKey: Uint8Array | null;
}

/** Whoever signs: an account and the seed of its key. */
export type Signing = Pick<Identity, "account" | "seed">;

export interface Recovery extends RecoveryValue {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** As of now: `waiting` for the time, for `approvals`, or `ready`; else how it ended. */
  readonly status: "approvals" | "waiting" | "ready" | "lapsed" | "finished" | "objected" | "closed";
  readonly approvalsNeeded: number;
}

const none: RecoveryWays = { guardians: [], threshold: 0, paperKey: null };

export async function readWays(ledger: Reader, account: Uint8Array): Promise<RecoveryWays> {
  return (await readEntry(ledger, entries.recoveryWays, account)) ?? none;
}

/** How many independent ways stand: guardians, paper kit. */
export async function countWays(ledger: Reader, account: Uint8Array): Promise<number> {
  return waysOf(await readEntry(ledger, entries.recoveryWays, account));
}

/** Before anything is sealed. @throws ChartsealError `recovery-missing` where the consortium requires two ways */
export async function checkWays(ledger: Reader, account: Uint8Array): Promise<void> {
  const { recoveryRequired } = await readSettings(ledger);
  if (!recoveryRequired) return;
  const { guardians, paperKey } = await readWays(ledger, account);
  const lacking = [
    ...(paperKey === null ? ["a paper kit (chartseal recovery kit)"] : []),
    ...(guardians.length === 0 ? ["guardians (chartseal guardians set)"] : []),
  ];
  if (waysRequired - lacking.length >= waysRequired) return;
  throw new ChartsealError(
    "recovery-missing",
    `two ways of recovery are required before sealing, and ${waysRequired - lacking.length} stands`,
    { data: { ways: waysRequired - lacking.length }, hint: `Set ${lacking.join(" and ")}.` },
  );
}

/** Names guardians or a paper kit, the other as it is. @throws ChartsealError `input-invalid`, `transaction-refused` */
export async function setWays(
  surroundings: Surroundings,
  options: { readonly member: Signing; readonly changes: Partial<RecoveryWays> },
): Promise<Submitted> {
  const { member, changes } = options;
  const { guardians, threshold, paperKey } = {
    ...(await readWays(surroundings.ledger, member.account)),
    ...changes,
  };
  const sorted = [...guardians].sort(compareBytes);
  const writer = new AccountWriter(surroundings, member);
  return await writer.submit({ kind: "set-recovery", guardians: sorted, threshold, paperKey });
}

/** The paper kit's own account, which nothing else is. */
export function paperSigner(seed: Uint8Array): Signing & { readonly publicKey: Uint8Array } {
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  return { seed, publicKey, account: accountOf(publicKey) };
}

function offerOf(
  { ledger }: Surroundings,
  next: Identity,
): { readonly publicKey: Uint8Array; readonly hpkeKey: Uint8Array; readonly proof: Uint8Array } {
  const { seed, account, publicKey, hpkePublic: hpkeKey } = next;
  return { publicKey, hpkeKey, proof: signNewKey(seed, { chainId: ledger.chainId, account, hpkeKey }) };
}

/** The member's own: the old key gives the account the new one, at once. `next` is saved before. */
export async function replaceKey(
  surroundings: Surroundings,
  { member, next }: { readonly member: Signing; readonly next: Identity },
): Promise<Submitted> {
  const writer = new AccountWriter(surroundings, member);
  return await writer.submit({ kind: "replace-key", ...offerOf(surroundings, next) });
}

/** By a guardian or the paper kit, for an account whose new keys `next` are saved already. @returns the recovery's id */
export async function startRecovery(
  surroundings: Surroundings,
  { by, next }: { readonly by: Signing; readonly next: Identity },
): Promise<{ readonly recoveryId: Uint8Array; readonly submitted: Submitted }> {
  const { account } = next;
  const writer = new AccountWriter(surroundings, by);
  const submitted = await writer.submit({ kind: "start-recovery", account, ...offerOf(surroundings, next) });
  return { recoveryId: submitted.identifier, submitted };
}

export async function approveRecovery(
  surroundings: Surroundings,
  { by, recoveryId }: { readonly by: Signing; readonly recoveryId: Uint8Array },
): Promise<Submitted> {
  return await new AccountWriter(surroundings, by).submit({ kind: "approve-recovery", recoveryId });
}

/** The member's objection, by the present key. */
export async function objectRecovery(
  surroundings: Surroundings,
  { member, recoveryId }: { readonly member: Signing; readonly recoveryId: Uint8Array },
): Promise<Submitted> {
  return await new AccountWriter(surroundings, member).submit({ kind: "object-recovery", recoveryId });
}

/** The new key takes over. @throws ChartsealError `transaction-refused` with data {readyMs} before its time */
export async function finishRecovery(
  surroundings: Surroundings,
  { next, recoveryId }: { readonly next: Identity; readonly recoveryId: Uint8Array },
): Promise<Submitted> {
  return await new AccountWriter(surroundings, next).submit({ kind: "finish-recovery", recoveryId });
}

/** Every recovery of the account that ever began, oldest first, as of now. */
export async function listRecoveries(
  { ledger, now }: Pick<Surroundings, "ledger" | "now">,
  account: Uint8Array,
): Promise<Recovery[]> {
  const era = (await readEntry(ledger, entries.era, emptyKey))?.era ?? 0;
  const { threshold } = await readWays(ledger, account);
  const { timestampMs: headMs } = await ledger.head();
  const timestampMs = Math.max(headMs, now());
  const recoveries: Recovery[] = [];
  for (const id of await readList(ledger, lists.recoveriesOfAccount, account)) {
    const value = await readEntry(ledger, entries.recovery, id);
    if (value === undefined) throw new ChartsealError("chain-altered", "a list of the state has a hole");
    const status = statusOf(value, { timestampMs, era });
    const missing = value.readyMs === null ? Math.max(0, threshold - value.approvals.length) : 0;
    recoveries.push({ ...value, id, status, approvalsNeeded: missing });
  }
  return recoveries;
}

function statusOf(value: RecoveryValue, place: { timestampMs: number; era: number }): Recovery["status"] {
  if (value.outcome !== "open") return value.outcome;
  if (!isOpen(value, place)) return "lapsed";
  if (value.readyMs === null) return "approvals";
  return place.timestampMs < value.readyMs ? "waiting" : "ready";
}

/** What the member must hear of before anything else: recoveries that somebody else may finish. */
export async function openRecoveriesOf(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  account: Uint8Array,
): Promise<Recovery[]> {
  const open: readonly Recovery["status"][] = ["approvals", "waiting", "ready"];
  return (await listRecoveries(surroundings, account)).filter(({ status }) => open.includes(status));
}

/** The open recoveries that lead to this key, as after a crash between a start and what was noted of it. */
export async function recoveriesTo(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  next: Identity,
): Promise<Recovery[]> {
  const open = await openRecoveriesOf(surroundings, next.account);
  return open.filter(({ publicKey }) => equalBytes(publicKey, next.publicKey));
}
