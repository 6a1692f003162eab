/** set-hpke-key: the signer's X25519 key, which senders take from the ledger (CRYPTO §3.1). */
import { demand } from "../refusals.ts";
import { entries, save } from "../state-kinds.ts";
import { type Rule, signerOf } from "./setting.ts";

export const setHpkeKey: Rule<"set-hpke-key"> = (setting, { hpkeKey }) => {
  const { account, value } = signerOf(setting);
  demand(value, "signer-unknown");
  save(setting.state, entries.account, account, { ...value, hpkeKey });
};
