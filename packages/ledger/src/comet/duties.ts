/**
 * What a consortium's validators owe each other, done by the process that runs a node's ledger: evidence of an equivocation
 * that CometBFT put into a block becomes the transaction that punishes it, and a long absence the one that jails for it
 * (docs/decisions/stake.md). Every node makes the same bytes of the same height, so that the chain takes them once.
 */
import { ChartsealError, ed25519KeyPairFromSeed, equalBytes, toHex } from "@chartseal/crypto";
import type { Action } from "../actions.ts";
import { signAdmission } from "../authorisation.ts";
import type { Head } from "../block.ts";
import type { Submitted } from "../ledger.ts";
import { equivocationsOfRpc } from "../light/evidence.ts";
import { cometAddress } from "../light/hashes.ts";
import { consortiumOf, eraOf } from "../rules/setting.ts";
import { stakeParametersOf } from "../rules/stake-parameters.ts";
import { validatorKeys, validatorsInForce } from "../rules/validators.ts";
import type { StateAccess } from "../state.ts";
import { encodeBody, encodeTransaction, identifierOf } from "../transaction.ts";
import { AbsenceCounter, type AbsenceRun, type CommitVotes } from "./absence.ts";
import { Attestations, encodeAttestation } from "./attestations.ts";
import type { CometRpc } from "./rpc.ts";

/** How many heights before the first that it sees a node looks through for evidence: those that passed while it was down. */
const lookBackHeights = 32;
const resendMs = 10_000;
/**
 * A validator is attested absent from half of a run on, whatever less the parameters ask for: whoever proposes may leave a
 * vote out, and proposers of less than a third of the power may do so in a third of the heights.
 */
const absencePermilleMin = 500;

/** What a height of CometBFT told the application, once it is on the disk. */
export interface Observed {
  readonly cometHeight: number;
  readonly timestampMs: number;
  /** The head that the height was decided on. */
  readonly head: Head;
  /** Of the height before. */
  readonly lastCommit: CommitVotes;
  /** CometBFT found two votes of somebody, and they stand in this height's block. */
  readonly evidence: boolean;
}

export interface DutiesParts {
  readonly chainId: Uint8Array;
  readonly rpc: CometRpc;
  readonly now: () => number;
  /** The state after a block that the store holds. */
  readonly state: (head: Head) => StateAccess;
  readonly head: () => Head;
  readonly submit: (transaction: Uint8Array) => Promise<Submitted>;
  /** Of the validator's key. Without it a node attests nothing, and still hands on what others attest. */
  readonly seed?: Uint8Array | undefined;
  /** Learns what was done, and what could not be. */
  readonly report?: ((report: DutyReport) => void) | undefined;
}

export interface DutyReport {
  readonly duty: "equivocation" | "absence";
  readonly validator: Uint8Array;
  readonly outcome: "attested" | "submitted" | "refused" | "unreachable";
}

interface Matter {
  readonly duty: DutyReport["duty"];
  readonly validator: Uint8Array;
  readonly transaction: Uint8Array;
  readonly identifier: Uint8Array;
}

export class Duties {
  readonly #parts: DutiesParts;
  readonly #own: Uint8Array | undefined;
  readonly #absences = new AbsenceCounter();
  readonly #attestations = new Attestations();
  /** What this node attested itself, until it is settled. */
  readonly #attested = new Map<string, { readonly message: Uint8Array; sentMs: number }>();
  /** Heights whose evidence is not dealt with, and the place that their transactions name. */
  readonly #evidence = new Map<number, Observed>();
  readonly #submitting = new Set<string>();
  #looking = false;
  #first = true;
  #closed = false;

  constructor(parts: DutiesParts) {
    this.#parts = parts;
    this.#own = parts.seed && ed25519KeyPairFromSeed(parts.seed).publicKey;
  }

  /** A height is on the disk. */
  observed(seen: Observed): void {
    if (this.#closed) return;
    if (this.#first) {
      const from = Math.max(1, seen.cometHeight - lookBackHeights);
      for (let height = from; height < seen.cometHeight; height++) this.#evidence.set(height, seen);
    }
    this.#first = false;
    if (seen.evidence) this.#evidence.set(seen.cometHeight, seen);
    void this.#lookForEvidence();
    if (seen.lastCommit.height > 0) {
      const { absenceBlocks } = stakeParametersOf(this.#parts.state(seen.head));
      const run = this.#absences.take(seen.lastCommit, absenceBlocks);
      if (run !== undefined) this.#attest(run, seen);
    }
    this.#resend();
    this.#submitAgreed();
  }

  /** What came as a message. @throws ChartsealError what it is refused with */
  attested(message: Uint8Array): void {
    const { chainId, now, head, state } = this.#parts;
    const validators = validatorsInForce(state(head()));
    this.#attestations.take(message, { chainId, validators, nowMs: now() });
    this.#submitAgreed();
  }

  /** Whether a message still has to be handed on. */
  isWanted(message: Uint8Array): boolean {
    return this.#attestations.isWanted(message, this.#parts.now());
  }

  close(): void {
    this.#closed = true;
  }

  /** The one body that every node makes of what a height showed. */
  #body(action: Action, { head, timestampMs }: Pick<Observed, "head" | "timestampMs">): Uint8Array {
    const { chainId } = this.#parts;
    const state = this.#parts.state(head);
    const { validityMs } = consortiumOf(state).parameters;
    const named = { height: head.height, hash: head.height === 0 ? chainId : head.hash };
    const era = eraOf(state);
    return encodeBody({ chainId, era, lastValidMs: timestampMs + validityMs, head: named, action });
  }

  async #lookForEvidence(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    for (const [height, seen] of [...this.#evidence]) {
      if (this.#closed) break;
      try {
        const keys = validatorKeys(this.#parts.state(this.#parts.head()));
        const found = equivocationsOfRpc(await this.#parts.rpc.evidence(height), keys);
        if (this.#closed) break;
        this.#evidence.delete(height);
        for (const action of found) this.#punish(action, { height, seen });
      } catch (error) {
        if (!(error instanceof ChartsealError)) throw error;
        if (this.#closed) break;
        // A node that answers without the block has none: it joined later. One that does not answer is asked again at the
        // next height, for as long as a transaction would be taken.
        const answered = error.code !== "ledger-unreachable" || error.data.method !== undefined;
        if (answered || this.#isLapsed(seen)) this.#evidence.delete(height);
      }
    }
    this.#looking = false;
  }

  #isLapsed({ head, timestampMs }: Observed): boolean {
    const { validityMs } = consortiumOf(this.#parts.state(head)).parameters;
    return timestampMs + validityMs < this.#parts.now();
  }

  #punish(
    action: Action & { readonly kind: "equivocation" },
    { height, seen }: { readonly height: number; readonly seen: Observed },
  ): void {
    const body = this.#body(action, seen);
    const transaction = encodeTransaction(body, {});
    const { validator } = action;
    void this.#submit({ duty: "equivocation", validator, transaction, identifier: identifierOf(body) }, () =>
      this.#evidence.set(height, seen),
    );
  }

  #attest({ fromHeight, toHeight, missed }: AbsenceRun, seen: Observed): void {
    const { seed, rpc, report } = this.#parts;
    const state = this.#parts.state(seen.head);
    const validators = validatorsInForce(state);
    const own = this.#own;
    if (seed === undefined || own === undefined) return;
    if (!validators.some(({ publicKey }) => equalBytes(publicKey, own))) return;
    const permille = Math.max(stakeParametersOf(state).absencePermille, absencePermilleMin);
    for (const { publicKey: validator } of validators) {
      const count = missed.get(toHex(cometAddress(validator))) ?? 0;
      if (equalBytes(validator, own) || count * 1000 < (toHeight - fromHeight + 1) * permille) continue;
      const body = this.#body({ kind: "jail-absent", validator, fromHeight, toHeight, missed: count }, seen);
      const message = encodeAttestation({ body, admission: signAdmission(seed, body) });
      this.#attested.set(toHex(identifierOf(body)), { message, sentMs: this.#parts.now() });
      void rpc.broadcast([message]).catch(() => {});
      report?.({ duty: "absence", validator, outcome: "attested" });
    }
  }

  /** CometBFT hands a message on once; whoever was away then has not heard it. */
  #resend(): void {
    const nowMs = this.#parts.now();
    for (const [key, one] of this.#attested) {
      if (nowMs < one.sentMs + resendMs) continue;
      one.sentMs = nowMs;
      try {
        this.attested(one.message);
        void this.#parts.rpc.broadcast([one.message]).catch(() => {});
      } catch {
        this.#attested.delete(key);
      }
    }
  }

  #submitAgreed(): void {
    const validators = validatorsInForce(this.#parts.state(this.#parts.head()));
    for (const { identifier, transaction, body } of this.#attestations.agreed(validators)) {
      if (body.action.kind !== "jail-absent") continue;
      const { validator } = body.action;
      void this.#submit({ duty: "absence", validator, transaction, identifier }, () => {});
    }
  }

  /** Once at a time. A refusal settles it: somebody else's was taken, or the rules want none. */
  async #submit(
    { duty, validator, transaction, identifier }: Matter,
    unreachable: () => void,
  ): Promise<void> {
    const key = toHex(identifier);
    if (this.#submitting.has(key) || this.#closed) return;
    this.#submitting.add(key);
    let outcome: DutyReport["outcome"] = "submitted";
    try {
      await this.#parts.submit(transaction);
    } catch (error) {
      if (!(error instanceof ChartsealError)) throw error;
      outcome = error.family === "unavailable" ? "unreachable" : "refused";
    }
    this.#submitting.delete(key);
    if (outcome === "unreachable") unreachable();
    else this.#attestations.settle(identifier);
    this.#parts.report?.({ duty, validator, outcome });
  }
}
