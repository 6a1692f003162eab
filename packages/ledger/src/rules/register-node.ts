/** register-node: an institution that may become a node of the committee by a resharing, by a vote of the validators. */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, roles, save } from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import { type Rule, signerOf } from "./setting.ts";

export const registerNode: Rule<"register-node"> = (setting, { publicKey, hpkeKey }) => {
  const { state, block } = setting;
  const { account, value } = signerOf(setting);
  demand(value === undefined || equalBytes(value.publicKey, publicKey), "account-mismatch");
  demand(((value?.roles ?? 0) & roles.node) === 0, "account-exists");
  demandAdmission(setting);
  save(state, entries.account, account, {
    publicKey,
    hpkeKey,
    sequence: value?.sequence ?? 0,
    roles: (value?.roles ?? 0) | roles.node,
    height: value?.height ?? block.height,
  });
};
