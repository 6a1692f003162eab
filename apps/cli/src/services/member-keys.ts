/**
 * A member's secrets in its folder's vault: the identity's seeds, the recovery key z with the id of its transform key,
 * the base key and the signing keys. A z whose issue was not finished, and keys that are to replace these, are kept apart
 * until the ledger says which count.
 */
import {
  type CborValue,
  ChartsealError,
  decodeSigningKeys,
  encodeSigningKeys,
  equalBytes,
  fromBigInt,
  type Pairing,
  toBigInt,
  toHex,
} from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import {
  type IdentitySeeds,
  identityOf,
  isPresentKey,
  type MemberKeys,
  type Reader,
  readAccount,
  readEntry,
  replacedAt,
  replacingSeeds,
} from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";

const keysFile = "keys.sealed";
const pendingFile = "pending-key.sealed";
const replacementFile = "pending-identity.sealed";

/** Keys with the seeds that they are stored as. */
export interface StoredMember extends MemberKeys {
  readonly seeds: IdentitySeeds;
}

export async function newMember(seeds: IdentitySeeds): Promise<StoredMember> {
  return {
    ...(await identityOf(seeds)),
    seeds,
    recoveryKey: null,
    transformKeyId: null,
    baseKey: null,
    signingKeys: new Map(),
  };
}

/** Version 1 of keys that are the account's first; version 2 adds the account and the earlier X25519 seeds. */
export async function saveMemberKeys(vault: KeyVault, pairing: Pairing, member: StoredMember): Promise<void> {
  const { seeds, account, recoveryKey, transformKeyId, baseKey, signingKeys } = member;
  const rest: CborValue[] = [
    seeds.seed,
    seeds.hpkeSeed,
    recoveryKey === null ? null : fromBigInt(recoveryKey, 32),
    transformKeyId,
    baseKey === null ? null : encodeSigningKeys(pairing, { account, base: baseKey, attributes: signingKeys }),
  ];
  const later = seeds.account === undefined ? [] : [seeds.account, [...(seeds.earlierHpkeSeeds ?? [])]];
  await vault.save(keysFile, [later.length === 0 ? 1 : 2, ...rest, ...later]);
}

/** Keeps a new z before the provider announces its key: a crash in between must not lose it. */
export async function savePendingKey(
  vault: KeyVault,
  pending: { readonly recoveryKey: bigint; readonly requestId: Uint8Array },
): Promise<void> {
  await vault.save(pendingFile, [pending.requestId, fromBigInt(pending.recoveryKey, 32)]);
}

export function dropPendingKey(vault: KeyVault): void {
  vault.remove(pendingFile);
}

function damaged(): ChartsealError {
  return new ChartsealError("chain-altered", "a member's key file is missing or damaged", {
    hint: "Restore the member's folder from a backup.",
  });
}

const isBytes = (value: CborValue | undefined): value is Uint8Array => value instanceof Uint8Array;
const orNull = (value: CborValue | undefined): Uint8Array | null => {
  if (value === null || isBytes(value)) return value;
  throw damaged();
};

/**
 * Loads the keys; keys that replace them, and a pending z, are adopted where the ledger shows that they count.
 * @throws ChartsealError `revoked` where the account has other keys: this folder is a copy of a device that was replaced
 */
export async function loadMemberKeys(
  vault: KeyVault,
  pairing: Pairing,
  ledger: Reader,
): Promise<StoredMember> {
  const stored = await readStored(vault, pairing);
  const member = await adoptReplacement(vault, pairing, { member: stored, ledger });
  await demandPresent(ledger, member);
  await adoptPending(vault, pairing, { member, ledger });
  return member;
}

/** The keys as they lie there, whatever the ledger says of them. */
export async function readStored(vault: KeyVault, pairing: Pairing): Promise<StoredMember> {
  const value = await vault.load(keysFile);
  const fields: readonly CborValue[] = Array.isArray(value) ? value : [];
  const isFirst = fields.length === 6 && fields[0] === 1;
  const isLater = fields.length === 8 && fields[0] === 2;
  if (!isFirst && !isLater) throw damaged();
  const [, seed, hpkeSeed, recoveryKey, transformKeyId, signing, account, earlier] = fields;
  if (!isBytes(seed) || !isBytes(hpkeSeed)) throw damaged();
  const member = await newMember({ seed, hpkeSeed, ...(isLater ? laterOf(account, earlier) : {}) });
  const z = orNull(recoveryKey);
  const keys = orNull(signing);
  member.recoveryKey = z === null ? null : toBigInt(z);
  member.transformKeyId = orNull(transformKeyId);
  if (keys !== null) {
    const { base, attributes } = decodeSigningKeys(pairing, keys);
    member.baseKey = base;
    for (const [attribute, key] of attributes) member.signingKeys.set(attribute, key);
  }
  return member;
}

function laterOf(
  account: CborValue | undefined,
  earlier: CborValue | undefined,
): Required<Pick<IdentitySeeds, "account" | "earlierHpkeSeeds">> {
  const list: readonly CborValue[] = Array.isArray(earlier) ? earlier : [];
  if (!isBytes(account) || !Array.isArray(earlier) || !list.every(isBytes)) throw damaged();
  return { account, earlierHpkeSeeds: list as readonly Uint8Array[] };
}

/**
 * Seeds of keys that are to replace the member's, kept before the ledger hears of them. Those of an attempt that was cut
 * short are used again: its transaction may be in the chain.
 */
export async function pendingReplacement(vault: KeyVault, member: StoredMember): Promise<IdentitySeeds> {
  const pending = await vault.load(replacementFile);
  const fresh = replacingSeeds(member.account, member.seeds);
  if (pending === undefined) {
    await vault.save(replacementFile, [fresh.seed, fresh.hpkeSeed]);
    return fresh;
  }
  const [seed, hpkeSeed] = Array.isArray(pending) ? (pending as readonly CborValue[]) : [];
  if (!isBytes(seed) || !isBytes(hpkeSeed)) throw damaged();
  return { ...fresh, seed, hpkeSeed };
}

/** Keys that the ledger shows as the account's by now take the place of those that they replace. */
async function adoptReplacement(
  vault: KeyVault,
  pairing: Pairing,
  { member, ledger }: { readonly member: StoredMember; readonly ledger: Reader },
): Promise<StoredMember> {
  if ((await vault.load(replacementFile)) === undefined) return member;
  const next = await newMember(await pendingReplacement(vault, member));
  if (!(await isPresentKey(ledger, next))) return member;
  // After a crash right behind the saving they are there already.
  const isSaved = equalBytes(next.seed, member.seed);
  if (!isSaved) {
    await saveMemberKeys(vault, pairing, next);
    dropPendingKey(vault);
  }
  vault.remove(replacementFile);
  return isSaved ? member : next;
}

async function demandPresent(ledger: Reader, member: StoredMember): Promise<void> {
  const known = await readAccount(ledger, member.account);
  if (known === undefined || (await isPresentKey(ledger, member))) return;
  const height = await replacedAt(ledger, member.account);
  throw new ChartsealError("revoked", "the keys in this folder were replaced by others of the same account", {
    data: { account: toHex(member.account), height },
    hint: "Use the device with the new keys; where nobody of yours replaced them, see the guide on recovery.",
  });
}

async function adoptPending(
  vault: KeyVault,
  pairing: Pairing,
  { member, ledger }: { readonly member: StoredMember; readonly ledger: Reader },
): Promise<void> {
  const pending = await vault.load(pendingFile);
  if (pending === undefined) return;
  const [requestId, z] = Array.isArray(pending) ? (pending as readonly CborValue[]) : [];
  if (!isBytes(requestId) || !isBytes(z)) throw damaged();
  const live = await readEntry(ledger, entries.liveKey, member.account);
  if (live === undefined || !equalBytes(live.requestId, requestId)) return;
  member.recoveryKey = toBigInt(z);
  member.transformKeyId = live.keyId;
  await saveMemberKeys(vault, pairing, member);
  dropPendingKey(vault);
}
