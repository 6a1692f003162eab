/**
 * replace-key: the signer's account gets a new key, at once: how a lost device is removed. Not while a recovery is open:
 * a thief of the old key must not move away from it. Who still holds the account objects first.
 */
import { demandNewKey, giveKey } from "./account-keys.ts";
import { closeRecoveries, demandNoRecovery } from "./recovery.ts";
import { type Rule, signerOf } from "./setting.ts";

export const replaceKey: Rule<"replace-key"> = (setting, offered) => {
  const { account } = signerOf(setting);
  demandNewKey(setting, account, offered);
  demandNoRecovery(setting, account);
  giveKey(setting, account, offered);
  closeRecoveries(setting, account);
};
