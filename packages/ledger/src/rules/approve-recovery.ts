/** approve-recovery: another guardian agrees; with the k-th approval the waiting time begins. */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, load, save } from "../state-kinds.ts";
import { isGuardian, openRecovery, recoveryLapseMs } from "./recovery.ts";
import { settingsOf } from "./set-settings.ts";
import { type Rule, signerOf } from "./setting.ts";

export const approveRecovery: Rule<"approve-recovery"> = (setting, { recoveryId }) => {
  const { state, block } = setting;
  const { account: by } = signerOf(setting);
  const recovery = openRecovery(setting, recoveryId);
  const ways = load(state, entries.recoveryWays, recovery.account);
  demand(ways !== undefined && isGuardian(ways, by), "role-missing");
  // A paper kit's recovery waits already and needs nobody's approval.
  demand(!recovery.paper && !recovery.approvals.some((one) => equalBytes(one, by)), "recovery-approved");
  const approvals = [...recovery.approvals, by];
  const next = { ...recovery, approvals };
  if (recovery.readyMs === null && approvals.length >= ways.threshold) {
    const readyMs = block.timestampMs + settingsOf(state).recoveryDelayMs;
    save(state, entries.recovery, recoveryId, { ...next, readyMs, lapsesMs: readyMs + recoveryLapseMs });
  } else save(state, entries.recovery, recoveryId, next);
};
