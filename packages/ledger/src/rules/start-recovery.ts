/**
 * start-recovery: a guardian, or the key of the paper kit, proposes a new key for an account. A guardian's start is its
 * approval. The waiting time begins with the k-th approval, of a paper kit at once, and is what the consortium's settings
 * say then. A starter whom the member objected to waits as long before it starts again.
 */
import { equalBytes } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import {
  append,
  entries,
  lists,
  load,
  type RecoveryValue,
  type RecoveryWaysValue,
  save,
} from "../state-kinds.ts";
import { demandNewKey } from "./account-keys.ts";
import { isGuardian, isOpen, isPaperKit, recoveryLapseMs } from "./recovery.ts";
import { settingsOf } from "./set-settings.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";

export const startRecovery: Rule<"start-recovery"> = (setting, action) => {
  const { state, transaction } = setting;
  const { account: by, value } = signerOf(setting);
  const ways = load(state, entries.recoveryWays, action.account);
  demand(ways, "role-missing");
  const paper = isPaperKit(ways, by);
  demand(paper || isGuardian(ways, by), "role-missing");
  demandNewKey(setting, action.account, action);
  const others = othersUnderWay(setting, action.account, by);
  if (value === undefined) makeAccount(setting, by, ways);
  const id = transaction.identifier;
  save(state, entries.recovery, id, started(setting, action, { by, paper, threshold: ways.threshold }));
  save(state, entries.currentRecoveries, action.account, [...others, id]);
  append(state, lists.recoveriesOfAccount, action.account, id);
};

/** Those that others started and that are open, or whose starter waits. @throws Refusal `recovery-again` */
function othersUnderWay({ state, block, era }: Setting, account: Uint8Array, by: Uint8Array): Uint8Array[] {
  return (load(state, entries.currentRecoveries, account) ?? []).filter((id) => {
    const one = load(state, entries.recovery, id);
    if (one === undefined) return false;
    const waits = one.outcome === "objected" && block.timestampMs < one.lapsesMs;
    const counts = waits || isOpen(one, { ...block, era });
    demand(!(counts && equalBytes(one.by, by)), "recovery-again");
    return counts;
  });
}

/** A paper kit's key has no account until it is used: one without an office, which counts its transactions. */
function makeAccount({ state, block }: Setting, account: Uint8Array, { paperKey }: RecoveryWaysValue): void {
  demand(paperKey, "signer-unknown");
  const none = { hpkeKey: null, sequence: 0, roles: 0, height: block.height };
  save(state, entries.account, account, { publicKey: paperKey, ...none });
}

function started(
  { state, block, era }: Setting,
  { account, publicKey, hpkeKey }: ActionOf<"start-recovery">,
  { by, paper, threshold }: { readonly by: Uint8Array; readonly paper: boolean; readonly threshold: number },
): RecoveryValue {
  const { height, timestampMs } = block;
  const ready = paper || threshold === 1;
  const waitUntilMs = timestampMs + settingsOf(state).recoveryDelayMs;
  return {
    account,
    by,
    paper,
    publicKey,
    hpkeKey,
    approvals: paper ? [] : [by],
    height,
    era,
    readyMs: ready ? waitUntilMs : null,
    lapsesMs: waitUntilMs + recoveryLapseMs,
    outcome: "open",
    endedHeight: null,
  };
}
