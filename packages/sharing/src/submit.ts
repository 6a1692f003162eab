/**
 * Transactions signed by an account: numbered in order, naming the newest verified block, valid for ten minutes
 * (CRYPTO §3.1, §5). A writer numbers as it sends, so that several may be under way at once.
 */
import { ChartsealError, type ErrorCode, errorCodes, hasCode, randomBytes } from "@chartseal/crypto";
import {
  type Action,
  type Admission,
  type Authorisation,
  emptyKey,
  encodeBody,
  encodeTransaction,
  entries,
  type Ledger,
  type Submitted,
  signAdmission,
  signAsAccount,
  signOneTime,
} from "@chartseal/ledger";
import type { Identity, Surroundings } from "./parties.ts";
import { readEntry } from "./state.ts";

/** How long a transaction may wait for its block, in ms; the ledger takes at most an hour. */
export const validForMs = 600_000;
const validSpreadMs = 600_000;
/** How often a transaction is numbered again after another writer of its account took its number. */
const attemptsMax = 8;
/** Longest wait for a block that frees a number. */
const blockMsMax = 10_000;

/** How old a block is that an anonymous transaction names, so that the naming tells nobody apart (CRYPTO §5). */
export const anonymousHeadAgeMs = 10_000;

/** The body of an action as of now: chain, era, newest block (of an anonymous one: the newest that is 10 s old). */
export async function currentBody(
  { ledger, now }: Pick<Surroundings, "ledger" | "now">,
  action: Action,
  options: { readonly anonymous?: boolean } = {},
): Promise<Uint8Array> {
  const newest = await ledger.head();
  const head = options.anonymous === true ? await settledHead(ledger, now() - anonymousHeadAgeMs) : newest;
  const era = (await readEntry(ledger, entries.era, emptyKey))?.era ?? 0;
  return encodeBody({
    chainId: ledger.chainId,
    era,
    lastValidMs: Math.max(now(), newest.timestampMs) + validForMs + spreadOfMs(),
    head: head.height === 0 ? { height: 0, hash: ledger.chainId } : { height: head.height, hash: head.hash },
    action,
  });
}

/**
 * A random part of the last valid time: two accounts that do the same thing in the same millisecond make two bodies, and
 * so two identifiers; and the time of making is not shown to the millisecond.
 */
function spreadOfMs(): number {
  return new DataView(randomBytes(4).buffer).getUint32(0) % validSpreadMs;
}

/** The last block that is no younger than `untilMs`, by bisection: timestamps never decrease. Height 0: the genesis. */
async function settledHead(
  ledger: Ledger,
  untilMs: number,
): Promise<{ readonly height: number; readonly hash: Uint8Array }> {
  let low = 0;
  let high = (await ledger.head()).height;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const block = await ledger.block(middle);
    if (block !== undefined && block.header.timestampMs <= untilMs) low = middle;
    else high = middle - 1;
  }
  const hash = low === 0 ? undefined : (await ledger.block(low))?.hash;
  return hash === undefined ? { height: 0, hash: ledger.chainId } : { height: low, hash };
}

/** A validator that admits what a body asks for: its seed, or whoever holds it and answers with its vote. */
export type Admitter = Uint8Array | ((body: Uint8Array) => Promise<Admission>);

/** The votes of these validators over a body. */
export function admissionsOf(admitters: readonly Admitter[], body: Uint8Array): Promise<Admission[]> {
  const vote = async (one: Admitter): Promise<Admission> =>
    one instanceof Uint8Array ? signAdmission(one, body) : await one(body);
  return Promise.all(admitters.map(vote));
}

export interface SubmitExtras {
  /** Seed of the one-time key whose hash is the id that the body names. */
  readonly oneTimeSeed?: Uint8Array;
  readonly attributes?: Uint8Array;
  readonly storageReceipt?: Authorisation["storageReceipt"];
  /** Validators who admit what the body asks for (DESIGN decision 1; embedded: the home's own). */
  readonly admittedBy?: readonly Admitter[];
}

export class AccountWriter {
  readonly #surroundings: Pick<Surroundings, "ledger" | "now">;
  readonly #identity: Pick<Identity, "account" | "seed">;
  #next: number | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(
    surroundings: Pick<Surroundings, "ledger" | "now">,
    identity: Pick<Identity, "account" | "seed">,
  ) {
    this.#surroundings = surroundings;
    this.#identity = identity;
  }

  /** Signs and submits one action. @throws ChartsealError `transaction-refused`, `ledger-unreachable` */
  async submit(action: Action, extras: SubmitExtras = {}): Promise<Submitted> {
    const body = await currentBody(this.#surroundings, action);
    return await this.submitBody(body, extras);
  }

  /**
   * For a body that others have seen before (a storage receipt is given over its contents). A number that another
   * writer of this account took first is asked for again: what was refused for its number is in no block, and the
   * ledger takes an identifier once.
   */
  async submitBody(body: Uint8Array, extras: SubmitExtras = {}): Promise<Submitted> {
    const admissions = await admissionsOf(extras.admittedBy ?? [], body);
    for (let attempt = 1; ; attempt++) {
      const turn = this.#turn.then(() => this.#send(body, { ...extras, admissions }));
      // The next one is numbered when this one is sent, not when it is in a block.
      this.#turn = turn.then(
        () => {},
        () => {},
      );
      const { sent, sequence } = await turn;
      try {
        return await sent;
      } catch (error) {
        // What was refused used no number: the next one asks the ledger again.
        this.#next = undefined;
        if (attempt === attemptsMax || !isOutOfSequence(error)) throw refusalForUsers(error);
        await this.#untilFree(sequence);
      }
    }
  }

  /** Where the ledger does not know yet who took the number, as while a node holds it for its next block: waits for that. */
  async #untilFree(sequence: number): Promise<void> {
    const { ledger } = this.#surroundings;
    const { height } = await ledger.head();
    if ((await nextSequence(ledger, this.#identity.account)) !== sequence) return;
    for await (const _block of ledger.watch(height + 1, AbortSignal.timeout(blockMsMax))) return;
  }

  async #send(
    body: Uint8Array,
    extras: Omit<SubmitExtras, "admittedBy"> & { readonly admissions: Admission[] },
  ): Promise<{ readonly sent: Promise<Submitted>; readonly sequence: number }> {
    const { ledger } = this.#surroundings;
    const { account, seed } = this.#identity;
    this.#next ??= await nextSequence(ledger, account);
    const sequence = this.#next++;
    const { admissions, attributes, storageReceipt, oneTimeSeed } = extras;
    const transaction = encodeTransaction(body, {
      account: signAsAccount({ seed, account, sequence, body }),
      admissions,
      ...(oneTimeSeed === undefined ? {} : { oneTime: signOneTime(oneTimeSeed, body) }),
      ...(attributes === undefined ? {} : { attributes }),
      ...(storageReceipt === undefined ? {} : { storageReceipt }),
    });
    const sent = ledger.submit(transaction);
    sent.catch(() => {});
    return { sent, sequence };
  }
}

function isOutOfSequence(error: unknown): boolean {
  return hasCode(error, "transaction-refused") && error.data.name === "sequence-wrong";
}

async function nextSequence(ledger: Ledger, account: Uint8Array): Promise<number> {
  return (await readEntry(ledger, entries.account, account))?.sequence ?? 0;
}

/** A ledger's refusal under the code that users know it by (refusals.ts names it); anything else unchanged. */
export function refusalForUsers(error: unknown): unknown {
  if (!hasCode(error, "transaction-refused")) return error;
  const code = error.data.code;
  if (typeof code !== "string" || !Object.hasOwn(errorCodes, code)) return error;
  const { refusal, name, code: _code, ...data } = error.data;
  return new ChartsealError(code as ErrorCode, error.message, {
    data: { ...data, refusal, refusalName: name },
    cause: error,
  });
}
