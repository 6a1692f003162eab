/** Which keys an account has and had, as the ledger tells it (spec/6-ledger.md, Keys of accounts). */
import { equalBytes } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import type { Identity } from "./parties.ts";
import { type Reader, readAccount, readEntry } from "./state.ts";

/** Whether the key was the account's in the block of that height; in the block of a replacement both were. */
export async function hadKey(
  ledger: Reader,
  { account, publicKey, height }: { account: Uint8Array; publicKey: Uint8Array; height: number },
): Promise<boolean> {
  const key = await readEntry(ledger, entries.accountKey, publicKey);
  if (key !== undefined) {
    const held = key.fromHeight <= height && (key.untilHeight === null || height <= key.untilHeight);
    return held && equalBytes(key.account, account);
  }
  const value = await readAccount(ledger, account);
  return value !== undefined && equalBytes(value.publicKey, publicKey);
}

/** The height at which the account got its present key; undefined where it has its first. */
export async function replacedAt(ledger: Reader, account: Uint8Array): Promise<number | undefined> {
  const value = await readAccount(ledger, account);
  const key = value && (await readEntry(ledger, entries.accountKey, value.publicKey));
  return key === undefined || !equalBytes(key.account, account) ? undefined : key.fromHeight;
}

/** Whether these are the keys that the account has now: false for every copy of a device that was replaced. */
export async function isPresentKey(
  ledger: Reader,
  { account, publicKey }: Pick<Identity, "account" | "publicKey">,
): Promise<boolean> {
  const value = await readAccount(ledger, account);
  return value !== undefined && equalBytes(value.publicKey, publicKey);
}
