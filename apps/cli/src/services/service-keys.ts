/**
 * The keys of the services that an embedded home runs: the validator that makes blocks, the provider, the committee's
 * nodes, the hospitals' namespaces. One sealed file each in the service vault; over a network each lives at its own
 * institution (apps/server).
 */
import {
  type CborValue,
  ChartsealError,
  decodeNamespaceSecret,
  decodeNodeShare,
  ed25519KeyPairFromSeed,
  encodeNamespaceSecret,
  encodeNodeShare,
  type NamespaceSecret,
} from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import {
  type Identity,
  type IdentitySeeds,
  identityOf,
  type NodeAccount,
  type NodeShares,
} from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";

function fields(value: CborValue | undefined, count: number): readonly Uint8Array[] {
  const whole =
    Array.isArray(value) && value.length === count && value.every((item) => item instanceof Uint8Array);
  if (whole) return value as readonly Uint8Array[];
  throw new ChartsealError("chain-altered", "a key file of the home is missing or damaged", {
    hint: "Restore the home from a backup.",
  });
}

export async function saveValidatorSeed(vault: KeyVault, seed: Uint8Array): Promise<void> {
  await vault.save("validator.sealed", [seed]);
}

export async function loadValidatorSeed(vault: KeyVault): Promise<Uint8Array> {
  return fields(await vault.load("validator.sealed"), 1)[0]!;
}

export async function saveProviderSeeds(vault: KeyVault, { seed, hpkeSeed }: IdentitySeeds): Promise<void> {
  await vault.save("provider.sealed", [seed, hpkeSeed]);
}

export async function loadProvider(vault: KeyVault): Promise<Identity> {
  const [seed, hpkeSeed] = fields(await vault.load("provider.sealed"), 2);
  return await identityOf({ seed: seed!, hpkeSeed: hpkeSeed! });
}

export async function saveNode(
  vault: KeyVault,
  node: { readonly index: number; readonly seeds: IdentitySeeds; readonly shares: NodeShares },
): Promise<void> {
  const { seeds, shares, index } = node;
  const parts = [shares.reading, shares.signing, shares.audit].map(encodeNodeShare);
  await vault.save(nodeFile(index), [seeds.seed, seeds.hpkeSeed, ...parts]);
}

/** A node of the home's own; its shares are in its store (node-store.ts) once the committee has changed. */
export async function loadNode(
  vault: KeyVault,
  index: number,
): Promise<{ readonly identity: NodeAccount; readonly first: FirstShares | undefined }> {
  const value = await vault.load(nodeFile(index));
  const moved = Array.isArray(value) && value.length === 1;
  const [seed, hpkeSeed, reading, signing, audit] = fields(value, moved ? 1 : 5);
  const { publicKey } = ed25519KeyPairFromSeed(seed!);
  const identity = { account: accountOf(publicKey), seed: seed!, publicKey };
  if (moved) return { identity, first: undefined };
  const shares = {
    reading: decodeNodeShare(reading!),
    signing: decodeNodeShare(signing!),
    audit: decodeNodeShare(audit!),
  };
  return { identity, first: { shares, hpkeSeed: hpkeSeed! } };
}

/** What `init` left of a node: the shares of the first epoch and the seed of the key that they came under. */
export interface FirstShares {
  readonly shares: NodeShares;
  readonly hpkeSeed: Uint8Array;
}

const nodeFile = (index: number): string => `node-${index}.sealed`;

/** The node's shares are in its store from here on, and nowhere else: what `init` left must not outlive their epoch. */
export async function dropFirstShares(vault: KeyVault, index: number, { seed }: NodeAccount): Promise<void> {
  await vault.save(nodeFile(index), [seed]);
}

/** A hospital's seeds are saved before its registration, so that a crash between cannot lose a registered key. */
export async function saveNamespace(
  vault: KeyVault,
  namespace: { readonly name: string; readonly seeds: IdentitySeeds; readonly secret: NamespaceSecret },
): Promise<void> {
  const { name, seeds, secret } = namespace;
  await vault.save(`namespace-${name}.sealed`, [seeds.seed, seeds.hpkeSeed, encodeNamespaceSecret(secret)]);
}

export async function loadNamespace(
  vault: KeyVault,
  name: string,
): Promise<{ readonly identity: Identity; readonly secret: NamespaceSecret } | undefined> {
  const value = await vault.load(`namespace-${name}.sealed`);
  if (value === undefined) return undefined;
  const [seed, hpkeSeed, secret] = fields(value, 3);
  const identity = await identityOf({ seed: seed!, hpkeSeed: hpkeSeed! });
  return { identity, secret: decodeNamespaceSecret(secret!) };
}
