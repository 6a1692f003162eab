/**
 * A member's secrets in its folder's vault: the identity's seeds, the recovery key z with the id of its transform key,
 * the base key and the signing keys. A z whose issue was not finished is kept apart until the ledger says which counts.
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
} from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { type IdentitySeeds, identityOf, type MemberKeys, type Reader, readEntry } from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";

const keysFile = "keys.sealed";
const pendingFile = "pending-key.sealed";

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

export async function saveMemberKeys(vault: KeyVault, pairing: Pairing, member: StoredMember): Promise<void> {
  const { seeds, account, recoveryKey, transformKeyId, baseKey, signingKeys } = member;
  await vault.save(keysFile, [
    1,
    seeds.seed,
    seeds.hpkeSeed,
    recoveryKey === null ? null : fromBigInt(recoveryKey, 32),
    transformKeyId,
    baseKey === null ? null : encodeSigningKeys(pairing, { account, base: baseKey, attributes: signingKeys }),
  ]);
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

/** Loads the keys; a pending z is adopted where the ledger shows its issue as the live key. */
export async function loadMemberKeys(
  vault: KeyVault,
  pairing: Pairing,
  ledger: Reader,
): Promise<StoredMember> {
  const value = await vault.load(keysFile);
  if (!Array.isArray(value) || value.length !== 6 || value[0] !== 1) throw damaged();
  const [, seed, hpkeSeed, recoveryKey, transformKeyId, signing] = value as readonly CborValue[];
  if (!isBytes(seed) || !isBytes(hpkeSeed)) throw damaged();
  const member = await newMember({ seed, hpkeSeed });
  const z = orNull(recoveryKey);
  const keys = orNull(signing);
  member.recoveryKey = z === null ? null : toBigInt(z);
  member.transformKeyId = orNull(transformKeyId);
  if (keys !== null) {
    const { base, attributes } = decodeSigningKeys(pairing, keys);
    member.baseKey = base;
    for (const [attribute, key] of attributes) member.signingKeys.set(attribute, key);
  }
  await adoptPending(vault, pairing, { member, ledger });
  return member;
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
