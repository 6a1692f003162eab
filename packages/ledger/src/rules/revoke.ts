/**
 * revoke: ends vouches, all of the namespace's where none is named, and opens the next period of each attribute in the
 * same block (CRYPTO §3, Periods). It removes nothing else: the provider drops t2_u when it sees it.
 */
import { equalBytes, namespaceOf, selfNamespace, utf8 } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { entries, load, save, vouchKey } from "../state-kinds.ts";
import { demandSorted, registeredNamespace } from "./namespaces.ts";
import { type Rule, signerOf } from "./setting.ts";
import { vouchedOf } from "./vouch.ts";

export const revoke: Rule<"revoke"> = (setting, { namespace, account, attributes }) => {
  const { state, block } = setting;
  const { account: signer } = signerOf(setting);
  const by = namespace === selfNamespace ? account : registeredNamespace(state, namespace).account;
  demand(equalBytes(signer, by), "role-missing");
  demandSorted(attributes);
  const ended = attributes.length > 0 ? attributes : heldOf(state, account, namespace);
  demand(ended.length > 0, "nothing-to-revoke");
  for (const attribute of ended) {
    const key = vouchKey(account, attribute);
    const standing = load(state, entries.vouch, key);
    demand(namespaceOf(attribute) === namespace, "attributes-invalid");
    demand(standing?.endedHeight === null, "nothing-to-revoke", { attribute });
    save(state, entries.vouch, key, { ...standing, endedHeight: block.height });
    openNextPeriod(state, attribute, block.height);
  }
};

/** What the namespace vouches for now, of that account. */
function heldOf(state: Pick<StateAccess, "get">, account: Uint8Array, namespace: string): string[] {
  return vouchedOf(state, account).filter((attribute) => namespaceOf(attribute) === namespace);
}

/** The period after this one, where the attribute has one: signing keys of this one are worth nothing from here on. */
export function openNextPeriod(state: StateAccess, attribute: string, height: number): void {
  const period = load(state, entries.period, utf8(attribute));
  if (period === undefined) return;
  const { label, revocations } = period;
  save(state, entries.period, utf8(attribute), { label, revocations: revocations + 1, height });
}
