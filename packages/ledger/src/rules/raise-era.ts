/**
 * raise-era: after a restore that loses the chain's tail (CONTRACT, Files), by a vote of the validators. Every signature
 * of the era before is worth nothing from here on, and grants of it are void. The lost revocations and erasures come
 * along as the whole transactions that they were, signed in an earlier era, and are applied again.
 */
import { ChartsealError, equalBytes } from "@chartseal/crypto";
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
  demand(
    value && verifyAsAccount(value.publicKey, authorisation.account, bodyBytes, body),
    "signature-invalid",
  );
  if (load(state, entries.transaction, identifier) !== undefined) return;
  const again = { ...setting, transaction, signer: { account, value } };
  try {
    if (action.kind === "revoke") revoke(again, action);
    else if (action.kind === "erase") erase(again, action);
    else throw new Refusal("malformed");
  } catch (error) {
    if (!(error instanceof ChartsealError) || !alreadySo(error)) throw error;
  }
}

/** What was lost with the tail, or holds already, needs no tombstone. */
function alreadySo(error: ChartsealError): boolean {
  const names = ["nothing-to-revoke", "record-erased", "record-unknown"];
  return error instanceof Refusal && names.includes(error.refusal);
}
