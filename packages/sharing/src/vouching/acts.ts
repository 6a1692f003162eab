/** Where the chain holds a vouch or a revocation: the state names the block, the block holds the transaction. */
import { equalBytes, namespaceOf, selfNamespace, toHex } from "@chartseal/crypto";
import { type Action, decodeTransaction, entries, type Ledger, vouchKey } from "@chartseal/ledger";
import { actionsOf } from "../provider/chain.ts";
import { readEntry } from "../state.ts";
import type { Act } from "./link.ts";

/** The vouch of an attribute as the state has it, with its transactions; undefined where there never was one. */
export interface VouchActs {
  readonly standing: boolean;
  readonly vouch: Act;
  /** Of a vouch that was ended. */
  readonly revocation: Act | null;
}

export async function vouchActs(
  ledger: Ledger,
  account: Uint8Array,
  attribute: string,
): Promise<VouchActs | undefined> {
  const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
  if (vouch === undefined) return undefined;
  const { height, endedHeight } = vouch;
  const about = { account, attribute };
  return {
    standing: endedHeight === null,
    vouch: await actAt(ledger, height, (action) => action.kind === "vouch" && isAbout(action, about)),
    revocation:
      endedHeight === null
        ? null
        : await actAt(ledger, endedHeight, (action) => action.kind === "revoke" && isAbout(action, about)),
  };
}

function isAbout(
  action: Extract<Action, { readonly kind: "vouch" | "revoke" }>,
  { account, attribute }: { readonly account: Uint8Array; readonly attribute: string },
): boolean {
  const all = action.kind === "revoke" && action.attributes.length === 0;
  const namespace = namespaceOf(attribute);
  const own = namespace === selfNamespace || action.namespace === namespace;
  return own && equalBytes(action.account, account) && (all || action.attributes.includes(attribute));
}

/** The height alone where a vote of the validators did it, as a lost revocation that a raised era applied again. */
async function actAt(ledger: Ledger, height: number, matches: (action: Action) => boolean): Promise<Act> {
  const found = (await actionsOf(ledger, height)).find(({ action }) => matches(action));
  return { height, transaction: found === undefined ? "" : toHex(decodeTransaction(found.bytes).identifier) };
}
