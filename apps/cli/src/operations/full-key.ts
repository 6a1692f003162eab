/**
 * keys full: an audited full key of a member, kept sealed in its vault (CRYPTO §2.2, §2.3). In the embedded home the
 * hospitals answer in this process; each vouches for this one issue, on the ledger, for all to see.
 */
import {
  type CborValue,
  ChartsealError,
  isSelf,
  namespaceOf,
  type Pairing,
  selfNamespace,
} from "@chartseal/crypto";
import {
  attributesInForce,
  decodeFullKey,
  encodeFullKey,
  type FullKey,
  issueFullKey,
} from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";
import type { Session, SessionMember } from "../services/session.ts";

const file = "full-key.sealed";
/** Earlier keys stay: a record of before may need them. */
const keysMax = 16;

export interface FullKeyIssued {
  readonly member: string;
  readonly attributes: readonly string[];
  readonly keyId: Uint8Array;
  readonly height: number;
}

/** The full keys of a vault, newest first. @throws ChartsealError `chain-altered` where the file was damaged */
export async function loadFullKeys(vault: KeyVault, pairing: Pairing): Promise<FullKey[]> {
  const value = await vault.load(file);
  if (value === undefined) return [];
  const [version, keys] = Array.isArray(value) ? (value as readonly CborValue[]) : [];
  if (version !== 1 || !Array.isArray(keys)) {
    throw new ChartsealError("chain-altered", "the file of full keys is damaged", {
      hint: "Restore the member's folder from a backup.",
    });
  }
  return (keys as readonly CborValue[]).map((key) => decodeFullKey(pairing, key));
}

/** Keeps a key before the ledger hears of it; a key whose attributes the new one covers goes. */
async function saveFullKey(vault: KeyVault, pairing: Pairing, full: FullKey): Promise<void> {
  const covered = ({ key }: FullKey): boolean => [...key.k2.keys()].every((one) => full.key.k2.has(one));
  const earlier = (await loadFullKeys(vault, pairing)).filter((one) => !covered(one));
  const kept = [full, ...earlier].slice(0, keysMax);
  await vault.save(file, [1, kept.map((one) => encodeFullKey(pairing, one))]);
}

/** What a full key would hold: the attributes named, else all in force whose hospital can vouch. @throws ChartsealError */
async function wantedAttributes(
  session: Session,
  member: SessionMember,
  named: readonly string[],
): Promise<string[]> {
  const standing = (await attributesInForce(session.ledger, member.keys.account)).filter(
    (one) => !isSelf(one),
  );
  const stranger = named.find((one) => !standing.includes(one) && namespaceOf(one) !== selfNamespace);
  if (stranger !== undefined) {
    throw new ChartsealError("input-invalid", `${member.name} does not hold ${stranger}`, {
      data: { member: member.name, attributes: standing },
    });
  }
  return named.length === 0 ? standing : named.filter((one) => standing.includes(one));
}

/** Issues a full key for ACCOUNT@self and the attributes. @throws ChartsealError `input-invalid`, `issue-invalid`, … */
export async function issueFull(
  session: Session,
  member: SessionMember,
  named: readonly string[] = [],
): Promise<FullKeyIssued> {
  const attributes = await wantedAttributes(session, member, named);
  const { account } = member.keys;
  const issued = await issueFullKey(session, {
    member: member.keys,
    attributes,
    nodes: session.nodes,
    vouch: async (namespace, group, digest) => {
      const service = await session.namespace(namespace);
      if (service === undefined) {
        throw new ChartsealError("issue-refused", `${namespace} cannot be asked to vouch for a full key`);
      }
      await service.vouchFull(account, group, digest);
    },
    saved: (full) => saveFullKey(member.vault, session.pairing, full),
  });
  return { member: member.name, ...issued };
}
