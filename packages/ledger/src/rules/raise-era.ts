/**
 * raise-era: after a restore that loses the chain's tail (CONTRACT, Files), by a vote of the validators. Every signature
 * of the era before is worth nothing from here on, and grants of it are void. The lost revocations and erasures come
 * along as the whole transactions that they were, signed in an earlier era, and are applied again.
 */
import { equalBytes } from "@chartseal/crypto";
import { verifyAsAccount } from "../authorisation.ts";
import { demand, Refusal } from "../refusals.ts";
import { emptyKey, entries, load, save } from "../state-kinds.ts";
import { decodeTransaction } from "../transaction.ts";
import { demandAdmission } from "./admissions.ts";
import { erase } from "./erase.ts";
import { revoke } from "./revoke.ts";
import type { Rule, Setting } from "./setting.ts";

export const raiseEra: Rule<"raise-era"> = (setting, { lostHeight, lostHash, tombstones }) => {
  const { state, block, era } = setting;
  demandAdmission(setting);
  for (const tombstone of tombstones) applyTombstone(setting, tombstone);
  save(state, entries.era, emptyKey, { era: era + 1, lostHeight, lostHash, height: block.height });
};

/** A lost revocation or erasure; its sequence number was of the lost tail and is not asked for. */
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
  demand(verifyAsAccount(value.publicKey, authorisation.account, bodyBytes, body), "signature-invalid");
  const again = { ...setting, transaction, signer: { account, value } };
  demand(action.kind === "erase" || action.kind === "revoke", "malformed");
  if (action.kind === "erase") unlessSo(() => erase(again, action));
  else if (action.attributes.length === 0) unlessSo(() => revoke(again, action));
  else {
    for (const attribute of action.attributes) {
      unlessSo(() => revoke(again, { ...action, attributes: [attribute] }));
    }
  }
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
];
