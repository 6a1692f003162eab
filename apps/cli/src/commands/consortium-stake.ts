/** consortium bond, delegate, unbond, withdraw, unjail: weight on its way to a validator and back, and the end of a jail. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import {
  accountWriter,
  type Held,
  type Moved,
  type OperatorWriter,
  StakeHolder,
  validatorsOf,
} from "@chartseal/sharing";
import type { Command } from "commander";
import { type Globals, globalsOf } from "../program-globals.ts";
import { writing } from "../run.ts";
import { memberOf, type Session } from "../services/session.ts";
import { example } from "./shared.ts";

interface StakeOptions {
  readonly as?: string;
  readonly validator?: string;
}

export function addStakeCommands(group: Command): void {
  addBond(group);
  addDelegate(group);
  addUnbond(group);
  addWithdraw(group);
  addUnjail(group);
}

const asOption = ["--as <member>", "a member of this home, instead of this home's validator"] as const;
const validatorOption = ["--validator <key>", "which one, where the account has to do with several"] as const;

function addBond(group: Command): void {
  const command = group
    .command("bond <amount>")
    .description("make free weight power of a validator; by its operator")
    .option(...asOption)
    .option(...validatorOption)
    .action(async (amount: string, options: StakeOptions) => {
      await moving(globalsOf(command), { options, amount, verb: "Bonded" }, (holder, validator, weight) =>
        holder.bond({ validator, amount: weight }),
      );
    });
  example(command, "chartseal consortium bond 5");
}

function addDelegate(group: Command): void {
  const command = group
    .command("delegate <validator> <amount>")
    .description("put free weight behind another's validator")
    .option(...asOption)
    .action(async (validator: string, amount: string, { as }: StakeOptions) => {
      const options = as === undefined ? { validator } : { as, validator };
      await moving(globalsOf(command), { options, amount, verb: "Delegated" }, (holder, key, weight) =>
        holder.delegate({ validator: key, amount: weight }),
      );
    });
  example(command, "chartseal consortium delegate 5f0c… 5 --as carol");
}

function addUnbond(group: Command): void {
  const command = group
    .command("unbond <amount>")
    .description("take weight back: its power goes at once, the weight is free after the delay")
    .option(...asOption)
    .option(...validatorOption)
    .action(async (amount: string, options: StakeOptions) => {
      await moving(globalsOf(command), { options, amount, verb: "Unbonded" }, (holder, validator, weight) =>
        holder.unbond({ validator, amount: weight }),
      );
    });
  example(command, "chartseal consortium unbond 5");
}

function addWithdraw(group: Command): void {
  const command = group
    .command("withdraw")
    .description("make weight free that was unbonded and has waited long enough")
    .option(...asOption)
    .option(...validatorOption)
    .action(async (options: StakeOptions) => {
      await moving(globalsOf(command), { options, verb: "Withdrawn" }, (holder, validator) =>
        holder.withdraw(validator),
      );
    });
  example(command, "chartseal consortium withdraw");
}

function addUnjail(group: Command): void {
  const command = group
    .command("unjail")
    .description("bring a validator back that was jailed for absence, when its time is over; by its operator")
    .option(...asOption)
    .option(...validatorOption)
    .action(async (options: StakeOptions) => {
      await moving(globalsOf(command), { options, verb: "Out of jail" }, (holder, validator) =>
        holder.unjail(validator),
      );
    });
  example(command, "chartseal consortium unjail");
}

interface Movement {
  readonly options: StakeOptions;
  readonly amount?: string;
  /** How the line for people begins. */
  readonly verb: string;
}

async function moving(
  globals: Globals,
  { options, amount, verb }: Movement,
  act: (holder: StakeHolder, validator: Uint8Array, weight: number) => Promise<Moved>,
): Promise<void> {
  let weight = 0;
  const check = (): void => {
    if (amount !== undefined) weight = weightOf(amount);
    if (options.validator !== undefined) keyOf(options.validator);
  };
  const members = options.as === undefined ? [] : [options.as];
  const done = await writing(globals, { members, check }, async (session) => {
    const holder = holderOf(session, options.as);
    const validator = await validatorFor(session, holder.account, options.validator);
    const moved = await act(new StakeHolder(session, holder), validator, weight);
    return { ...moved, validator, account: holder.account };
  });
  const value = {
    validator: toHex(done.validator),
    account: toHex(done.account),
    ...(amount === undefined ? {} : { amount: weight }),
    ...done.held,
    height: done.submitted.height,
  };
  const what = amount === undefined ? verb : `${verb} ${weight}`;
  globals.output.value(value, `${what}: validator ${value.validator}, ${heldText(done.held)}.`);
}

/** The home's own validator, or a member. */
function holderOf(session: Session, as: string | undefined): OperatorWriter {
  return as === undefined ? session.operating : accountWriter(session, memberOf(session, as).keys);
}

/** @throws ChartsealError `input-invalid` */
async function validatorFor(
  session: Session,
  account: Uint8Array,
  named: string | undefined,
): Promise<Uint8Array> {
  if (named !== undefined) return keyOf(named);
  const [own, ...others] = await validatorsOf(session, account);
  if (own !== undefined && others.length === 0) return own.publicKey;
  const what = own === undefined ? "no validator" : "several validators";
  throw new ChartsealError("input-invalid", `the account ${toHex(account)} has to do with ${what}`, {
    hint: "Name one with --validator; chartseal consortium list shows their keys.",
  });
}

/** @throws ChartsealError `input-invalid` */
function keyOf(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, 32);
  throw new ChartsealError("input-invalid", "a validator's key is 64 hex digits");
}

/** @throws ChartsealError `input-invalid` */
function weightOf(text: string): number {
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
  throw new ChartsealError("input-invalid", `weight is a whole number from 1, not ${JSON.stringify(text)}`);
}

function heldText({ bonded, free, unbonding }: Held): string {
  const waiting = unbonding.map(
    ({ amount, releaseMs }) => `, ${amount} free from ${new Date(releaseMs).toISOString()}`,
  );
  return `${bonded} bonded${waiting.join("")}, ${free} free`;
}
