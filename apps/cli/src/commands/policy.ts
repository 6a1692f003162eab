/** policy check and explain: canonical form, warnings, who can read and what is missing. */
import { type Policy, warnings } from "@chartseal/crypto";
import type { Command } from "commander";
import { requireMember } from "../home/home.ts";
import { demandNamespaces, holdersOf, standing } from "../operations/policies.ts";
import { globalsOf } from "../program-globals.ts";
import { reading } from "../run.ts";
import type { ReadSession } from "../services/session.ts";
import { example, writtenPolicy } from "./shared.ts";

interface PolicyReport {
  readonly policy: string;
  readonly attributes: readonly string[];
  readonly warnings: readonly string[];
  readonly satisfied?: boolean;
  readonly missing?: readonly (readonly string[])[];
  readonly holders?: Readonly<Record<string, number>>;
}

async function report(
  { home, ledger }: ReadSession,
  text: string,
): Promise<{ policy: Policy; value: PolicyReport }> {
  const policy = writtenPolicy(home, text);
  await demandNamespaces(ledger, policy);
  const holders = await holdersOf(ledger, policy);
  const found = warnings(policy, { holders });
  const attributes = [...new Set(policy.attributes)];
  return {
    policy,
    value: { policy: policy.text, attributes, warnings: found.map(({ message }) => message) },
  };
}

export function addPolicyCommands(program: Command): void {
  const group = program.command("policy").description("check and explain policies");
  const check = group
    .command("check <policy>")
    .description("canonical form and warnings")
    .action(async (text: string) => {
      const globals = globalsOf(check);
      const { value } = await reading(globals, (session) => report(session, text));
      const lines = [value.policy, ...value.warnings.map((warning) => `warning: ${warning}`)];
      globals.output.value(value, lines.join("\n"));
    });
  example(check, 'chartseal policy check "2 of (doctor@cedars, nurse@cedars, pharmacist@cedars)"');
  const explain = group
    .command("explain <policy>")
    .description("who can read, what a member is missing and who can grant it")
    .option("--for <member>", "the member to explain it for")
    .action(async (text: string, options: { for?: string }) => {
      const globals = globalsOf(explain);
      const value = await reading(globals, async (session): Promise<PolicyReport> => {
        const { policy, value: base } = await report(session, text);
        const holders = Object.fromEntries(await holdersOf(session.ledger, policy));
        if (options.for === undefined) return { ...base, holders };
        const { account } = requireMember(session.home, options.for);
        return { ...base, holders, ...(await standing(session.ledger, policy, account)) };
      });
      globals.output.value(value, explainText(value, options.for));
    });
  example(explain, 'chartseal policy explain "doctor@cedars and cardiology@cedars" --for bob');
}

function explainText(value: PolicyReport, member: string | undefined): string {
  const lines = [value.policy];
  for (const [attribute, count] of Object.entries(value.holders ?? {})) {
    lines.push(`  ${attribute}: held by ${count === 1 ? "one member" : `${count} members`}`);
  }
  if (member !== undefined)
    lines.push(value.satisfied === true ? `${member} can read this.` : `${member} cannot read this.`);
  for (const set of value.missing ?? []) {
    const hospitals = [...new Set(set.map((one) => one.slice(one.indexOf("@") + 1)))];
    lines.push(`  missing: ${set.join(", ")} (${hospitals.join(", ")} can grant it)`);
  }
  return [...lines, ...value.warnings.map((warning) => `warning: ${warning}`)].join("\n");
}
