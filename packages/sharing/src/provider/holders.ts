/**
 * Places that somebody else runs, in an erasure: each signs for its own shards, before they go; what it signed is kept
 * until the certificate, so that a crash between loses no signature.
 */
import { type CborValue, ChartsealError, decode, encode, toHex } from "@chartseal/crypto";
import { type Ledger, roles, verifyErasedCopy } from "@chartseal/ledger";
import type { ErasedCopySignature } from "../parties.ts";
import { readAccount } from "../state.ts";
import { exists, getWhole, once, storageFailure } from "../streams.ts";
import type { ProviderAtWork } from "./self.ts";
import { headerName } from "./stores.ts";

/** Largest list of signatures that is kept for a certificate. */
const signedBytesMax = 64 * 1024;

/** Where signatures wait for the certificate, beside waiting headers and named like none of them. */
function signedName(recordId: Uint8Array, address: string): string {
  return `${toHex(recordId)}.signed.${address}`;
}

/**
 * What the holders of these addresses' shards sign, asked or asked before.
 * @throws ChartsealError `provider-unreachable` while one does not answer
 */
export async function signedByHolders(
  self: Pick<ProviderAtWork, "stores" | "surroundings">,
  { recordId, addresses }: { readonly recordId: Uint8Array; readonly addresses: readonly string[] },
): Promise<readonly ErasedCopySignature[]> {
  const signed: ErasedCopySignature[] = [];
  for (const address of addresses) signed.push(...(await signedFor(self, { recordId, address })));
  return signed;
}

/** Numbers of the payload's shards for which somebody else signed: nobody else has them. */
export function shardsOfOthers(signed: readonly ErasedCopySignature[], address: string): ReadonlySet<number> {
  const parts = signed.flatMap((copy) =>
    copy.address.startsWith(`${address}/`) ? copy.address.slice(address.length + 1).split("+") : [],
  );
  return new Set(parts.flatMap((part) => /^shard-([1-9][0-9]?)$/.exec(part)?.slice(1).map(Number) ?? []));
}

/** Asked once and kept: after the shards are gone nobody knows their names any more. */
async function signedFor(
  { stores, surroundings }: Pick<ProviderAtWork, "stores" | "surroundings">,
  { recordId, address }: { readonly recordId: Uint8Array; readonly address: string },
): Promise<readonly ErasedCopySignature[]> {
  if (stores.placed === undefined) return [];
  const name = signedName(recordId, address);
  if (await exists(stores.pending, name))
    return decodeSigned(await getWhole(stores.pending, name, signedBytesMax));
  try {
    const objects = [
      { name: address, as: "shard" },
      { name: headerName(address), as: "header-shard" },
    ];
    const signed = await stores.placed.attestErased({ recordId, objects, address });
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
