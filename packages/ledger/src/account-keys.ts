/**
 * A new key for an account that stays the same: what the new key signs to show that somebody holds it, Ed25519 over
 * ledger/new-key ‖ chain id ‖ account ‖ X25519 key. Without it anybody could move an account to a key that nobody has, or
 * to a stranger's.
 */
import { fixed, type HashPart, signTagged, verifyTagged } from "@chartseal/crypto";

export interface NewKey {
  readonly chainId: Uint8Array;
  /** The account that gets the key. */
  readonly account: Uint8Array;
  /** The X25519 key that comes with it. */
  readonly hpkeKey: Uint8Array;
}

function parts({ chainId, account, hpkeKey }: NewKey): HashPart[] {
  return [fixed(chainId), fixed(account), fixed(hpkeKey)];
}

/** 64 bytes. `seed`: the new key's. */
export function signNewKey(seed: Uint8Array, key: NewKey): Uint8Array {
  return signTagged(seed, "ledger/new-key", ...parts(key));
}

export function verifyNewKey(publicKey: Uint8Array, proof: Uint8Array, key: NewKey): boolean {
  return verifyTagged(publicKey, proof, "ledger/new-key", ...parts(key));
}
