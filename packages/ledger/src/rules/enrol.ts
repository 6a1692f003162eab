/** enrol: a member's account, signed by its own key. Its sequence starts at 0 unless a genesis made the account. */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { append, emptyKey, entries, lists, roles, save } from "../state-kinds.ts";
import { demandCommittee } from "./committee.ts";
import { type Rule, signerOf } from "./setting.ts";

export const enrol: Rule<"enrol"> = (setting, { publicKey, hpkeKey }) => {
  const { state, block } = setting;
  demandCommittee(state);
  const { account, value } = signerOf(setting);
  demand(value === undefined || equalBytes(value.publicKey, publicKey), "account-mismatch");
  demand(((value?.roles ?? 0) & roles.member) === 0, "account-exists");
  save(state, entries.account, account, {
    publicKey,
    hpkeKey,
    sequence: value?.sequence ?? 0,
    roles: (value?.roles ?? 0) | roles.member,
    height: value?.height ?? block.height,
  });
  append(state, lists.members, emptyKey, account);
};
