/** Identities: an Ed25519 account key and an X25519 key, both derived from stored seeds of 32 bytes. */
import { ed25519KeyPairFromSeed, hpkeKeyPairFromSeed, randomBytes } from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import type { Identity } from "./parties.ts";

/** The two secrets from which an identity follows; what key files store. */
export interface IdentitySeeds {
  readonly seed: Uint8Array;
  readonly hpkeSeed: Uint8Array;
}

export function newIdentitySeeds(): IdentitySeeds {
  return { seed: randomBytes(32), hpkeSeed: randomBytes(32) };
}

export async function identityOf({ seed, hpkeSeed }: IdentitySeeds): Promise<Identity> {
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  const hpke = await hpkeKeyPairFromSeed(hpkeSeed);
  return {
    account: accountOf(publicKey),
    seed,
    publicKey,
    hpkeSecret: hpke.privateKey,
    hpkePublic: hpke.publicKey,
  };
}
