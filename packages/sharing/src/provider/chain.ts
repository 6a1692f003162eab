/** What the provider finds in the chain about its records: where they lay, and the transactions that end things. */
import { ChartsealError, equalBytes, namespaceOf, toHex } from "@chartseal/crypto";
import {
  type Action,
  decodeTransaction,
  entries,
  type Ledger,
  logKey,
  outcomes,
  type RecordValue,
} from "@chartseal/ledger";
import { readEntry } from "../state.ts";

/** A transaction of a block; the lost revocations and erasures that a raised era brings back count as its own. */
export interface Told {
  readonly bytes: Uint8Array;
  readonly action: Action;
}

/** What a block's transactions do, in their order. */
export async function actionsOf(ledger: Ledger, height: number): Promise<readonly Told[]> {
  const block = await ledger.block(height);
  if (block === undefined)
    throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
  const told = (bytes: Uint8Array): Told => ({ bytes, action: decodeTransaction(bytes).body.action });
  return block.transactions.map(told).flatMap((one) => {
    return one.action.kind === "raise-era" ? [one, ...one.action.tombstones.map(told)] : [one];
  });
}

/** The erasure of a record that the ledger shows as erased at that height. */
export async function erasureAt(ledger: Ledger, recordId: Uint8Array, height: number): Promise<Uint8Array> {
  const found = (await actionsOf(ledger, height)).find(
    ({ action }) =>
      (action.kind === "erase" || action.kind === "erase-due") && equalBytes(action.recordId, recordId),
  );
  return found?.bytes ?? missing("erasure", height);
}

/** The revocation of an attribute whose vouch ended at that height. */
export async function revocationAt(
  ledger: Ledger,
  vouch: { readonly account: Uint8Array; readonly attribute: string; readonly height: number },
): Promise<Uint8Array> {
  const { account, attribute, height } = vouch;
  const found = (await actionsOf(ledger, height)).find(
    ({ action }) =>
      action.kind === "revoke" &&
      equalBytes(action.account, account) &&
      action.namespace === namespaceOf(attribute) &&
      (action.attributes.length === 0 || action.attributes.includes(attribute)),
  );
  return found?.bytes ?? missing("revocation", height);
}

function missing(what: string, height: number): never {
  throw new ChartsealError("chain-altered", `the chain does not hold the ${what} that its state names`, {
    data: { height },
  });
}

/** Every address that the record's payload ever had, oldest first: the deposit's and each rekey's, by its log. */
export async function addressesOf(
  ledger: Ledger,
  recordId: Uint8Array,
  record: RecordValue,
): Promise<readonly string[]> {
  const addresses = new Set<string>();
  for (let index = 0; index < record.logCount; index++) {
    const entry = await readEntry(ledger, entries.log, logKey(recordId, index));
    const moves = entry?.outcome === outcomes.deposited || entry?.outcome === outcomes.rekeyed;
    if (entry === undefined || !moves) continue;
    const found = await ledger.transaction(entry.identifier);
    const action = found === undefined ? undefined : decodeTransaction(found.bytes).body.action;
    if (action?.kind !== "deposit" && action?.kind !== "rekey") {
      throw new ChartsealError("chain-altered", "the record's log names no deposit or rekey", {
        data: { recordId: toHex(recordId), index },
      });
    }
    addresses.add(action.address);
  }
  addresses.add(record.address);
  return [...addresses];
}
