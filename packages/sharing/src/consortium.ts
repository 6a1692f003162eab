/**
 * The consortium's own affairs (DESIGN, decision 2): who holds how much stake, what is proposed and how the ballots stand;
 * and an operator's part in it: to propose, to vote, to execute.
 */
import { ChartsealError, ed25519KeyPairFromSeed, encode, equalBytes } from "@chartseal/crypto";
import {
  type Action,
  type ActionKind,
  accountOf,
  actionTable,
  ballotKey,
  bondedTo,
  type Codec,
  decodeBody,
  decodeProposed,
  emptyKey,
  entries,
  lists,
  type StakeParameters,
  type Submitted,
  stakeParametersOf,
} from "@chartseal/ledger";
import type { Identity, Surroundings } from "./parties.ts";
import { type Reader, readEntry, readList } from "./state.ts";
import { AccountWriter } from "./submit.ts";

export interface ValidatorInfo {
  readonly publicKey: Uint8Array;
  readonly operator: Uint8Array;
  /** In force now; 0 while it is jailed or gone. */
  readonly power: number;
  readonly bonded: number;
  readonly jailed: "no" | "absence" | "equivocation" | "left";
  /** From when its operator may end the jail, ms of block time; null where it cannot. */
  readonly unjailFromMs: number | null;
  /** The operator's own weight that it may bond. */
  readonly free: number;
  readonly bonds: readonly { readonly account: Uint8Array; readonly amount: number }[];
  /** On its way out: of no power any more, free at that block time. */
  readonly unbonding: readonly {
    readonly account: Uint8Array;
    readonly amount: number;
    readonly releaseMs: number;
  }[];
}

export interface ProposalInfo {
  readonly id: Uint8Array;
  readonly action: Action;
  readonly note: string;
  readonly proposer: Uint8Array;
  readonly lapsesMs: number;
  readonly outcome: "open" | "executed" | "lapsed";
  /** Power of validators in force, by the stakes of now. */
  readonly inFavour: number;
  readonly against: number;
  readonly all: number;
}

export interface ConsortiumInfo {
  readonly validators: readonly ValidatorInfo[];
  readonly proposals: readonly ProposalInfo[];
  readonly parameters: StakeParameters;
}

/** All of it at the head. */
export async function readConsortium({
  ledger,
  now,
}: Pick<Surroundings, "ledger" | "now">): Promise<ConsortiumInfo> {
  const stored = await readEntry(ledger, entries.stakeParameters, emptyKey);
  const parameters = stored ?? stakeParametersOf({ get: () => undefined });
  const validators = await readValidators(ledger, parameters);
  return { validators, proposals: await readProposals(ledger, { validators, nowMs: now() }), parameters };
}

async function readValidators(ledger: Reader, { jailMs }: StakeParameters): Promise<ValidatorInfo[]> {
  const inForce = (await readEntry(ledger, entries.validators, emptyKey)) ?? [];
  const listed = await readList(ledger, lists.validators);
  const keys = listed.length > 0 ? listed : inForce.map(({ publicKey }) => publicKey);
  const validators: ValidatorInfo[] = [];
  for (const publicKey of keys) {
    const power = inForce.find((one) => equalBytes(one.publicKey, publicKey))?.stake ?? 0;
    const value = await readEntry(ledger, entries.validator, publicKey);
    const operator = value?.operator ?? accountOf(publicKey);
    const jailed = value?.jailed ?? "no";
    validators.push({
      publicKey,
      operator,
      power,
      bonded: value === undefined ? power : bondedTo(value),
      jailed,
      unjailFromMs: value !== undefined && jailed === "absence" ? value.jailedMs + jailMs : null,
      free: (await readEntry(ledger, entries.weight, operator))?.free ?? 0,
      bonds: value?.bonds ?? [{ account: operator, amount: power }],
      unbonding: value?.unbonding ?? [],
    });
  }
  return validators;
}

async function readProposals(
  ledger: Reader,
  { validators, nowMs }: { readonly validators: readonly ValidatorInfo[]; readonly nowMs: number },
): Promise<ProposalInfo[]> {
  const proposals: ProposalInfo[] = [];
  for (const id of await readList(ledger, lists.proposals)) {
    const value = await readEntry(ledger, entries.proposal, id);
    if (value === undefined) throw new ChartsealError("chain-altered", "a proposal of the list is missing");
    let [inFavour, against, all] = [0, 0, 0];
    for (const { publicKey, power } of validators) {
      const ballot = await readEntry(ledger, entries.ballot, ballotKey(id, publicKey));
      all += power;
      if (ballot?.inFavour === true) inFavour += power;
      if (ballot?.inFavour === false) against += power;
    }
    const { note, proposer, lapsesMs, executedHeight } = value;
    const outcome = executedHeight !== null ? "executed" : lapsesMs <= nowMs ? "lapsed" : "open";
    const action = decodeProposed(value.action);
    proposals.push({ id, action, note, proposer, lapsesMs, outcome, inFavour, against, all });
  }
  return proposals;
}

/** What an operator says on the ledger; a service signs nothing else for whoever acts in its name. */
export const operatorActions: readonly ActionKind[] = [
  ...(["propose", "vote", "execute"] as const),
  ...(["bond", "delegate", "unbond", "withdraw-weight", "unjail"] as const),
];

/** Signs and submits for an account: with its key, or through the service that holds it. */
export interface OperatorWriter {
  /** 20 bytes. */
  readonly account: Uint8Array;
  submit(action: Action): Promise<Submitted>;
}

/** With the key of an operator, or of whoever holds weight. */
export function accountWriter(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  identity: Pick<Identity, "account" | "seed">,
): OperatorWriter & Pick<AccountWriter, "submitBody"> {
  const writer = new AccountWriter(surroundings, identity);
  return {
    account: identity.account,
    submit: (action) => writer.submit(action),
    submitBody: (body) => writer.submitBody(body),
  };
}

/** Of a validator of the genesis: its operator is the consensus key's own account. `seed`: 32 bytes. */
export function operatorWriter(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  seed: Uint8Array,
): ReturnType<typeof accountWriter> {
  return accountWriter(surroundings, { seed, account: accountOf(ed25519KeyPairFromSeed(seed).publicKey) });
}

/** Signs and submits for an operator what another process asks, and nothing but its own actions. @throws ChartsealError `input-invalid` */
export async function submitOperation(
  writer: Pick<AccountWriter, "submitBody">,
  body: Uint8Array,
): Promise<Submitted> {
  if (operatorActions.includes(decodeBody(body).action.kind)) return await writer.submitBody(body);
  throw new ChartsealError("input-invalid", "this is nothing that an operator does");
}

/** A validator's operator. */
export class Operator {
  readonly #surroundings: Pick<Surroundings, "ledger" | "now">;
  readonly #writer: OperatorWriter;

  constructor(surroundings: Pick<Surroundings, "ledger" | "now">, writer: OperatorWriter) {
    this.#surroundings = surroundings;
    this.#writer = writer;
  }

  /** 20 bytes. */
  get account(): Uint8Array {
    return this.#writer.account;
  }

  /** @returns with the proposal's id as its identifier. @throws ChartsealError `input-invalid`, `transaction-refused` */
  async propose(
    action: Action,
    { note, forMs }: { readonly note: string; readonly forMs: number },
  ): Promise<Submitted> {
    const { ledger, now } = this.#surroundings;
    const lapsesMs = Math.max(now(), (await ledger.head()).timestampMs) + forMs;
    return await this.#writer.submit({ kind: "propose", action: encodeProposed(action), lapsesMs, note });
  }

  /** @throws ChartsealError `input-invalid`, `transaction-refused` */
  vote(proposalId: Uint8Array, inFavour: boolean): Promise<Submitted> {
    return this.#writer.submit({ kind: "vote", proposalId, inFavour });
  }

  /** @throws ChartsealError `input-invalid`, `transaction-refused` */
  execute(proposalId: Uint8Array): Promise<Submitted> {
    return this.#writer.submit({ kind: "execute", proposalId });
  }
}

/** An action as a proposal holds it. @throws ChartsealError `encoding-invalid` for fields outside their limits */
export function encodeProposed(action: Action): Uint8Array {
  const [number, fields] = actionTable[action.kind];
  return encode([number, (fields as unknown as Codec<unknown>).write(action)]);
}
