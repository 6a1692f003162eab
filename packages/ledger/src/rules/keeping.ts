/**
 * set-retention, place-hold, lift-hold, erase-due: what keeps a record from being erased, and what erases it without its
 * owner coming back. Each half of a retention has one authority: how long a record must be kept is for the namespace
 * under whose rule it was deposited, when it is to go is for its owner; neither can shorten the other's. A hold is that
 * namespace's, or the consortium's by vote, and has no end until it is lifted (docs/decisions/retention.md).
 */
import { equalBytes, utf8 } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import {
  append,
  emptyKey,
  entries,
  type HoldsValue,
  lists,
  load,
  type RecordValue,
  save,
} from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import { knownRecord, markErased, saveLogged } from "./records.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";

/** Most holds on one record. */
export const holdsMax = 16;
/** Furthest that a duty to keep a record may reach from now, in ms of block time: 100 years. */
export const keepMsMax = 100 * 366 * 86_400_000;

type Reader = Pick<StateAccess, "get">;

/** Why a record cannot be erased at that block time; undefined where it can. */
export function keptBy(
  state: Reader,
  recordId: Uint8Array,
  timestampMs: number,
): { readonly refusal: "record-held" | "record-kept"; readonly untilMs?: number } | undefined {
  if (holdsOn(state, recordId).length > 0) return { refusal: "record-held" };
  const untilMs = load(state, entries.retention, recordId)?.keepUntilMs ?? 0;
  return timestampMs < untilMs ? { refusal: "record-kept", untilMs } : undefined;
}

/** Holds in force on a record, oldest first. */
export function holdsOn(state: Reader, recordId: Uint8Array): HoldsValue {
  return load(state, entries.holds, recordId) ?? [];
}

/** @throws Refusal `record-held`, `record-kept` */
export function demandFree({ state, block }: Setting, recordId: Uint8Array): void {
  const kept = keptBy(state, recordId, block.timestampMs);
  if (kept === undefined) return;
  demand(false, kept.refusal, kept.untilMs === undefined ? {} : { untilMs: kept.untilMs });
}

/** True where the signer is the namespace under whose rule the record was deposited. */
function isDepositors({ state }: Setting, { namespace }: RecordValue, account: Uint8Array): boolean {
  if (namespace === null) return false;
  const value = load(state, entries.namespace, utf8(namespace));
  return value !== undefined && equalBytes(value.account, account);
}

/** A record that is not erased. */
function standing({ state }: Setting, recordId: Uint8Array): RecordValue {
  const record = knownRecord(state, recordId);
  demand(record.erasedHeight === null, "record-erased");
  return record;
}

export const setRetention: Rule<"set-retention"> = (
  setting,
  { recordId, keepUntilMs, eraseAfterMs, part },
) => {
  const { state, block } = setting;
  const { account } = signerOf(setting);
  const record = standing(setting, recordId);
  const before = load(state, entries.retention, recordId) ?? { keepUntilMs: null, eraseAfterMs: null };
  if (part === "keep") {
    demand(isDepositors(setting, record, account), "role-missing");
    const reach = keepUntilMs === null || keepUntilMs <= block.timestampMs + keepMsMax;
    demand(reach && eraseAfterMs === null, "retention-invalid");
    save(state, entries.retention, recordId, { ...before, keepUntilMs, height: block.height });
  } else {
    demand(equalBytes(record.owner, account), "role-missing");
    demand(keepUntilMs === null, "retention-invalid");
    save(state, entries.retention, recordId, { ...before, eraseAfterMs, height: block.height });
    if (eraseAfterMs !== null && before.eraseAfterMs === null) {
      append(state, lists.toErase, emptyKey, recordId);
    }
  }
  saveLogged(setting, recordId, record, "retained");
};

export const placeHold: Rule<"place-hold"> = (setting, { recordId, holdId }) => {
  const { state, block } = setting;
  const { account } = signerOf(setting);
  const record = standing(setting, recordId);
  if (!isDepositors(setting, record, account)) demandAdmission(setting);
  const holds = holdsOn(state, recordId);
  const isNew = !holds.some((hold) => equalBytes(hold.holdId, holdId));
  demand(isNew && holds.length < holdsMax, "hold-invalid");
  save(state, entries.holds, recordId, [...holds, { holdId, by: account, height: block.height }]);
  saveLogged(setting, recordId, record, "held");
};

/** By whoever placed it, or by vote. */
export const liftHold: Rule<"lift-hold"> = (setting, { recordId, holdId }) => {
  const { state } = setting;
  const { account } = signerOf(setting);
  const record = knownRecord(state, recordId);
  const holds = holdsOn(state, recordId);
  const hold = holds.find((one) => equalBytes(one.holdId, holdId));
  demand(hold, "hold-invalid");
  if (!equalBytes(hold.by, account)) demandAdmission(setting);
  save(
    state,
    entries.holds,
    recordId,
    holds.filter((one) => one !== hold),
  );
  saveLogged(setting, recordId, record, "lifted");
};

/** By the record's provider, once the time that its owner set has come and nothing keeps it. */
export const eraseDue: Rule<"erase-due"> = (setting, { recordId }) => {
  const { state, block } = setting;
  const record = knownRecord(state, recordId);
  demand(equalBytes(record.provider, signerOf(setting).account), "role-missing");
  const eraseAfterMs = load(state, entries.retention, recordId)?.eraseAfterMs ?? null;
  demand(eraseAfterMs !== null && block.timestampMs >= eraseAfterMs, "erasure-not-due");
  demandFree(setting, recordId);
  markErased(setting, recordId, record);
};
