/**
 * Erasure at the provider (CRYPTO §4, Erase): what the ledger shows as erased is destroyed at every place, and whoever
 * holds a copy signs for it. A place that somebody else runs signs for itself, before its shards go; what it signed is
 * kept until the certificate, so that a crash between loses no signature.
 */
import { signErasedCopy } from "@chartseal/ledger";
import { judgingMs } from "../judged.ts";
import type { ErasedCopySignature } from "../parties.ts";
import { readPlacement } from "../residency.ts";
import { requireRecord } from "../state.ts";
import { asideAddresses } from "./aside.ts";
import { destroyRecord } from "./follow.ts";
import { shardsOfOthers, signedByHolders } from "./holders.ts";
import type { ProviderAtWork } from "./self.ts";

/**
 * Destroys a record that the ledger shows as erased; a signature for each copy: for every address the provider's own, of
 * a divided payload also one for each shard, save those of the holders that sign for themselves, and one for each copy
 * that lay beside the store.
 * @throws ChartsealError `input-invalid`, `provider-unreachable` while a place does not answer: nothing is certified then
 */
export async function destroyCopies(
  self: ProviderAtWork,
  recordId: Uint8Array,
): Promise<readonly ErasedCopySignature[]> {
  const { surroundings, identity } = self;
  const { ledger } = surroundings;
  const { chainId } = ledger;
  const record = await requireRecord(ledger, recordId);
  const own = (address: string): ErasedCopySignature =>
    signErasedCopy(identity.seed, { chainId, recordId, address });
  let signed: readonly ErasedCopySignature[] = [];
  const addresses = await destroyRecord(self, recordId, async (all) => {
    signed = await signedByHolders(self, { recordId, addresses: all });
  });
  const copies = [...addresses.map(own), ...signed];
  // How the last payload was divided stands on the ledger: its shards are named whether or not this call removed them.
  const placement = await readPlacement(ledger, recordId);
  const n = placement !== undefined && placement.n > 1 ? placement.n : 0;
  const others = shardsOfOthers(signed, record.address);
  for (let shard = 1; shard <= n; shard++) {
    if (!others.has(shard)) copies.push(own(`${record.address}/shard-${shard}of${n}`));
  }
  copies.push(...(await asideAddresses(self.stores, recordId)).map(own));
  return copies;
}

/**
 * Erases what its owner gave a time for and nothing keeps: the ledger's entry, every copy, the certificate, all in the
 * provider's name. What a place that does not answer keeps from its certificate is finished by a later call, and keeps
 * no other record from its end.
 * @returns the records that were erased by this call
 * @throws ChartsealError the first failure, after all others were tried
 */
export async function eraseDue(self: ProviderAtWork): Promise<Uint8Array[]> {
  const { surroundings, writer, schedule } = self;
  const erased: Uint8Array[] = [];
  const failures: unknown[] = [];
  const attempt = async (deed: () => Promise<void>): Promise<void> => {
    await deed().catch((error: unknown) => failures.push(error));
  };
  const certify = async (recordId: Uint8Array): Promise<void> => {
    const copies = [...(await destroyCopies(self, recordId))];
    await writer.submit({ kind: "erase-certificate", recordId, copies });
  };
  const { due, uncertified } = await schedule.due(await judgingMs(surroundings));
  for (const recordId of uncertified) {
    await attempt(() => certify(recordId));
  }
  for (const recordId of due) {
    await attempt(async () => {
      await writer.submit({ kind: "erase-due", recordId });
      erased.push(recordId);
      await certify(recordId);
    });
  }
  if (failures.length > 0) throw failures[0];
  return erased;
}
