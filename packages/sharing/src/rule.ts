/**
 * The owner's rule for a hospital (CONTRACT, Who may): what that hospital may deposit about the owner, under which author
 * policy, and for which purposes it may be read. A new policy does not change old records: `widerRecords` lists those.
 */
import {
  ChartsealError,
  checkAuthorPolicy,
  extendsRule,
  fromUtf8,
  namespaceOf,
  type Policy,
  parsePolicy,
} from "@chartseal/crypto";
import {
  type ActionOf,
  entries,
  type Ledger,
  lists,
  type RecordValue,
  type RuleValue,
  type Submitted,
} from "@chartseal/ledger";
import type { Identity, Surroundings } from "./parties.ts";
import { checkPurposes } from "./purposes.ts";
import { readEntry, readList, readRule } from "./state.ts";
import { AccountWriter } from "./submit.ts";

export interface RuleOptions {
  readonly owner: Identity;
  readonly namespace: string;
  readonly policy: Policy;
  readonly writers?: Policy;
  readonly purposes?: readonly string[];
  readonly expiresMs?: number;
  readonly perDay?: number;
}

/** The author policy of a rule: as given, else the policy where all its leaves are the namespace's. */
export function writersOf(namespace: string, policy: Policy, writers: Policy | undefined): Policy {
  if (writers === undefined) {
    if (policy.attributes.every((attribute) => namespaceOf(attribute) === namespace)) return policy;
    throw new ChartsealError("input-invalid", `the policy names more than ${namespace}: say who may write`, {
      hint: `Give --writers with attributes of ${namespace}.`,
    });
  }
  checkAuthorPolicy(writers, namespace);
  return writers;
}

/** A rule as transactions carry it, and who may write under it. @throws ChartsealError `input-invalid` */
export function ruleFields(options: Omit<RuleOptions, "owner">): {
  readonly writers: Policy;
  readonly fields: Omit<ActionOf<"set-rule">, "kind">;
} {
  const { namespace, policy, purposes = ["TREAT"], expiresMs, perDay = 50 } = options;
  const writers = writersOf(namespace, policy, options.writers);
  checkPurposes(purposes);
  const texts = { policy: policy.text, writers: writers.text };
  return { writers, fields: { namespace, ...texts, purposes, expiresMs: expiresMs ?? null, perDay } };
}

/** Sets the rule in force from the next block on. */
export async function setRule(
  surroundings: Surroundings,
  options: RuleOptions,
): Promise<{ readonly submitted: Submitted; readonly writers: Policy }> {
  const { writers, fields } = ruleFields(options);
  const writer = new AccountWriter(surroundings, options.owner);
  const submitted = await writer.submit({ kind: "set-rule", ...fields });
  return { submitted, writers };
}

export async function revokeRule(
  surroundings: Surroundings,
  owner: Identity,
  namespace: string,
): Promise<Submitted> {
  return await new AccountWriter(surroundings, owner).submit({ kind: "revoke-rule", namespace });
}

/** The owner's rules, in force or revoked, by namespace. */
export async function listRules(
  ledger: Pick<Ledger, "read">,
  owner: Uint8Array,
): Promise<readonly { readonly namespace: string; readonly rule: RuleValue }[]> {
  const names = (await readList(ledger, lists.rulesOfOwner, owner)).map(fromUtf8);
  const rules: { namespace: string; rule: RuleValue }[] = [];
  for (const namespace of names) {
    const rule = await readRule(ledger, owner, namespace);
    if (rule !== undefined) rules.push({ namespace, rule });
  }
  return rules;
}

/** Records of the owner deposited under the namespace's rule whose policy the new rule would not allow: for `rekey`. */
export async function widerRecords(
  ledger: Pick<Ledger, "read">,
  options: { readonly owner: Uint8Array; readonly namespace: string; readonly policy: Policy },
): Promise<readonly { readonly recordId: Uint8Array; readonly record: RecordValue }[]> {
  const wider: { recordId: Uint8Array; record: RecordValue }[] = [];
  for (const recordId of await readList(ledger, lists.recordsOfOwner, options.owner)) {
    const record = await readEntry(ledger, entries.record, recordId);
    if (record === undefined || record.namespace !== options.namespace || record.erasedHeight !== null)
      continue;
    if (!extendsRule(parsePolicy(record.policy), options.policy)) wider.push({ recordId, record });
  }
  return wider;
}
