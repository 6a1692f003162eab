/**
 * Signing and checking by attributes against the ledger's current periods and lists (CRYPTO §3). What is signed is the
 * transaction's identifier; the statement also binds chain, kind and policy with its periods.
 */
import {
  ChartsealError,
  decodeNamespaceLists,
  decodeSignature,
  encodeSignature,
  missing,
  type NamespaceLists,
  namespaceOf,
  type Pairing,
  type Policy,
  type SigningKeys,
  type Statement as SigningStatement,
  satisfies,
  sign as signByAttributes,
  signingAttribute,
  spanProgram,
  unopenedPeriod,
  utf8,
  verify as verifyByAttributes,
} from "@chartseal/crypto";
import { entries, type Ledger, periodLabel, vouchKey } from "@chartseal/ledger";
import { readCommittee } from "./committee.ts";
import type { MemberKeys } from "./parties.ts";
import { type Reader, readEntry } from "./state.ts";

/** What is to be signed: a policy without `self` leaves, the kind of transaction, its identifier (32 bytes). */
export interface ToSign {
  readonly policy: Policy;
  readonly kind: string;
  readonly identifier: Uint8Array;
}

/** The current period of an attribute, as signing keys carry it; undefined where it was never granted, so that nobody has one. */
export async function currentPeriod(ledger: Reader, attribute: string): Promise<string | undefined> {
  const period = await readEntry(ledger, entries.period, utf8(attribute));
  return period === undefined ? undefined : periodLabel(period);
}

/**
 * The statement with today's periods and lists.
 * @throws ChartsealError `attribute-unknown` for a namespace that is not registered
 */
export async function statementOf(
  { ledger, pairing }: { readonly ledger: Reader & Pick<Ledger, "chainId">; readonly pairing: Pairing },
  { policy, kind, identifier }: ToSign,
): Promise<SigningStatement> {
  const { columns } = spanProgram(policy);
  const periods = new Map<string, string>();
  const namespaces = new Map<string, NamespaceLists>();
  for (const attribute of new Set(policy.attributes)) {
    const name = namespaceOf(attribute);
    if (!namespaces.has(name)) {
      const lists = await readEntry(ledger, entries.namespaceLists, utf8(name));
      if (lists === undefined) {
        throw new ChartsealError("attribute-unknown", `no hospital vouches for ${attribute}`, {
          data: { attribute },
        });
      }
      namespaces.set(name, decodeNamespaceLists(pairing, lists, columns));
    }
    periods.set(attribute, (await currentPeriod(ledger, attribute)) ?? unopenedPeriod);
  }
  return { policy, periods, namespaces, chainId: ledger.chainId, kind, message: identifier };
}

/** @throws ChartsealError `policy-unsatisfied` where the member's signing keys do not satisfy the policy */
export async function signWithAttributes(
  surroundings: { readonly ledger: Reader & Pick<Ledger, "chainId">; readonly pairing: Pairing },
  member: MemberKeys,
  toSign: ToSign,
): Promise<Uint8Array> {
  if (member.baseKey === null) {
    throw new ChartsealError("policy-unsatisfied", "this member has no signing keys yet", {
      hint: "An attribute granted by a hospital brings them.",
    });
  }
  const statement = await statementOf(surroundings, toSign);
  const keys: SigningKeys = { account: member.account, base: member.baseKey, attributes: member.signingKeys };
  return encodeSignature(surroundings.pairing, signByAttributes(surroundings.pairing, statement, keys));
}

/** Whether the signature proves the policy today; false for anything malformed. */
export async function provesPolicy(
  surroundings: { readonly ledger: Reader & Pick<Ledger, "chainId">; readonly pairing: Pairing },
  toSign: ToSign,
  signature: Uint8Array,
): Promise<boolean> {
  const { ledger, pairing } = surroundings;
  const statement = await statementOf(surroundings, toSign);
  const committee = await readCommittee(ledger, pairing);
  try {
    const decoded = decodeSignature(pairing, signature);
    return verifyByAttributes(pairing, committee.signing.publicKey, { ...statement, signature: decoded });
  } catch (error) {
    if (error instanceof ChartsealError && error.code === "encoding-invalid") return false;
    throw error;
  }
}

/**
 * Whether the member's signing keys satisfy the policy today, before anything is made or sent.
 * @throws ChartsealError `policy-unsatisfied` with data {missing: alternatives, each a list of attributes}
 */
export async function checkSigner(
  surroundings: { readonly ledger: Reader & Pick<Ledger, "chainId">; readonly pairing: Pairing },
  member: MemberKeys,
  policy: Policy,
): Promise<void> {
  const { periods } = await statementOf(surroundings, { policy, kind: "", identifier: new Uint8Array(32) });
  const held = new Set(
    policy.attributes.filter((one) =>
      member.signingKeys.has(signingAttribute(one, periods.get(one) ?? unopenedPeriod)),
    ),
  );
  if (satisfies(policy.tree, held)) return;
  const alternatives = missing(policy.tree, held);
  const lacking = alternatives[0] ?? [];
  const data = {
    policy: policy.text,
    missing: alternatives,
    grantedBy: [...new Set(lacking.map(namespaceOf))],
  };
  const hint = `Ask ${data.grantedBy.join(", ")} to grant ${lacking.length === 1 ? "it" : "them"}.`;
  const ended = await endedOf(surroundings.ledger, member.account, lacking);
  if (ended.length > 0 && ended.length === lacking.length) {
    const verb = ended.length === 1 ? "was" : "were";
    throw new ChartsealError("revoked", `${ended.join(", ")} ${verb} revoked`, { data, hint });
  }
  const verb = lacking.length === 1 ? "is" : "are";
  throw new ChartsealError(
    "policy-unsatisfied",
    `the policy is not satisfied: ${lacking.join(", ")} ${verb} missing`,
    {
      data,
      hint,
    },
  );
}

/** Which of the attributes the account held once and no longer does. */
export async function endedOf(
  ledger: Reader,
  account: Uint8Array,
  attributes: readonly string[],
): Promise<string[]> {
  const ended: string[] = [];
  for (const attribute of attributes) {
    const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
    if (vouch !== undefined && vouch.endedHeight !== null) ended.push(attribute);
  }
  return ended;
}
