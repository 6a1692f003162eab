/** Identities: an Ed25519 account key and an X25519 key, both derived from stored seeds of 32 bytes. */
import { ed25519KeyPairFromSeed, hpkeKeyPairFromSeed, randomBytes } from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import type { Identity } from "./parties.ts";

/** The secrets from which an identity follows; what key files store. */
export interface IdentitySeeds {
  readonly seed: Uint8Array;
  readonly hpkeSeed: Uint8Array;
  /** Where the key is not the account's first one, whose hash the account is. */
  readonly account?: Uint8Array;
  /** Of the X25519 keys that the account replaced, newest first. */
  readonly earlierHpkeSeeds?: readonly Uint8Array[];
}

export function newIdentitySeeds(): IdentitySeeds {
  return { seed: randomBytes(32), hpkeSeed: randomBytes(32) };
}

/** Seeds of new keys for an account that has keys already, or had them where only the account is known. */
export function replacingSeeds(account: Uint8Array, former?: IdentitySeeds): IdentitySeeds {
  const earlier = former === undefined ? [] : [former.hpkeSeed, ...(former.earlierHpkeSeeds ?? [])];
  return { ...newIdentitySeeds(), account, earlierHpkeSeeds: earlier };
}

export async function identityOf(seeds: IdentitySeeds): Promise<Identity> {
  const { seed, hpkeSeed, earlierHpkeSeeds = [] } = seeds;
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  const hpke = await hpkeKeyPairFromSeed(hpkeSeed);
  const earlier = await Promise.all(earlierHpkeSeeds.map(hpkeKeyPairFromSeed));
  return {
    account: seeds.account ?? accountOf(publicKey),
    seed,
    publicKey,
    hpkeSecret: hpke.privateKey,
    hpkePublic: hpke.publicKey,
    ...(earlier.length === 0 ? {} : { earlierHpkeSecrets: earlier.map(({ privateKey }) => privateKey) }),
  };
}
