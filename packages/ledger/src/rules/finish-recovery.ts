/**
 * finish-recovery: the waiting time is over and nobody objected: the new key, which signs this itself in the account's
 * name (apply.ts), is the account's. Other recoveries of it end with this one.
 */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, save } from "../state-kinds.ts";
import { giveKey, isKeyTaken } from "./account-keys.ts";
import { closeRecoveries, openRecovery } from "./recovery.ts";
import { type Rule, signerOf } from "./setting.ts";

export const finishRecovery: Rule<"finish-recovery"> = (setting, { recoveryId }) => {
  const { state, block } = setting;
  const recovery = openRecovery(setting, recoveryId);
  const { account } = signerOf(setting);
  demand(equalBytes(account, recovery.account), "role-missing");
  demand(recovery.readyMs !== null && block.timestampMs >= recovery.readyMs, "recovery-waiting", {
    readyMs: recovery.readyMs,
  });
  // Another account may have taken the key since the start.
  demand(!isKeyTaken(state, recovery.publicKey), "key-taken");
  giveKey(setting, account, recovery);
  const { height } = block;
  save(state, entries.recovery, recoveryId, { ...recovery, outcome: "finished", endedHeight: height });
  closeRecoveries(setting, account);
};
