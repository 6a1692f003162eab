/**
 * The keys of an account (CRYPTO §3.1, last point): ACCOUNT stays the hash of the first one, the ledger maps it to the
 * current one and keeps the earlier ones, so that what they signed still verifies. No key is ever of two accounts, and
 * none comes back. A replacement takes everything from copies of the old keys in its own block: the live transform key
 * is retired, requests for a key lapse, and the next period of every attribute begins.
 */
import { equalBytes, namespaceOf, selfNamespace } from "@chartseal/crypto";
import { verifyNewKey } from "../account-keys.ts";
import { accountOf } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import {
  type AccountValue,
  append,
  entries,
  items,
  type KeyRequestValue,
  lists,
  load,
  roles,
  save,
} from "../state-kinds.ts";
import { openNextPeriod } from "./revoke.ts";
import type { Setting } from "./setting.ts";
import { vouchedOf } from "./vouch.ts";

type Reading = Pick<StateAccess, "get">;

export interface OfferedKey {
  readonly publicKey: Uint8Array;
  readonly hpkeKey: Uint8Array;
  readonly proof: Uint8Array;
}

/** Whether a key is, or ever was, an account's. */
export function isKeyTaken(state: Reading, publicKey: Uint8Array): boolean {
  return (
    load(state, entries.account, accountOf(publicKey)) !== undefined ||
    load(state, entries.accountKey, publicKey) !== undefined
  );
}

/** Every key that an account ever had, the current one included. */
export function keysOf(state: Reading, account: Uint8Array): Uint8Array[] {
  const value = load(state, entries.account, account);
  const ever = items(state, lists.keysOfAccount, account);
  return ever.length > 0 || value === undefined ? ever : [value.publicKey];
}

/**
 * A member's account, not a provider's or a node's: their signatures stand under receipts and answers that others check
 * against the present key. @throws Refusal `role-missing`, `key-taken`, `key-unproved`
 */
export function demandNewKey({ state, block }: Setting, account: Uint8Array, offered: OfferedKey): void {
  const { publicKey, hpkeKey, proof } = offered;
  const held = load(state, entries.account, account)?.roles ?? 0;
  demand((held & roles.member) !== 0, "account-unknown");
  demand((held & (roles.provider | roles.node)) === 0, "role-missing");
  demand(!isKeyTaken(state, publicKey), "key-taken");
  demand(verifyNewKey(publicKey, proof, { chainId: block.chainId, account, hpkeKey }), "key-unproved");
}

/** The account's key from this block on. */
export function giveKey(
  { state, block }: Setting,
  account: Uint8Array,
  { publicKey, hpkeKey }: Omit<OfferedKey, "proof">,
): void {
  const { height } = block;
  const value: AccountValue | undefined = load(state, entries.account, account);
  demand(value, "account-unknown");
  const former = load(state, entries.accountKey, value.publicKey);
  if (former === undefined) append(state, lists.keysOfAccount, account, value.publicKey);
  const fromHeight = former?.fromHeight ?? value.height;
  save(state, entries.accountKey, value.publicKey, { account, fromHeight, untilHeight: height });
  save(state, entries.accountKey, publicKey, { account, fromHeight: height, untilHeight: null });
  append(state, lists.keysOfAccount, account, publicKey);
  save(state, entries.account, account, { ...value, publicKey, hpkeKey });
  dropLiveKey(state, account, height);
  for (const attribute of vouchedOf(state, account)) {
    if (namespaceOf(attribute) !== selfNamespace) openNextPeriod(state, attribute, height);
  }
}

/** No transform key is live until the account asks for a new one. */
function dropLiveKey(state: StateAccess, account: Uint8Array, height: number): void {
  const live = load(state, entries.liveKey, account);
  if (live === undefined) return;
  const key = load(state, entries.key, live.keyId);
  if (key !== undefined) save(state, entries.key, live.keyId, { ...key, retiredHeight: height });
  state.remove(entries.liveKey.kind, account);
}

/**
 * Whether a request for a key was made under the account's present key: else a thief's, from before a replacement, would
 * be answered after it and become the live key, finished by the thief's z.
 */
export function isUnderPresentKey(
  state: Reading,
  { account, height }: Pick<KeyRequestValue, "account" | "height">,
): boolean {
  const value = load(state, entries.account, account);
  if (value === undefined) return false;
  const present = load(state, entries.accountKey, value.publicKey);
  return present === undefined || (equalBytes(present.account, account) && height > present.fromHeight);
}
