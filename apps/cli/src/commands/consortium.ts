/** consortium: validators with their stake, and proposals: made, voted on, executed, every ballot on the ledger. */
import { ChartsealError, equalBytes, fromHex, toHex } from "@chartseal/crypto";
import type { Action, Submitted } from "@chartseal/ledger";
import { type ConsortiumInfo, type Operator, readConsortium, type ValidatorInfo } from "@chartseal/sharing";
import type { Command } from "commander";
import { actionValue, proposedAction } from "../operations/proposed-action.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { addStakeCommands } from "./consortium-stake.ts";
import { durationOf, example } from "./shared.ts";

export function addConsortiumCommands(program: Command): void {
  const group = program
    .command("consortium")
    .description("who holds stake, and what is voted on: list, bond, delegate, propose, vote, …");
  addList(group);
  addStakeCommands(group);
  addPropose(group);
  addVote(group);
  addExecute(group);
}

function addList(group: Command): void {
  const list = group
    .command("list")
    .description("validators with their stake, and every proposal with its ballots")
    .action(async () => {
      const globals = globalsOf(list);
      const info = await reading(globals, (session) => readConsortium(session));
      globals.output.value(shown(info), textOf(info));
    });
  example(list, "chartseal consortium list");
}

function shown({ validators, proposals, parameters }: ConsortiumInfo): object {
  return {
    validators: validators.map(({ publicKey, operator, bonds, unbonding, ...rest }) => ({
      publicKey: toHex(publicKey),
      operator: toHex(operator),
      ...rest,
      bonds: bonds.map(({ account, amount }) => ({ account: toHex(account), amount })),
      unbonding: unbonding.map(({ account, ...bond }) => ({ account: toHex(account), ...bond })),
    })),
    proposals: proposals.map(({ id, proposer, action, ...rest }) => ({
      id: toHex(id),
      proposer: toHex(proposer),
      action: actionValue(action),
      ...rest,
    })),
    parameters,
  };
}

function textOf({ validators, proposals }: ConsortiumInfo): string {
  const all = validators.reduce((sum, { power }) => sum + power, 0);
  const members = validators.flatMap((one) => validatorLines(one, all));
  const votes = proposals.map(
    (one) =>
      `proposal   ${toHex(one.id)}  ${one.action.kind}  ${one.outcome}  ${one.inFavour} for, ${one.against} against, of ${one.all}  ${one.note}`,
  );
  return [...members, ...votes].join("\n");
}

/** One line, and one for each bond where others have any, and for each on its way out. */
function validatorLines(validator: ValidatorInfo, all: number): string[] {
  const { publicKey, operator, power, bonded, jailed, unjailFromMs, free, bonds, unbonding } = validator;
  const parts = [
    `validator  ${toHex(publicKey)}  ${power} of ${all}${power === bonded ? "" : ` (${bonded} bonded)`}`,
  ];
  if (free > 0) parts.push(`${free} free`);
  if (jailed === "left") parts.push("left");
  else if (jailed !== "no") parts.push(`jailed for ${jailed}${unjailText(unjailFromMs)}`);
  const delegated = bonds.some(({ account }) => !equalBytes(account, operator)) ? bonds : [];
  return [
    parts.join("  "),
    ...delegated.map(({ account, amount }) => `  bonded     ${toHex(account)}  ${amount}`),
    ...unbonding.map(
      ({ account, amount, releaseMs }) =>
        `  unbonding  ${toHex(account)}  ${amount}, free from ${new Date(releaseMs).toISOString()}`,
    ),
  ];
}

function unjailText(fromMs: number | null): string {
  return fromMs === null ? "" : `, may come back from ${new Date(fromMs).toISOString()}`;
}

/** By the home's own validator. */
async function operating(
  globals: Globals,
  check: () => void,
  act: (operator: Operator) => Promise<Submitted>,
): Promise<Submitted> {
  return await writing(globals, { check }, ({ operator }) => act(operator));
}

/** @throws ChartsealError `input-invalid` */
function proposalId(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, 32);
  throw new ChartsealError("input-invalid", "a proposal's id is 64 hex digits");
}

function addPropose(group: Command): void {
  const propose = group
    .command("propose <kind> [fields...]")
    .description("propose what a vote decides, its fields as name=value; by this home's validator")
    .requiredOption("--note <text>", "why, for the others to read")
    .option("--for <time>", "how long it may be voted on", "7d")
    .action(async (kind: string, fields: string[], options: { note: string; for: string }) => {
      const globals = globalsOf(propose);
      let wanted: { action: Action; forMs: number } | undefined;
      const check = (): void => {
        wanted = { action: proposedAction(kind, fields), forMs: durationOf("--for", options.for) };
      };
      const { note } = options;
      const { identifier, height } = await operating(globals, check, (operator) =>
        operator.propose(wanted!.action, { note, forMs: wanted!.forMs }),
      );
      const id = toHex(identifier);
      globals.output.value({ proposalId: id, kind, height }, `Proposed: ${id}`);
    });
  example(propose, 'chartseal consortium propose lift-jail publicKey=5f0c… --note "a mistake"');
}

function addVote(group: Command): void {
  const vote = group
    .command("vote <proposal>")
    .description("vote for a proposal, or against it; by this home's validator, once")
    .option("--against", "vote against it")
    .action(async (proposal: string, { against }: { against?: boolean }) => {
      const globals = globalsOf(vote);
      const inFavour = against !== true;
      const { height } = await operating(
        globals,
        () => void proposalId(proposal),
        (operator) => operator.vote(proposalId(proposal), inFavour),
      );
      const value = { proposalId: proposal, inFavour, height };
      globals.output.value(value, `Voted ${inFavour ? "for" : "against"} ${proposal}.`);
    });
  example(vote, "chartseal consortium vote 5f0c…");
}

function addExecute(group: Command): void {
  const execute = group
    .command("execute <proposal>")
    .description("do what more than two thirds of the stake voted for")
    .action(async (proposal: string) => {
      const globals = globalsOf(execute);
      const { height } = await operating(
        globals,
        () => void proposalId(proposal),
        (operator) => operator.execute(proposalId(proposal)),
      );
      globals.output.value({ proposalId: proposal, height }, `Executed ${proposal}.`);
    });
  example(execute, "chartseal consortium execute 5f0c…");
}
