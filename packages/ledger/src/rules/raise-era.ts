/**
 * raise-era: after a restore that loses the chain's tail (CONTRACT, Files), by a vote of the validators. Every signature
 * of the era before is worth nothing from here on, and grants of it are void. The lost revocations, erasures and replaced
 * keys come along as the whole transactions that they were, signed in an earlier era, and are applied again.
 */
import { equalBytes } from "@chartseal/crypto";
import type { Action, ActionOf } from "../actions.ts";
import { verifyAsAccount } from "../authorisation.ts";
import { demand, Refusal } from "../refusals.ts";
import { emptyKey, entries, load, save } from "../state-kinds.ts";
import { decodeTransaction } from "../transaction.ts";
import { demandNewKey, giveKey, keysOf } from "./account-keys.ts";
import { demandAdmission } from "./admissions.ts";
import { knownRecord, markErased, ownRecord } from "./records.ts";
import { revoke } from "./revoke.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";

export const raiseEra: Rule<"raise-era"> = (setting, { lostHeight, lostHash, tombstones }) => {
  const { state, block, era } = setting;
  demandAdmission(setting);
  for (const tombstone of tombstones) applyTombstone(setting, tombstone);
  save(state, entries.era, emptyKey, { era: era + 1, lostHeight, lostHash, height: block.height });
};

type TombstoneAction = ActionOf<"erase" | "erase-due" | "revoke" | "replace-key">;

function isTombstone(action: Action): action is TombstoneAction {
  return ["erase", "erase-due", "revoke", "replace-key"].includes(action.kind);
}

/** A lost revocation, erasure or replacement of a key; its sequence number was of the lost tail and is not asked for. */
function applyTombstone(setting: Setting, bytes: Uint8Array): void {
  const { state, block, era } = setting;
  const transaction = decodeTransaction(bytes);
  const { body, bodyBytes, identifier, authorisation } = transaction;
  const { action } = body;
  demand(authorisation.account && equalBytes(body.chainId, block.chainId) && body.era <= era, "wrong-era");
  const { account } = authorisation.account;
  const value = load(state, entries.account, account);
  // Whoever enrolled in the lost tail alone has nothing left to revoke or erase.
  if (value === undefined || load(state, entries.transaction, identifier) !== undefined) return;
  const signature = authorisation.account;
  // A lost revocation may have been signed before its account replaced its key.
  const signed = keysOf(state, account).some((key) => verifyAsAccount(key, signature, bodyBytes, body));
  demand(signed, "signature-invalid");
  const again = { ...setting, transaction, signer: { account, value } };
  demand(isTombstone(action), "malformed");
  if (action.kind === "erase" || action.kind === "erase-due") unlessSo(() => eraseAgain(again, action));
  else if (action.kind === "replace-key") unlessSo(() => replaceAgain(again, action));
  else if (action.attributes.length === 0) unlessSo(() => revoke(again, action));
  else {
    for (const attribute of action.attributes) {
      unlessSo(() => revoke(again, { ...action, attributes: [attribute] }));
    }
  }
}

/** The bytes are gone: a hold that the lost tail had lifted, or that came after it, brings nothing back. */
function eraseAgain(setting: Setting, { kind, recordId }: ActionOf<"erase" | "erase-due">): void {
  const record = kind === "erase" ? ownRecord(setting, recordId) : knownRecord(setting.state, recordId);
  const isProviders = equalBytes(record.provider, signerOf(setting).account);
  demand(kind === "erase" || isProviders, "role-missing");
  markErased(setting, recordId, record);
}

/** A lost device must not come back; what was open against its key was open before the loss and ends with the era. */
function replaceAgain(setting: Setting, action: ActionOf<"replace-key">): void {
  const { account } = signerOf(setting);
  demandNewKey(setting, account, action);
  giveKey(setting, account, action);
}

/** What the tombstone is about may hold already, or may have been lost with the tail. */
function unlessSo(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Refusal) || !alreadySo.includes(error.refusal)) throw error;
  }
}

const alreadySo: readonly string[] = [
  "nothing-to-revoke",
  "record-erased",
  "record-unknown",
  "namespace-unknown",
  "key-taken",
];
