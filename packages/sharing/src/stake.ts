/**
 * Stake as its holders move it (rules/stake.ts of the ledger): weight of an account that becomes a validator's power and
 * comes back, and an operator that ends its validator's jail. What is bonded is the account's own all the time.
 */
import { equalBytes } from "@chartseal/crypto";
import { type Action, entries, type Submitted } from "@chartseal/ledger";
import type { OperatorWriter } from "./consortium.ts";
import { readConsortium, type ValidatorInfo } from "./consortium.ts";
import type { Surroundings } from "./parties.ts";
import { type Reader, readEntry } from "./state.ts";

/** What an account has, altogether and behind one validator. */
export interface Held {
  /** Bonded to nobody. */
  readonly free: number;
  readonly bonded: number;
  /** On its way out: of no power any more, free at that block time, ms. */
  readonly unbonding: readonly { readonly amount: number; readonly releaseMs: number }[];
}

export interface Moved {
  readonly submitted: Submitted;
  /** As it stands afterwards. */
  readonly held: Held;
}

export interface Weight {
  /** Its consensus key. */
  readonly validator: Uint8Array;
  readonly amount: number;
}

export class StakeHolder {
  readonly #surroundings: Pick<Surroundings, "ledger" | "now">;
  readonly #writer: OperatorWriter;

  constructor(surroundings: Pick<Surroundings, "ledger" | "now">, writer: OperatorWriter) {
    this.#surroundings = surroundings;
    this.#writer = writer;
  }

  /** By the validator's operator. @throws ChartsealError `input-invalid`, `transaction-refused` */
  bond({ validator, amount }: Weight): Promise<Moved> {
    return this.#move({ kind: "bond", validator, amount });
  }

  /** By anybody else with weight. @throws ChartsealError `input-invalid`, `transaction-refused` */
  delegate({ validator, amount }: Weight): Promise<Moved> {
    return this.#move({ kind: "delegate", validator, amount });
  }

  /** The power goes at once, the weight is free after the delay. @throws ChartsealError `input-invalid`, `transaction-refused` */
  unbond({ validator, amount }: Weight): Promise<Moved> {
    return this.#move({ kind: "unbond", validator, amount });
  }

  /** Takes back what has waited long enough. @throws ChartsealError `input-invalid`, `transaction-refused` */
  withdraw(validator: Uint8Array): Promise<Moved> {
    return this.#move({ kind: "withdraw-weight", validator });
  }

  /** By the operator, after an absence. @throws ChartsealError `input-invalid`, `transaction-refused` */
  unjail(validator: Uint8Array): Promise<Moved> {
    return this.#move({ kind: "unjail", validator });
  }

  async #move(action: Extract<Action, { readonly validator: Uint8Array }>): Promise<Moved> {
    const submitted = await this.#writer.submit(action);
    const { ledger } = this.#surroundings;
    const held = await readHeld(ledger, { validator: action.validator, account: this.#writer.account });
    return { submitted, held };
  }
}

/** Behind a validator that something was moved at, which the state holds from then on. */
async function readHeld(
  ledger: Reader,
  { validator, account }: { readonly validator: Uint8Array; readonly account: Uint8Array },
): Promise<Held> {
  const free = (await readEntry(ledger, entries.weight, account))?.free ?? 0;
  const value = await readEntry(ledger, entries.validator, validator);
  const own = <T extends { readonly account: Uint8Array }>(all: readonly T[] = []): T[] =>
    all.filter((one) => equalBytes(one.account, account));
  return {
    free,
    bonded: own(value?.bonds).reduce((sum, { amount }) => sum + amount, 0),
    unbonding: own(value?.unbonding).map(({ amount, releaseMs }) => ({ amount, releaseMs })),
  };
}

/** The validators that an account operates or has weight behind. */
export async function validatorsOf(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  account: Uint8Array,
): Promise<readonly ValidatorInfo[]> {
  const { validators } = await readConsortium(surroundings);
  const isOwn = (one: { readonly account: Uint8Array }): boolean => equalBytes(one.account, account);
  return validators.filter(
    ({ operator, bonds, unbonding }) =>
      equalBytes(operator, account) || bonds.some(isOwn) || unbonding.some(isOwn),
  );
}
