/**
 * Erasure at the provider (CRYPTO §4, Erase): what the ledger shows as erased is destroyed at every place, and whoever
 * holds a copy signs for it. A place that somebody else runs signs for itself, before its shards go; what it signed is
 * kept until the certificate, so that a crash between loses no signature.
 */
import { type CborValue, ChartsealError, decode, encode, toHex } from "@chartseal/crypto";
import { type Ledger, roles, signErasedCopy, verifyErasedCopy } from "@chartseal/ledger";
import { judgingMs } from "../judged.ts";
import { erasuresDue, uncertifiedErasures } from "../keeping.ts";
import type { ErasedCopySignature } from "../parties.ts";
import { readPlacement } from "../residency.ts";
import { readAccount, requireRecord } from "../state.ts";
import { exists, getWhole, once, storageFailure } from "../streams.ts";
import { addressesOf } from "./chain.ts";
import { destroyRecord } from "./follow.ts";
import type { ProviderAtWork } from "./self.ts";
import { headerName } from "./stores.ts";

/** Largest list of signatures that is kept for a certificate. */
const signedBytesMax = 64 * 1024;

/** Where signatures wait for the certificate, beside waiting headers and named like none of them. */
function signedName(recordId: Uint8Array, address: string): string {
  return `${toHex(recordId)}.signed.${address}`;
}

/**
 * Destroys a record that the ledger shows as erased; a signature for each copy: for every address the provider's own, of
 * a divided payload also one for each shard, and those of the holders that sign for themselves.
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
  if (record.erasedHeight === null) {
    throw new ChartsealError("input-invalid", "the ledger does not show this record as erased");
  }
  const own = (address: string): ErasedCopySignature =>
    signErasedCopy(identity.seed, { chainId, recordId, address });
  const copies: ErasedCopySignature[] = [];
  for (const address of await addressesOf(ledger, recordId, record)) {
    copies.push(own(address), ...(await signedByHolders(self, { recordId, address })));
  }
  await destroyRecord(self, recordId);
  // How the last payload was divided stands on the ledger: its shards are named whether or not this call removed them.
  const placement = await readPlacement(ledger, recordId);
  const n = placement !== undefined && placement.n > 1 ? placement.n : 0;
  for (let shard = 1; shard <= n; shard++) copies.push(own(`${record.address}/shard-${shard}of${n}`));
  return copies;
}

/** Asked once and kept: after the shards are gone nobody knows their names any more. */
async function signedByHolders(
  { stores, surroundings }: ProviderAtWork,
  { recordId, address }: { readonly recordId: Uint8Array; readonly address: string },
): Promise<readonly ErasedCopySignature[]> {
  if (stores.placed === undefined) return [];
  const name = signedName(recordId, address);
  if (await exists(stores.pending, name))
    return decodeSigned(await getWhole(stores.pending, name, signedBytesMax));
  try {
    const names = [headerName(address), address];
    const signed = await stores.placed.attestErased({ recordId, names, address });
    for (const copy of signed) await demandSigned(surroundings.ledger, { recordId, address }, copy);
    if (signed.length > 0) await stores.pending.put(name, once(encodeSigned(signed)));
    return signed;
  } catch (error) {
    throw storageFailure(error, address);
  }
}

/**
 * One signature that the ledger does not take would keep the whole certificate from it.
 * @throws ChartsealError `provider-unreachable`: the place has not signed yet, and is asked again
 */
async function demandSigned(
  ledger: Ledger,
  { recordId, address }: { readonly recordId: Uint8Array; readonly address: string },
  copy: ErasedCopySignature,
): Promise<void> {
  const holder = await readAccount(ledger, copy.holder);
  const isProvider = holder !== undefined && (holder.roles & roles.provider) !== 0;
  const meant = { chainId: ledger.chainId, recordId, address: copy.address };
  if (isProvider && copy.address.startsWith(`${address}/`) && verifyErasedCopy(holder.publicKey, copy, meant))
    return;
  throw new ChartsealError("provider-unreachable", "a place does not sign for what it erased as a provider", {
    data: { holder: toHex(copy.holder), address: copy.address },
    hint: "Whoever runs it has to be a provider of this ledger.",
  });
}

function encodeSigned(signed: readonly ErasedCopySignature[]): Uint8Array {
  return encode(signed.map(({ holder, address, signature }) => [holder, address, signature]));
}

function decodeSigned(bytes: Uint8Array): ErasedCopySignature[] {
  const items = decode(bytes, { sizeMax: signedBytesMax });
  return (Array.isArray(items) ? (items as readonly CborValue[]) : []).map((item) => {
    const [holder, address, signature] = Array.isArray(item) ? (item as readonly CborValue[]) : [];
    if (holder instanceof Uint8Array && typeof address === "string" && signature instanceof Uint8Array) {
      return { holder, address, signature };
    }
    throw new ChartsealError("chain-altered", "a file of the provider is damaged");
  });
}

/**
 * Erases what its owner gave a time for and nothing keeps: the ledger's entry, every copy, the certificate, all in the
 * provider's name. What a place that does not answer keeps from its certificate is finished by a later call, and keeps
 * no other record from its end.
 * @returns the records that were erased by this call
 * @throws ChartsealError the first failure, after all others were tried
 */
export async function eraseDue(self: ProviderAtWork): Promise<Uint8Array[]> {
  const { surroundings, identity, writer } = self;
  const { ledger } = surroundings;
  const erased: Uint8Array[] = [];
  const failures: unknown[] = [];
  const certify = async (recordId: Uint8Array): Promise<void> => {
    const copies = [...(await destroyCopies(self, recordId))];
    await writer.submit({ kind: "erase-certificate", recordId, copies });
  };
  const account = identity.account;
  for (const recordId of await uncertifiedErasures(ledger, account)) {
    await certify(recordId).catch((error: unknown) => failures.push(error));
  }
  for (const recordId of await erasuresDue(ledger, await judgingMs(surroundings), account)) {
    await writer.submit({ kind: "erase-due", recordId });
    erased.push(recordId);
    await certify(recordId).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
  return erased;
}
