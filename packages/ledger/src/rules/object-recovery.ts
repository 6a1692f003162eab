/** object-recovery: the account's present key ends a recovery, at any time before it is finished (CRYPTO §3.1). */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, save } from "../state-kinds.ts";
import { openRecovery } from "./recovery.ts";
import { settingsOf } from "./set-settings.ts";
import { type Rule, signerOf } from "./setting.ts";

export const objectRecovery: Rule<"object-recovery"> = (setting, { recoveryId }) => {
  const { state, block } = setting;
  const recovery = openRecovery(setting, recoveryId);
  demand(equalBytes(signerOf(setting).account, recovery.account), "role-missing");
  const { height, timestampMs } = block;
  const lapsesMs = timestampMs + settingsOf(state).recoveryDelayMs;
  save(state, entries.recovery, recoveryId, {
    ...recovery,
    lapsesMs,
    outcome: "objected",
    endedHeight: height,
  });
};
