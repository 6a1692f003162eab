/**
 * Recoveries of accounts (CRYPTO §3.1, last point): one is open from its start until it is finished, objected to, closed
 * by another key of the account, or lapsed. While one is open the old key may object and change nothing of who recovers:
 * else a thief of the old key would remove the guardians first.
 */
import { equalBytes } from "@chartseal/crypto";
import { accountOf } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { entries, load, type RecoveryValue, type RecoveryWaysValue, save } from "../state-kinds.ts";
import { eraOf, type Setting } from "./setting.ts";

type Reading = Pick<StateAccess, "get">;

/** How long a recovery stays open once it could be finished, or waits for approvals: 30 days of block time. */
export const recoveryLapseMs = 30 * 24 * 60 * 60_000;

/** Ways of recovery that are independent of each other: the guardians, the paper kit. */
export function waysOf(ways: RecoveryWaysValue | undefined): number {
  if (ways === undefined) return 0;
  return (ways.guardians.length > 0 ? 1 : 0) + (ways.paperKey === null ? 0 : 1);
}

/** How many ways an owner needs where the consortium asks for recovery. */
export const waysRequired = 2;

export function isGuardian(ways: RecoveryWaysValue, account: Uint8Array): boolean {
  return ways.guardians.some((one) => equalBytes(one, account));
}

export function isPaperKit(ways: RecoveryWaysValue, account: Uint8Array): boolean {
  return ways.paperKey !== null && equalBytes(accountOf(ways.paperKey), account);
}

/** Whether it can still be approved, objected to, finished: by the block's time and era. */
export function isOpen(recovery: RecoveryValue, place: { timestampMs: number; era: number }): boolean {
  return recovery.outcome === "open" && recovery.era === place.era && place.timestampMs < recovery.lapsesMs;
}

/** The account's recoveries that are open, with their ids. */
export function openRecoveries(
  state: Reading,
  account: Uint8Array,
  timestampMs: number,
): { readonly id: Uint8Array; readonly recovery: RecoveryValue }[] {
  const era = eraOf(state);
  return (load(state, entries.currentRecoveries, account) ?? []).flatMap((id) => {
    const recovery = load(state, entries.recovery, id);
    return recovery !== undefined && isOpen(recovery, { timestampMs, era }) ? [{ id, recovery }] : [];
  });
}

/** @throws Refusal `recovery-open` */
export function demandNoRecovery({ state, block }: Setting, account: Uint8Array): void {
  demand(openRecoveries(state, account, block.timestampMs).length === 0, "recovery-open");
}

/** @throws Refusal `recovery-unknown` */
export function openRecovery({ state, block, era }: Setting, id: Uint8Array): RecoveryValue {
  const recovery = load(state, entries.recovery, id);
  demand(recovery !== undefined && isOpen(recovery, { ...block, era }), "recovery-unknown");
  return recovery;
}

/** Recoveries that were under way when the account got another key. */
export function closeRecoveries({ state, block }: Setting, account: Uint8Array): void {
  for (const { id, recovery } of openRecoveries(state, account, block.timestampMs)) {
    save(state, entries.recovery, id, { ...recovery, outcome: "closed", endedHeight: block.height });
  }
  state.remove(entries.currentRecoveries.kind, account);
}
