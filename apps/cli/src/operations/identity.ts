/**
 * A namespace and its identity provider: settings, links of members, what follows from claims, and why somebody holds what.
 * The login waits for a person, so it happens before the home is locked; what it gives is taken under the lock.
 */
import { ChartsealError, fromHex, isSelf, namespaceOf, parseAttribute } from "@chartseal/crypto";
import type { BegunLogin, IdentityProvider, NamespaceIdentity, OidcSettings } from "@chartseal/oidc";
import {
  completeLink,
  type Link,
  type LinkPlace,
  type LinkReport,
  type LinkWish,
  type Login,
  type Mapping,
  mappingJson,
  matchText,
  namespaceExists,
  nonceOf,
  signLinkWish,
  type Vouching,
  type Why,
  whyOf,
} from "@chartseal/sharing";
import { findMember, type Home, memberNameOf, requireMember } from "../home/home.ts";
import type { KeyVault } from "../home/key-vault.ts";
import {
  hasIdentityProvider,
  type IdentitySettings,
  loadIdentitySettings,
  openLinks,
  saveIdentitySettings,
} from "../services/identity-store.ts";
import type { LoopbackRedirect } from "../services/loopback.ts";
import { loadMemberKeys } from "../services/member-keys.ts";
import { type OwnSession, type ReadSession, refreshKeys, type SessionMember } from "../services/session.ts";
import { openServiceVault } from "../services/vaults.ts";

/** @throws ChartsealError `attribute-unknown` */
export async function requireNamespace({ ledger }: ReadSession, name: string): Promise<void> {
  if (await namespaceExists(ledger, name)) return;
  throw new ChartsealError("attribute-unknown", `there is no namespace ${name}`, {
    data: { namespace: name },
  });
}

/** @throws ChartsealError `attribute-unknown`; `input-invalid` for a namespace without an identity provider */
export async function requireIdentityProvider(session: ReadSession, name: string): Promise<void> {
  await requireNamespace(session, name);
  if (hasIdentityProvider(session.home.paths.service, name)) return;
  throw new ChartsealError("input-invalid", `${name} has no identity provider`, {
    hint: `Set it with chartseal namespace oidc set ${name}.`,
  });
}

/** What is shown of the settings: never the secret. */
export function settingsValue(
  namespace: string,
  { oidc, mapping }: IdentitySettings,
  links: number,
): unknown {
  const { issuer, clientId, clientSecret, scopes } = oidc;
  const secret = clientSecret === null ? "none" : "kept";
  return { namespace, issuer, clientId, clientSecret: secret, scopes, links, mapping: mappingJson(mapping) };
}

/**
 * Keeps what is given. Another issuer or client while members are linked would make all of them strangers at once.
 * @throws ChartsealError `input-invalid`
 */
export async function setIdentityProvider(
  vault: KeyVault,
  namespace: string,
  settings: { readonly oidc: OidcSettings; readonly mapping: Mapping },
): Promise<unknown> {
  const { checkSettings } = await import("@chartseal/oidc");
  checkSettings(settings.oidc);
  const links = await followed(vault, namespace);
  const { issuer, clientId } = settings.oidc;
  if (links.some((link) => link.issuer !== issuer || link.clientId !== clientId)) {
    throw new ChartsealError("input-invalid", "members are linked through another provider or client", {
      data: { links: links.length },
      hint: "End those links first: chartseal namespace unlink.",
    });
  }
  await saveIdentitySettings(vault, namespace, settings);
  return settingsValue(namespace, settings, links.length);
}

export async function showIdentityProvider(vault: KeyVault, namespace: string): Promise<unknown> {
  const settings = await settingsOf(vault, namespace);
  return settingsValue(namespace, settings, (await followed(vault, namespace)).length);
}

async function settingsOf(vault: KeyVault, namespace: string): Promise<IdentitySettings> {
  const settings = await loadIdentitySettings(vault, namespace);
  if (settings !== undefined) return settings;
  throw new ChartsealError("input-invalid", `${namespace} has no identity provider`);
}

async function followed(vault: KeyVault, namespace: string): Promise<Link[]> {
  const store = openLinks(vault, namespace);
  const links: Link[] = [];
  for (const account of await store.accounts()) {
    const link = await store.get(account);
    if (link !== undefined && link.state !== "unlinked") links.push(link);
  }
  return links;
}

async function discover({ oidc }: IdentitySettings, now: () => number): Promise<IdentityProvider> {
  const { IdentityProvider } = await import("@chartseal/oidc");
  return await IdentityProvider.discover(oidc, now);
}

async function vouchingOf(session: OwnSession, namespace: string): Promise<Vouching> {
  const { mapping } = await settingsOf(session.vault, namespace);
  const hospital = await session.hospital(namespace);
  if (hospital === undefined) {
    throw new ChartsealError("input-invalid", `the keys of ${namespace} are not in this home`);
  }
  return { surroundings: session, hospital, store: openLinks(session.vault, namespace), mapping };
}

/** A finished login, before the home is locked. */
export interface LoggedIn {
  readonly place: LinkPlace;
  readonly wish: LinkWish;
  readonly login: Login;
}

/**
 * The member's wish and the login at the provider. `come` gives the address that the browser was sent back to.
 * @throws ChartsealError `identity-refused`, `identity-unreachable`, `passphrase-wrong`
 */
export async function logIn(
  session: ReadSession,
  options: {
    readonly namespace: string;
    readonly member: string;
    /** The service vault and the member's. */
    readonly vaults: readonly KeyVault[];
    readonly come: (begun: BegunLogin, redirect: LoopbackRedirect) => Promise<URL>;
  },
): Promise<LoggedIn> {
  const { pairing, ledger, now } = session;
  const [service, own] = options.vaults as [KeyVault, KeyVault];
  const settings = await settingsOf(service, options.namespace);
  const { issuer, clientId } = settings.oidc;
  const place = { chainId: ledger.chainId, namespace: options.namespace, issuer, clientId };
  const wish = signLinkWish(place, await loadMemberKeys(own, pairing, ledger));
  const provider = await discover(settings, now);
  const redirect = await (await import("../services/loopback.ts")).LoopbackRedirect.open();
  try {
    const begun = await provider.begin({ redirectUri: redirect.redirectUri, nonce: nonceOf(place, wish) });
    const login = await provider.finish(begun, await options.come(begun, redirect));
    return { place, wish, login };
  } finally {
    await redirect.close();
  }
}

/** Takes the login, vouches, and issues what the claims brought. @throws ChartsealError `identity-refused` */
export async function linkMember(
  session: OwnSession,
  member: SessionMember,
  { place, wish, login }: LoggedIn,
): Promise<LinkReport> {
  const vouching = await vouchingOf(session, place.namespace);
  const report = await completeLink(vouching, { place, wish, login });
  if (report.revoked.length > 0) await session.provider.follow();
  await refreshKeys(session, member);
  return report;
}

/** A link's report as scripts see it. */
export function reportValue(home: Home, { account, ...report }: LinkReport): Record<string, unknown> {
  return { member: memberNameOf(home, account) ?? null, account, ...report };
}

/** A namespace's links as a service of this process. */
export async function identityOf(session: OwnSession, namespace: string): Promise<NamespaceIdentity> {
  const { NamespaceIdentity } = await import("@chartseal/oidc");
  return new NamespaceIdentity({
    settings: async () => (await settingsOf(session.vault, namespace)).oidc,
    vouching: () => vouchingOf(session, namespace),
    revoked: () => session.provider.follow(),
  });
}

/**
 * Reads the claims of every linked member, or of one, and does what follows.
 * @throws ChartsealError `identity-unreachable`, and then nothing was changed
 */
export async function syncNamespace(
  session: OwnSession,
  namespace: string,
  member?: string,
): Promise<Record<string, unknown>[]> {
  const only = member === undefined ? undefined : requireMember(session.home, member).account;
  const reports = await (await identityOf(session, namespace)).sync(only);
  return reports.map((report) => reportValue(session.home, report));
}

/** @throws ChartsealError `input-invalid` for a member that is not linked */
export async function unlinkMember(
  session: OwnSession,
  namespace: string,
  member: string,
): Promise<Record<string, unknown>> {
  const { account } = requireMember(session.home, member);
  const report = await (await identityOf(session, namespace)).unlink(account);
  if (report !== undefined) return reportValue(session.home, report);
  throw new ChartsealError("input-invalid", `${member} is not linked at ${namespace}`);
}

/** @throws ChartsealError `input-invalid` for what is no attribute, or one that the member never held */
export function checkWhy({ home }: ReadSession, member: string, attribute: string | undefined): void {
  requireMember(home, member);
  if (attribute !== undefined) parseAttribute(attribute);
}

/** Whether a hospital of this home has evidence, so that a key is needed to see it. */
export function hasEvidence({ home }: ReadSession, namespaces: readonly string[]): boolean {
  return namespaces.some((name) => hasIdentityProvider(home.paths.service, name));
}

/** `passphrase`: of the service vault, asked for where there is evidence alone. */
export async function whyMember(
  session: ReadSession,
  options: {
    readonly member: string;
    readonly attribute?: string;
    readonly passphrase?: () => Promise<string>;
  },
): Promise<Why[]> {
  const { member, attribute, passphrase } = options;
  const { home, ledger } = session;
  const { account } = findMember(home, member)!;
  const vault = passphrase === undefined ? undefined : await openServiceVault(home, await passphrase());
  const linkOf = async (namespace: string): Promise<Link | null | undefined> => {
    if (vault === undefined) return null;
    return (await openLinks(vault, namespace).get(account)) ?? null;
  };
  const reasons = await whyOf(ledger, fromHex(account, 20), { linkOf, ...(attribute && { attribute }) });
  if (attribute !== undefined && reasons.length === 0) {
    throw new ChartsealError("input-invalid", `${member} never held ${attribute}`, {
      data: { member, attribute },
    });
  }
  return attribute === undefined ? reasons.filter((one) => !isSelf(one.attribute)) : reasons;
}

const reasonTexts: Record<NonNullable<Why["revoked"]>["reason"], string> = {
  "claim-gone": "the claim was gone",
  "mapping-changed": "the mapping no longer says so",
  "identity-gone": "the identity provider no longer knows the identity",
  unlinked: "the link was ended",
  "by-hand": "by hand",
};

/** Who ended a vouch, which need not be who brought it. */
function endText({ by, attribute, revoked }: Why): string {
  if (by === "unknown" || by === "self" || revoked === null) return "revoked";
  if (revoked.reason === "by-hand") return `revoked by hand, by ${namespaceOf(attribute)}`;
  return "revoked through the identity provider";
}

export function whyLines(reason: Why): string[] {
  const { attribute, standing, by, vouch, match, identity, revoked } = reason;
  const at = (act: { height: number; transaction: string }): string =>
    `block ${act.height}, transaction ${act.transaction.slice(0, 16)}`;
  const grounds: Record<Why["by"], string> = {
    mapping: "by the identity provider",
    "mapping-and-hand": "by the identity provider, and granted by hand",
    hand: "granted by hand",
    self: "the account's own word",
    unknown: "the namespace's evidence is not here",
  };
  return [
    `${attribute}: ${standing ? "in force, " : `${endText(reason)}; before, `}${grounds[by]}`,
    ...(match === null ? [] : [`  ${matchText(match)}`]),
    ...(identity === null ? [] : [`  identity ${identity.subject} at ${identity.issuer}`]),
    `  vouched for at ${at(vouch)}`,
    ...(revoked === null ? [] : [`  revoked at ${at(revoked)}: ${reasonTexts[revoked.reason]}`]),
  ];
}

/** A reason as scripts see it. */
export function whyValue(member: string, reason: Why): Record<string, unknown> {
  const { match } = reason;
  return { member, ...reason, match: match === null ? null : { ...match, text: matchText(match) } };
}
