/**
 * A member's client: enrolment, keys for the full set of its attributes, signing keys of the current periods. Issuing
 * again needs no hospital on line: vouches stand on the ledger (CRYPTO §2.2).
 */
import {
  ChartsealError,
  checkAttributeKeys,
  decodeNamespaceLists,
  decodeSigningKeys,
  equalBytes,
  fromUtf8,
  hpkeOpen,
  namespaceOf,
  selfAttribute,
  selfNamespace,
  signingAttribute,
  toHex,
  utf8,
} from "@chartseal/crypto";
import { entries, lists, vouchKey } from "@chartseal/ledger";
import { readCommittee } from "./committee.ts";
import { openBaseKey, requestKey, withAnswers } from "./issue.ts";
import { attributesInForce, signingKeysInfo } from "./namespace.ts";
import type { AuthorityNode, MemberKeys, NamespaceService, Provider, Surroundings } from "./parties.ts";
import { currentPeriod } from "./signing.ts";
import { type Reader, readEntry, readList } from "./state.ts";
import { AccountWriter } from "./submit.ts";

/** Enrols an account and vouches for its own ACCOUNT@self. */
export async function enrol(surroundings: Surroundings, member: MemberKeys): Promise<void> {
  const writer = new AccountWriter(surroundings, member);
  await writer.submit({ kind: "enrol", publicKey: member.publicKey, hpkeKey: member.hpkePublic });
  await writer.submit({
    kind: "vouch",
    namespace: selfNamespace,
    account: member.account,
    attributes: [selfAttribute(toHex(member.account))],
    mode: "transform",
    digest: null,
  });
}

/**
 * One new transform key for the full set of attributes in force; the earlier key stays live until the ledger takes the
 * new one. The member's recovery key changes with it.
 */
export async function renewTransformKey(
  surroundings: Surroundings,
  options: {
    readonly member: MemberKeys;
    readonly nodes: readonly AuthorityNode[];
    readonly provider: Provider;
    /** Called with the new secrets before the provider announces the key, so that a crash cannot lose z. */
    readonly saved: (secrets: { recoveryKey: bigint; requestId: Uint8Array }) => Promise<void>;
  },
): Promise<{ readonly attributes: readonly string[] }> {
  const { member, nodes, provider } = options;
  const attributes = await attributesInForce(surroundings.ledger, member.account);
  const asked = await requestKey(surroundings, { member, attributes, provider: provider.account });
  await options.saved(asked);
  const { reading } = await readCommittee(surroundings.ledger, surroundings.pairing);
  const { requestId, recoveryKey } = asked;
  await withAnswers(nodes, reading.threshold, {
    ask: (node) => node.answer(requestId),
    use: (answers) => provider.takeIssue({ requestId, answers }),
  });
  // Which key is live the ledger says, not the provider.
  const live = await readEntry(surroundings.ledger, entries.liveKey, member.account);
  if (live === undefined || !equalBytes(live.requestId, requestId)) {
    throw new ChartsealError("issue-invalid", "the provider has not made the new key the live one");
  }
  member.recoveryKey = recoveryKey;
  member.transformKeyId = live.keyId;
  return { attributes };
}

/**
 * Whether a vouch in force was given since the account's live key was issued, so that a new key would hold more: as
 * where a hospital's identity provider brought an attribute while nobody was there.
 */
export async function isKeyBehind(ledger: Reader, account: Uint8Array): Promise<boolean> {
  const live = await readEntry(ledger, entries.liveKey, account);
  if (live === undefined) return true;
  const asked = new Set((await readEntry(ledger, entries.keyRequest, live.requestId))?.attributes);
  for (const attribute of (await readList(ledger, lists.vouchesOfAccount, account)).map(fromUtf8)) {
    const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
    const stands = vouch?.endedHeight === null;
    if (stands && (vouch.height > live.height || !asked.has(attribute))) return true;
  }
  return false;
}

/** K_base, once in a member's life. */
export async function collectBaseKey(
  surroundings: Surroundings,
  options: { readonly member: MemberKeys; readonly nodes: readonly AuthorityNode[] },
): Promise<void> {
  const { member, nodes } = options;
  const { signing } = await readCommittee(surroundings.ledger, surroundings.pairing);
  member.baseKey = await withAnswers(nodes, signing.threshold, {
    ask: (node) => node.basePartial(member.account),
    use: (answers) => openBaseKey(surroundings, { member, answers }),
  });
}

/**
 * Collects signing keys of current periods for every attribute in force that the member lacks one for; keys of periods
 * that have passed, or of revoked attributes, go. True where anything changed.
 */
export async function refreshSigningKeys(
  surroundings: Surroundings,
  options: {
    readonly member: MemberKeys;
    /** The namespace's service, where it can be reached. */
    readonly namespace: (name: string) => Promise<NamespaceService | undefined>;
  },
): Promise<boolean> {
  const { ledger } = surroundings;
  const { member } = options;
  if (member.baseKey === null) return false;
  const wanted = new Set<string>();
  for (const attribute of await attributesInForce(ledger, member.account)) {
    const period =
      namespaceOf(attribute) === selfNamespace ? undefined : await currentPeriod(ledger, attribute);
    if (period !== undefined) wanted.add(signingAttribute(attribute, period));
  }
  let changed = false;
  for (const held of [...member.signingKeys.keys()]) {
    if (!wanted.has(held)) changed = member.signingKeys.delete(held) || changed;
  }
  const lacking = [...wanted].filter((one) => !member.signingKeys.has(one));
  const hospitals = new Set(lacking.map((one) => namespaceOf(one.slice(0, one.indexOf("#")))));
  for (const name of hospitals) {
    const service = await options.namespace(name);
    if (service === undefined) continue;
    await collectFrom(surroundings, member, service);
    changed = true;
  }
  return changed;
}

async function collectFrom(
  { ledger, pairing }: Surroundings,
  member: MemberKeys,
  service: NamespaceService,
): Promise<void> {
  const { account, baseKey: base } = member;
  if (base === null) return;
  const sealed = await service.signingKeys({ account, baseKey: pairing.g1.encode(base) });
  const info = signingKeysInfo(ledger.chainId, service.name, account);
  const opened = await hpkeOpen({ privateKey: member.hpkeSecret, info, sealed });
  const fault = (): ChartsealError =>
    new ChartsealError("issue-invalid", `${service.name} sent signing keys that are not for this member`);
  if (opened === null) throw fault();
  const received = decodeSigningKeys(pairing, opened);
  if (!equalBytes(received.account, account) || !pairing.g1.equal(received.base, base)) throw fault();
  const lists = await readEntry(ledger, entries.namespaceLists, utf8(service.name));
  if (lists === undefined) throw fault();
  checkAttributeKeys(pairing, received, new Map([[service.name, decodeNamespaceLists(pairing, lists, 1)]]));
  for (const [attribute, key] of received.attributes) member.signingKeys.set(attribute, key);
}
