/** rule: what a hospital may deposit about the owner, and for what it may be read. */
import { ChartsealError, fromHex, type Policy, parsePolicy, toHex } from "@chartseal/crypto";
import {
  appointmentFor,
  checkPurposes,
  listRules,
  namespaceExists,
  revokeRule,
  revokeRuleAsProxy,
  setRule,
  setRuleAsProxy,
  widerRecords,
  writersOf,
} from "@chartseal/sharing";
import type { Command } from "commander";
import { listMembers, type MemberFile, requireMember } from "../home/home.ts";
import { demandNamespaces } from "../operations/policies.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf, type ReadSession, type Session } from "../services/session.ts";
import { example, futureTime, purposeList, wholeNumberOf, writtenPolicy } from "./shared.ts";

interface SetOptions {
  readonly owner: string;
  readonly namespace: string;
  readonly policy: string;
  readonly writers?: string;
  readonly purposes?: string[];
  readonly expires?: string;
  readonly perDay?: string;
  readonly asProxy?: string;
}

interface CheckedRule {
  readonly policy: Policy;
  readonly writers: Policy;
  readonly purposes?: readonly string[];
  readonly expiresMs?: number;
  readonly perDay?: number;
}

async function demandNamespace(ledger: ReadSession["ledger"], namespace: string): Promise<void> {
  if (namespace === "self") {
    throw new ChartsealError("attribute-unknown", "self is no hospital and can have no rule", {
      hint: "What an owner deposits needs none.",
    });
  }
  if (await namespaceExists(ledger, namespace)) return;
  throw new ChartsealError("attribute-unknown", `there is no namespace ${namespace}`, {
    data: { namespace },
    hint: "chartseal namespace list shows them.",
  });
}

const revokeHint = "Give a time to come; chartseal rule revoke ends a rule now.";

/** Everything of a rule that needs no key. */
async function checkRuleOptions(
  { home, ledger, now }: ReadSession,
  options: SetOptions,
): Promise<CheckedRule> {
  const policy = writtenPolicy(home, options.policy);
  const writers = options.writers === undefined ? undefined : parsePolicy(options.writers);
  const purposes = options.purposes === undefined ? {} : { purposes: checkPurposes(options.purposes) };
  const expires =
    options.expires === undefined ? {} : { expiresMs: futureTime(options.expires, now(), revokeHint) };
  const perDay = options.perDay === undefined ? {} : { perDay: wholeNumberOf("--per-day", options.perDay) };
  await demandNamespace(ledger, options.namespace);
  await demandNamespaces(ledger, policy);
  const allowed = writersOf(options.namespace, policy, writers);
  requireMember(home, options.owner);
  if (options.asProxy !== undefined) requireMember(home, options.asProxy);
  return {
    policy,
    writers: allowed,
    ...purposes,
    ...expires,
    ...perDay,
  };
}

/** By the owner, or by its proxy. @returns the height */
async function submitRule(
  session: Session,
  { owner, namespace, asProxy }: SetOptions,
  checked: CheckedRule,
): Promise<number> {
  if (asProxy === undefined) {
    const { keys } = memberOf(session, owner);
    return (await setRule(session, { owner: keys, namespace, ...checked })).submitted.height;
  }
  const appointed = await rulesProxy(session, owner, asProxy);
  return (await setRuleAsProxy(session, { ...appointed, namespace, ...checked })).height;
}

/** The proxy's keys with the appointment under which it changes the owner's rules. @throws ChartsealError `proxy-missing` */
async function rulesProxy(session: Session, owner: string, name: string) {
  const { keys: proxy } = memberOf(session, name);
  const account = fromHex(requireMember(session.home, owner).account, 20);
  const asked = { owner: account, proxy: proxy.account, right: "rules" } as const;
  return { proxy, proxyId: (await appointmentFor(session, asked)).id };
}

export function addRuleCommands(program: Command): void {
  const group = program.command("rule").description("the owner's rules for hospitals: set, list, revoke");
  const set = group
    .command("set")
    .description("the rule for a hospital's records about the owner")
    .requiredOption("--owner <name>", "whose records")
    .requiredOption("--namespace <ns>", "the hospital")
    .requiredOption("--policy <p>", "who may read")
    .option("--writers <q>", "who may write; default: the policy, where all of it is the hospital's")
    .option("--purposes <codes>", "HL7 PurposeOfUse codes, comma-separated; default TREAT", purposeList)
    .option("--expires <time>", "RFC 3339 time, or a date, at which the rule ends")
    .option("--per-day <n>", "most deposits a day (default 50); 0: reading alone")
    .option("--as-proxy <name>", "set by the owner's proxy, with the proxy's keys")
    .action(async (options: SetOptions) => {
      const globals = globalsOf(set);
      let checked: CheckedRule | undefined;
      const check = async (session: ReadSession): Promise<void> => {
        checked = await checkRuleOptions(session, options);
      };
      const members = [options.asProxy ?? options.owner];
      const value = await writing(globals, { members, check }, async (session) => {
        if (checked === undefined) throw new ChartsealError("defect", "options were not checked");
        const { namespace } = options;
        const height = await submitRule(session, options, checked);
        const { policy, writers } = checked;
        const owner = fromHex(requireMember(session.home, options.owner).account, 20);
        const wider = await widerRecords(session.ledger, { owner, namespace, policy });
        const kept = wider.map(({ recordId, record }) => ({
          recordId: toHex(recordId),
          policy: record.policy,
        }));
        const rule = { owner: options.owner, namespace, policy: policy.text, writers: writers.text };
        const { purposes = ["TREAT"], perDay = 50, expiresMs } = checked;
        const expires = expiresMs === undefined ? null : new Date(expiresMs).toISOString();
        return { ...rule, height, wider: kept, purposes, expires, perDay };
      });
      for (const { recordId, policy } of value.wider) {
        globals.output.note(`Record ${recordId} keeps its policy (${policy}); chartseal rekey narrows it.`);
      }
      const text = `Rule of ${value.owner} for ${value.namespace}: ${value.policy}\n${termsText(value)}`;
      globals.output.value(value, text);
    });
  example(
    set,
    'chartseal rule set --owner alice --namespace cedars --policy "doctor@cedars and cardiology@cedars"',
  );
  addListAndRevoke(group);
}

interface RuleLine {
  readonly owner: string;
  readonly namespace: string;
  readonly policy: string;
  readonly writers: string;
  readonly purposes: readonly string[];
  readonly expires: string | null;
  readonly perDay: number;
  readonly height: number;
  readonly revoked: boolean;
}

/** What a rule says beside who may read, on a line of its own below it. */
function termsText({
  writers,
  purposes,
  expires,
  perDay,
}: Pick<RuleLine, "writers" | "purposes" | "expires" | "perDay">): string {
  const end = expires === null ? "no end" : `until ${expires}`;
  return `  written by ${writers}; for ${purposes.join(", ")}; ${end}; at most ${perDay} a day`;
}

/** One owner's rules as `rule list` prints them. */
async function rulesOf({ ledger }: ReadSession, { name, account }: MemberFile): Promise<RuleLine[]> {
  return (await listRules(ledger, fromHex(account, 20))).map(({ namespace, rule }) => ({
    owner: name,
    namespace,
    policy: rule.policy,
    writers: rule.writers,
    purposes: rule.purposes,
    expires: rule.expiresMs === null ? null : new Date(rule.expiresMs).toISOString(),
    perDay: rule.perDay,
    height: rule.height,
    revoked: rule.revokedHeight !== null,
  }));
}

function addListAndRevoke(group: Command): void {
  const list = group
    .command("list")
    .description("the owners' rules, of one owner or of all")
    .option("--owner <name>", "whose rules")
    .action(async (options: { owner?: string }) => {
      const globals = globalsOf(list);
      const value = await reading(globals, async (session) => {
        const { home } = session;
        const owners = options.owner === undefined ? listMembers(home) : [requireMember(home, options.owner)];
        return (await Promise.all(owners.map((owner) => rulesOf(session, owner)))).flat();
      });
      const text = value.map(
        ({ owner, namespace, policy, revoked, ...terms }) =>
          `${options.owner === undefined ? `${owner} ` : ""}${namespace}: ${policy}${revoked ? " (revoked)" : `\n${termsText(terms)}`}`,
      );
      globals.output.value(value, text.join("\n") || "No rules yet.");
    });
  example(list, "chartseal rule list --owner alice");
  const revoke = group
    .command("revoke")
    .description("revoke the rule for a hospital: it deposits nothing more and reads nothing under it")
    .requiredOption("--owner <name>", "whose rule")
    .requiredOption("--namespace <ns>", "the hospital")
    .option("--as-proxy <name>", "revoked by the owner's proxy, with the proxy's keys")
    .action(async (options: { owner: string; namespace: string; asProxy?: string }) => {
      const globals = globalsOf(revoke);
      const { owner, namespace, asProxy } = options;
      const check = async ({ home, ledger }: ReadSession): Promise<void> => {
        await demandNamespace(ledger, namespace);
        requireMember(home, owner);
      };
      const value = await writing(globals, { members: [asProxy ?? owner], check }, async (session) => {
        const { height } =
          asProxy === undefined
            ? await revokeRule(session, memberOf(session, owner).keys, namespace)
            : await revokeRuleAsProxy(session, {
                ...(await rulesProxy(session, owner, asProxy)),
                namespace,
              });
        return { owner, namespace, revoked: true, height };
      });
      globals.output.value(value, `The rule of ${owner} for ${namespace} is revoked.`);
    });
  example(revoke, "chartseal rule revoke --owner alice --namespace cedars");
}
