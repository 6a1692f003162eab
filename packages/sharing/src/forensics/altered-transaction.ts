/**
 * Which of a block's transactions is not the one under its signed Merkle root. The tree's leaves are not stored, so other
 * witnesses are asked: the index of transactions for the bodies, the signatures outside a body for the rest.
 */
import { equalBytes, toHex } from "@chartseal/crypto";
import {
  accountOf,
  decodeGenesis,
  decodeTransaction,
  type Transaction,
  verifyAsAccount,
  verifyOneTime,
} from "@chartseal/ledger";
import type { ChainRows } from "./chain.ts";
import { attempt } from "./records.ts";

/** Public keys by account: several where an account replaced its own. */
export type AccountKeys = ReadonlyMap<string, readonly Uint8Array[]>;

/** Every public key that an account, in hex, may have had, as the genesis and the blocks show them. */
export function accountKeys(genesis: Uint8Array | undefined, rows: ChainRows): AccountKeys {
  const keys = new Map<string, Uint8Array[]>();
  const know = (publicKey: Uint8Array, account = accountOf(publicKey)): void => {
    const hex = toHex(account);
    keys.set(hex, [...(keys.get(hex) ?? []), publicKey]);
  };
  const origin = genesis === undefined ? undefined : attempt(() => decodeGenesis(genesis));
  for (const publicKey of [...(origin?.nodes ?? []), ...(origin?.providers ?? [])]) know(publicKey);
  for (let height = 1; height <= rows.height(); height++) {
    for (const bytes of rows.block(height)?.transactions ?? []) {
      const transaction = attempt(() => decodeTransaction(bytes));
      const action = transaction?.body.action;
      if (action?.kind === "enrol" || action?.kind === "register-provider") know(action.publicKey);
      if (action?.kind === "start-recovery") know(action.publicKey, action.account);
      if (action?.kind === "set-recovery" && action.paperKey !== null) know(action.paperKey);
      const signer = transaction?.authorisation.account?.account;
      if (action?.kind === "replace-key" && signer !== undefined) know(action.publicKey, signer);
    }
  }
  return keys;
}

/** Position of the altered transaction, or undefined where several could be it and no witness tells them apart. */
export function alteredPosition(
  transactions: readonly Uint8Array[],
  indexed: readonly (Uint8Array | undefined)[],
  keys: () => AccountKeys,
): number | undefined {
  if (transactions.length === 1) return 0;
  const read = transactions.map((bytes) => attempt(() => decodeTransaction(bytes)));
  const byIndex = read.findIndex((transaction, position) => {
    const expected = indexed[position];
    return (
      transaction === undefined || expected === undefined || !equalBytes(transaction.identifier, expected)
    );
  });
  if (byIndex !== -1) return byIndex;
  const known = keys();
  const verdicts = read.map((transaction) =>
    transaction === undefined ? "wrong" : signed(transaction, known),
  );
  const wrong = verdicts.indexOf("wrong");
  // An account that nobody enrolled may be the altered part itself, where no signature is wrong.
  const position = wrong === -1 ? verdicts.indexOf("unknown") : wrong;
  return position === -1 ? undefined : position;
}

/** Whether the signatures verify that can be checked from the blocks alone. */
function signed(
  { body, bodyBytes, identifier, authorisation }: Transaction,
  keys: AccountKeys,
): "right" | "wrong" | "unknown" {
  const { account, oneTime } = authorisation;
  if (oneTime !== null && !verifyOneTime(oneTime, identifier)) return "wrong";
  if (account === null) return "right";
  const had = keys.get(toHex(account.account));
  if (had === undefined) return "unknown";
  return had.some((key) => verifyAsAccount(key, account, bodyBytes, body)) ? "right" : "wrong";
}
