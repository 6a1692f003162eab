/**
 * What came back with a copy of the provider's stores, judged by the ledger of now: objects of a record that was erased since,
 * and payloads that a rekey has replaced, go. Blocks and tombstones need not tell of it: the copy may be older than both.
 */
import { decodeHeader, headerBytesMax, isFamily } from "@chartseal/crypto";
import { emptyKey, entries, lists, type RecordValue } from "@chartseal/ledger";
import { readEntry, readList } from "../state.ts";
import { exists, getWhole, storageFailure } from "../streams.ts";
import { destroyRecord, dropReplaced, removeObjects } from "./follow.ts";
import { baseOf, endExpecting, expectedHeight } from "./followed.ts";
import { signedByHolders } from "./holders.ts";
import { Postponed } from "./postponed.ts";
import type { ProviderAtWork } from "./self.ts";
import { headerName } from "./stores.ts";

/** Does nothing where nothing came back. @throws ChartsealError of the family `unavailable`: the next call goes on */
export async function judgeRestored(self: ProviderAtWork): Promise<void> {
  const { stores, surroundings } = self;
  const expected = await expectedHeight(stores.pending);
  if (expected === undefined || (await surroundings.ledger.head()).height < expected) return;
  const postponed = new Postponed();
  const nameless = new Set<string>();
  for (const address of await addressesHere(self)) {
    await postponed.attempt(async () => {
      const recordId = await recordOf(self, address);
      if (recordId === undefined) nameless.add(address);
      else await judge(self, { address, recordId });
    });
  }
  await postponed.attempt(() => judgeNameless(self, nameless));
  postponed.end();
  await endExpecting(stores.pending);
}

async function addressesHere({ stores }: ProviderAtWork): Promise<ReadonlySet<string>> {
  const addresses = new Set<string>();
  try {
    for await (const name of stores.objects.list()) addresses.add(name.replace(/\.header$/, ""));
  } catch (error) {
    throw storageFailure(error, "");
  }
  return addresses;
}

/** The record that the header there names; undefined without a readable one. */
async function recordOf({ stores }: ProviderAtWork, address: string): Promise<Uint8Array | undefined> {
  const name = headerName(address);
  if (!(await exists(stores.objects, name))) return undefined;
  try {
    return decodeHeader(await getWhole(stores.objects, name, headerBytesMax)).context.recordId;
  } catch (error) {
    if (isFamily(error, "unavailable")) throw error;
    return undefined;
  }
}

async function judge(
  self: ProviderAtWork,
  { address, recordId }: { readonly address: string; readonly recordId: Uint8Array },
): Promise<void> {
  const record = await readEntry(self.surroundings.ledger, entries.record, recordId);
  // A deposit that was never registered is looked after by its age.
  if (record === undefined) return;
  try {
    if (record.erasedHeight !== null) {
      const holders = (addresses: readonly string[]) => signedByHolders(self, { recordId, addresses });
      await destroyRecord(self, recordId, holders);
    } else if (record.address !== address) await dropReplaced(self, recordId);
  } catch (error) {
    baseOf(error);
    // Erased before this node's snapshot: its tombstone cannot be written here, and it goes all the same.
    if (record.erasedHeight !== null) await removeObjects(self, address);
  }
}

/** Payloads without a header, as backups made without headers have them: only the ledger's records say whose they are. */
async function judgeNameless(self: ProviderAtWork, addresses: ReadonlySet<string>): Promise<void> {
  if (addresses.size === 0) return;
  const { ledger } = self.surroundings;
  for (const recordId of await readList(ledger, lists.records, emptyKey)) {
    const record: RecordValue | undefined = await readEntry(ledger, entries.record, recordId);
    if (record?.erasedHeight == null || !addresses.has(record.address)) continue;
    await judge(self, { address: record.address, recordId });
  }
}
