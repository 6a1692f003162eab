/**
 * vouch: a namespace says that an account holds attributes; it stands until revoked (CRYPTO §2.3). In `self` an account
 * vouches for its own ACCOUNT@self and nothing else, so that no emergency leaf is ever had this way. Mode full is for
 * one issue, named by d, of attributes that are vouched for already.
 */
import {
  equalBytes,
  fromUtf8,
  namespaceOf,
  selfAttribute,
  selfNamespace,
  toHex,
  utf8,
} from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { append, entries, fullVouchKey, items, lists, load, roles, save, vouchKey } from "../state-kinds.ts";
import { demandSorted, isRemoved, registeredNamespace } from "./namespaces.ts";
import { hasRole, type Rule, type Setting, signerOf } from "./setting.ts";

export const vouch: Rule<"vouch"> = (setting, action) => {
  const { state, block } = setting;
  const { account, attributes, mode, digest } = action;
  demandVoucher(setting, action);
  demand(hasRole(state, account, roles.member), "account-unknown");
  demand((mode === "full") === (digest !== null), "attributes-invalid");
  const { height } = block;
  for (const attribute of attributes) {
    if (digest !== null) {
      demand(isVouched(state, account, attribute), "vouch-missing", { attribute });
      save(state, entries.fullVouch, fullVouchKey(account, digest, attribute), { height });
      continue;
    }
    const before = load(state, entries.vouch, vouchKey(account, attribute));
    if (before?.endedHeight === null) continue;
    if (before === undefined) {
      append(state, lists.vouchesOfAccount, account, utf8(attribute));
      append(state, lists.holdersOfAttribute, utf8(attribute), account);
    }
    save(state, entries.vouch, vouchKey(account, attribute), { height, endedHeight: null });
  }
};

/** Who may vouch, and for what. */
function demandVoucher(setting: Setting, action: ActionOf<"vouch">): void {
  const { namespace, account, attributes, mode } = action;
  const { account: signer } = signerOf(setting);
  demand(attributes.length > 0, "attributes-invalid");
  if (namespace === selfNamespace) {
    demand(equalBytes(signer, account), "role-missing");
    const own = attributes.length === 1 && attributes[0] === selfAttribute(toHex(account));
    demand(own && mode === "transform", "attributes-invalid");
    return;
  }
  demand(equalBytes(signer, registeredNamespace(setting.state, namespace).account), "role-missing");
  demandSorted(attributes);
  demand(
    attributes.every((attribute) => namespaceOf(attribute) === namespace),
    "attributes-invalid",
  );
}

/** Whether a vouch of that attribute is in force now. */
export function isVouched(state: Pick<StateAccess, "get">, account: Uint8Array, attribute: string): boolean {
  if (isRemoved(state, namespaceOf(attribute))) return false;
  return load(state, entries.vouch, vouchKey(account, attribute))?.endedHeight === null;
}

/** Every attribute of the account whose vouch is in force now. */
export function vouchedOf(state: Pick<StateAccess, "get">, account: Uint8Array): string[] {
  return items(state, lists.vouchesOfAccount, account)
    .map(fromUtf8)
    .filter((attribute) => isVouched(state, account, attribute));
}

/** Whether a vouch for this one full issue is in force: given since the standing vouch was, which is not ended. */
export function isVouchedInFull(
  state: Pick<StateAccess, "get">,
  account: Uint8Array,
  attribute: string,
  digest: Uint8Array,
): boolean {
  const standing = load(state, entries.vouch, vouchKey(account, attribute));
  const full = load(state, entries.fullVouch, fullVouchKey(account, digest, attribute));
  if (standing === undefined || full === undefined) return false;
  return standing.endedHeight === null && full.height >= standing.height;
}
