/**
 * What a namespace keeps about its identity provider, sealed in the service vault: its settings with the client's secret
 * and the mapping (`identity/NS/settings.sealed`), and one link an account (`identity/NS/links/ACCOUNT.sealed`) with refresh
 * token and evidence.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, toHex } from "@chartseal/crypto";
import type { OidcSettings } from "@chartseal/oidc";
import {
  grantedByHand,
  type Hands,
  type Link,
  type LinkStore,
  type Mapping,
  mappingJson,
  parseMapping,
  revokedByHand,
} from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";

export interface IdentitySettings {
  readonly oidc: OidcSettings;
  readonly mapping: Mapping;
}

function settingsFile(namespace: string): string {
  return `identity/${namespace}/settings.sealed`;
}

async function loadText(vault: KeyVault, name: string): Promise<unknown> {
  const value = await vault.load(name);
  if (value === undefined) return undefined;
  if (typeof value === "string") return JSON.parse(value);
  throw new ChartsealError("chain-altered", "a file of the namespace is damaged", {
    hint: "Restore it from a backup.",
  });
}

export async function saveIdentitySettings(
  vault: KeyVault,
  namespace: string,
  { oidc, mapping }: IdentitySettings,
): Promise<void> {
  await vault.save(settingsFile(namespace), JSON.stringify({ oidc, mapping: mappingJson(mapping) }));
}

export async function loadIdentitySettings(
  vault: KeyVault,
  namespace: string,
): Promise<IdentitySettings | undefined> {
  const value = (await loadText(vault, settingsFile(namespace))) as { oidc: OidcSettings; mapping: unknown };
  if (value === undefined) return undefined;
  return { oidc: value.oidc, mapping: parseMapping(value.mapping, namespace) };
}

/** Whether a namespace of this home follows an identity provider; needs no key. */
export function hasIdentityProvider(serviceFolder: string, namespace: string): boolean {
  return existsSync(join(serviceFolder, settingsFile(namespace)));
}

/** The links of one namespace. */
export function openLinks(vault: KeyVault, namespace: string): LinkStore {
  const folder = `identity/${namespace}/links`;
  const file = (account: string): string => `${folder}/${account}.sealed`;
  return {
    get: async (account) => (await loadText(vault, file(account))) as Link | undefined,
    put: (link) => vault.save(file(link.account), JSON.stringify(link)),
    remove: async (account) => void vault.remove(file(account)),
    accounts: async () => {
      const path = join(vault.folder, folder);
      if (!existsSync(path)) return [];
      return readdirSync(path)
        .sort()
        .flatMap((name) => /^([0-9a-f]{40})\.sealed$/.exec(name)?.[1] ?? []);
    },
  };
}

/** What is done by hand at a hospital of this home is kept apart from what claims bring. */
export function handsOf(links: LinkStore): Hands {
  const noting =
    (note: typeof grantedByHand) => async (account: Uint8Array, attributes: readonly string[]) => {
      const link = await links.get(toHex(account));
      if (link !== undefined) await links.put(note(link, attributes));
    };
  return { granted: noting(grantedByHand), revoked: noting(revokedByHand) };
}
