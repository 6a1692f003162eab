/**
 * What the provider does because the ledger says so: ended attributes go from the keys in custody, erased records go
 * from every store, a rekeyed header takes the old one's place. Run after each change and when a home is opened, so that
 * a crash between the ledger's block and the deed is made good (CRYPTO §2.2, §4).
 */
import { type AttributeKey, equalBytes, fromHex, recordDigest, toHex } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { isVouched, readEntry } from "../state.ts";
import { getWhole, once } from "../streams.ts";
import { revocationsOf } from "./revocations.ts";
import { headerName } from "./stores.ts";
import { type ProviderSelf, spanTreeName } from "./take.ts";

const headerBytesMax = 262_144;

export async function follow(self: ProviderSelf): Promise<void> {
  await followKeys(self);
  await followPending(self);
}

/** Keys in custody against the ledger: retired keys go whole, attributes without a vouch go from live ones. */
export async function followKeys({ surroundings, stores }: ProviderSelf): Promise<void> {
  const { ledger } = surroundings;
  for (const account of await stores.keys.accounts()) {
    const live = await readEntry(ledger, entries.liveKey, account);
    if (live === undefined) continue;
    const custody = await stores.keys.get(account, live.keyId);
    if (custody === undefined) continue;
    await stores.keys.settle(account, live.keyId);
    const ended: string[] = [];
    for (const attribute of custody.key.k2.keys()) {
      if (!(await isVouched(ledger, account, attribute))) ended.push(attribute);
    }
    if (ended.length === 0) continue;
    for (const { attributes, ...origin } of await revocationsOf(ledger, account, ended)) {
      await stores.tombstones.add({ kind: "revoked", account: toHex(account), attributes, ...origin });
    }
    await stores.keys.put(account, { keyId: custody.keyId, key: without(custody.key, ended) });
  }
}

function without(key: AttributeKey, attributes: readonly string[]): AttributeKey {
  return { ...key, k2: new Map([...key.k2].filter(([attribute]) => !attributes.includes(attribute))) };
}

/** Headers that waited for the ledger: taken ones replace the old, the others go. */
async function followPending({ surroundings, stores }: ProviderSelf): Promise<void> {
  for await (const name of stores.pending.list()) {
    const record = await readEntry(surroundings.ledger, entries.record, fromHex(name, 32));
    const header = await getWhole(stores.pending, name, headerBytesMax);
    const taken =
      record !== undefined &&
      record.erasedHeight === null &&
      equalBytes(recordDigest(header, record.current.payloadDigest), record.digest);
    if (taken) await stores.objects.put(headerName(record.address), once(header));
    await stores.pending.remove(name);
  }
}

/** Destroys a record's header, leaf hashes and payload, header first, the tombstone before all of it. */
export async function destroyRecord(
  { surroundings, stores }: ProviderSelf,
  options: { recordId: Uint8Array; addresses: readonly string[]; transaction: Uint8Array },
): Promise<void> {
  const { recordId, addresses, transaction } = options;
  const found = await surroundings.ledger.transaction(transaction);
  const origin = { transaction: toHex(transaction), ...(found && { bytes: toHex(found.bytes) }) };
  for (const address of addresses) {
    await stores.tombstones.add({ kind: "erased", recordId: toHex(recordId), address, ...origin });
    await removeObjects({ surroundings, stores }, address);
  }
}

/** Header first: a payload without its header opens for those alone who already hold its file key. */
export async function removeObjects(
  { surroundings, stores }: Pick<ProviderSelf, "surroundings" | "stores">,
  address: string,
): Promise<void> {
  await stores.objects.remove(headerName(address));
  await stores.leaves.remove(address);
  await stores.leaves.remove(spanTreeName(address));
  await stores.objects.remove(address);
  await stores.journal.append({ event: "removed", address, atMs: surroundings.now() });
}
