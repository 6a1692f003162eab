/** consortium: validators with their stake, and proposals: made, voted on, executed, every ballot on the ledger. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import type { Action, Submitted } from "@chartseal/ledger";
import { type ConsortiumInfo, Operator, readConsortium } from "@chartseal/sharing";
import type { Command } from "commander";
import { actionValue, proposedAction } from "../operations/proposed-action.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { ownSession } from "../services/session.ts";
import { durationOf, example } from "./shared.ts";

export function addConsortiumCommands(program: Command): void {
  const group = program
    .command("consortium")
    .description("who holds stake, and what is voted on: list, propose, vote, execute");
  addList(group);
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
    validators: validators.map(({ publicKey, operator, ...rest }) => ({
      publicKey: toHex(publicKey),
      operator: toHex(operator),
      ...rest,
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
  const members = validators.map(({ publicKey, power, bonded, jailed }) => {
    const state = jailed === "no" ? "" : jailed === "left" ? "  left" : `  jailed for ${jailed}`;
    return `validator  ${toHex(publicKey)}  ${power} of ${all}${power === bonded ? "" : ` (${bonded} bonded)`}${state}`;
  });
  const votes = proposals.map(
    (one) =>
      `proposal   ${toHex(one.id)}  ${one.action.kind}  ${one.outcome}  ${one.inFavour} for, ${one.against} against, of ${one.all}  ${one.note}`,
  );
  return [...members, ...votes].join("\n");
}

/** By the home's own validator. */
async function operating(
  globals: Globals,
  check: () => void,
  act: (operator: Operator) => Promise<Submitted>,
): Promise<Submitted> {
  return await writing(globals, { check }, (session) => {
    const { validatorSeed } = ownSession(session);
    return act(new Operator(session, { seed: validatorSeed }));
  });
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
