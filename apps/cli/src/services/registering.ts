/**
 * What a home's services register of themselves: a hospital's namespace, at once where the home's validator decides alone
 * and by a vote in a consortium; and the provider of an institution, which the genesis names.
 */
import {
  AccountWriter,
  type Identity,
  identityOf,
  newIdentitySeeds,
  type Operator,
  proposeNamespace,
  type Registration,
  readAccount,
  registerNamespace,
  registerProposed,
  type Surroundings,
} from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";
import { loadNamespace, saveNamespace } from "./service-keys.ts";

/** A hospital's keys are in the vault before the ledger knows them. */
export async function registerHospital(
  surroundings: Surroundings,
  own: { readonly vault: KeyVault; readonly validatorSeed: Uint8Array; readonly name: string },
): Promise<Registration> {
  const { vault, validatorSeed, name } = own;
  const seeds = newIdentitySeeds();
  await registerNamespace(surroundings, {
    name,
    identity: await identityOf(seeds),
    admittedBy: [validatorSeed],
    saved: (secret) => saveNamespace(vault, { name, seeds, secret }),
  });
  return { registered: true };
}

/** The same in a consortium: proposed the first time, and every time after that taken as far as the votes allow. */
export async function proposeHospital(
  surroundings: Surroundings,
  own: { readonly vault: KeyVault; readonly operator: Operator; readonly name: string },
): Promise<Registration> {
  const { vault, operator, name } = own;
  const before = await loadNamespace(vault, name);
  if (before !== undefined) {
    const found = await registerProposed(surroundings, { name, identity: before.identity, operator });
    if (found !== undefined) return found;
    // What an earlier attempt said may be on its way still: the same keys serve whichever comes first.
    return await proposeNamespace(surroundings, { name, ...before, operator, saved: async () => {} });
  }
  const seeds = newIdentitySeeds();
  return await proposeNamespace(surroundings, {
    name,
    identity: await identityOf(seeds),
    operator,
    saved: (secret) => saveNamespace(vault, { name, seeds, secret }),
  });
}

/** Registers the home's own provider, which the genesis names, where it is not yet. @returns whether it did */
export async function registerOwnProvider(surroundings: Surroundings, provider: Identity): Promise<boolean> {
  const { publicKey, hpkePublic: hpkeKey, account } = provider;
  const known = await readAccount(surroundings.ledger, account);
  // An account of the genesis has no key to be sealed to before it is registered.
  if (known !== undefined && known.hpkeKey !== null) return false;
  await new AccountWriter(surroundings, provider).submit({ kind: "register-provider", publicKey, hpkeKey });
  return true;
}
