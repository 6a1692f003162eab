/**
 * The storage provider (DESIGN, Who takes part): takes payloads and headers, relays anonymous transactions, keeps the
 * readers' transform keys, transforms for proved readers, and follows the ledger in what must go. It holds no key that
 * opens anything alone and is trusted for nothing but availability.
 */
import { ChartsealError, equalBytes, parsePolicy, signingPolicy } from "@chartseal/crypto";
import {
  decodeBody,
  decodeTransaction,
  encodeTransaction,
  type Submitted,
  signErasedCopy,
  signRelay,
  verifyOneTime,
} from "@chartseal/ledger";
import type { AuditChallenge } from "../audit/challenge.ts";
import { type Auditor, auditorActions } from "../audit/run.ts";
import { openDisputed } from "../dispute/opening.ts";
import type {
  DirectIntake,
  ErasedCopySignature,
  Provider,
  Reveal,
  SealedAnswer,
  StorageReceiptSignature,
  TakeOptions,
  Transformed,
} from "../parties.ts";
import { provesPolicy } from "../signing.ts";
import { requireRecord } from "../state.ts";
import { exists } from "../streams.ts";
import { refusalForUsers } from "../submit.ts";
import type { Aside, AsideKind } from "./aside.ts";
import { answerAudit, checkShards, checkStoredHeader } from "./audit.ts";
import { collectOrphans } from "./collect.ts";
import { takeIssue } from "./custody.ts";
import { destroyCopies, eraseDue } from "./destroy.ts";
import { directIntake } from "./direct.ts";
import { dropOvertaken, dropReplaced, follow } from "./follow.ts";
import { expectedHeight, isBehind } from "./followed.ts";
import { demandRoom, recordPlacementSoon } from "./placing.ts";
import { sayRepairs } from "./repair-notes.ts";
import { type RepairedRecord, type RepairRecordOptions, repairRecord } from "./repairing.ts";
import { judgeRestored } from "./restored.ts";
import { ProviderAtWork, type ProviderSelf } from "./self.ts";
import { followSpecial } from "./special.ts";
import { takeHeader, takePayload } from "./take.ts";
import { transform } from "./transform.ts";
import type { UsageBook } from "./usage.ts";

export class StorageProvider implements Provider {
  readonly #self: ProviderAtWork;
  readonly takesLent = true;

  constructor(self: ProviderSelf) {
    this.#self = new ProviderAtWork(self);
  }

  get account(): Uint8Array {
    return this.#self.identity.account;
  }

  get direct(): DirectIntake | undefined {
    return directIntake(this.#self);
  }

  async demandRoom(options: TakeOptions): Promise<void> {
    demandRoom(this.#self.stores, options);
  }

  takePayload(
    source: AsyncIterable<Uint8Array>,
    options: TakeOptions = {},
  ): Promise<{ address: string; bytes: number }> {
    return takePayload(this.#self, source, options);
  }

  takeHeader(input: {
    readonly header: Uint8Array;
    readonly body: Uint8Array;
  }): Promise<StorageReceiptSignature> {
    return takeHeader(this.#self, input);
  }

  transform(reveal: Reveal): Promise<Transformed> {
    return transform(this.#self, reveal);
  }

  audit(challenge: AuditChallenge): AsyncIterable<Uint8Array> {
    return answerAudit(this.#self, challenge);
  }

  /** Who records a provider's audits of itself: its one writer. */
  get auditor(): Auditor {
    return { account: this.account, writer: this.#self.writer };
  }

  /**
   * Signs and submits what an audit in this provider's name says, and nothing else.
   * @throws ChartsealError `input-invalid`
   */
  async submitAudit(body: Uint8Array): Promise<Submitted> {
    if (auditorActions.includes(decodeBody(body).action.kind))
      return await this.#self.writer.submitBody(body);
    throw new ChartsealError("input-invalid", "this is no word of an audit");
  }

  /** For a provider's audit of itself: header and shards. @throws ChartsealError `object-missing`, `object-altered`, `header-altered` */
  async checkOwn(recordId: Uint8Array): Promise<void> {
    await checkStoredHeader(this.#self, recordId);
    await checkShards(this.#self, recordId);
  }

  async destroy({ recordId }: { readonly recordId: Uint8Array }): Promise<readonly ErasedCopySignature[]> {
    return await this.#self.inTurn(() => destroyCopies(this.#self, recordId));
  }

  /** Erases what is due and free, and certifies it; the records' ids. */
  eraseDue(): Promise<readonly Uint8Array[]> {
    return this.#self.inTurn(() => this.#unlessBehind(() => eraseDue(this.#self), []));
  }

  /** What lies beside the objects and is in somebody's hand: of a server, its uploads. */
  watchAside(kind: AsideKind, aside: Aside): void {
    this.#self.stores.asides?.set(kind, aside);
  }

  /** Removes payloads that were taken so long ago and never registered. @returns their addresses */
  collect(options: { readonly graceMs: number }): Promise<readonly string[]> {
    return this.#unlessBehind(() => collectOrphans(this.#self, options), []);
  }

  /** Bytes and records by owner and by relay, as the ledger has them now. */
  async usage(): Promise<Pick<UsageBook, "owner" | "owners" | "relays">> {
    await this.#self.usage.follow();
    return this.#self.usage;
  }

  /** Whether store and ledger answer. @throws ChartsealError `provider-unreachable`, `ledger-unreachable` */
  async check(): Promise<void> {
    const { stores, surroundings } = this.#self;
    await exists(stores.objects, "health");
    await surroundings.ledger.head();
  }

  /**
   * This provider's signature that it keeps no copy under `address`, for what it holds for another provider.
   * @throws ChartsealError `input-invalid` for a record that the ledger does not show as erased
   */
  async attestErased(copy: {
    readonly recordId: Uint8Array;
    readonly address: string;
  }): Promise<ErasedCopySignature> {
    const { surroundings, identity } = this.#self;
    const { ledger } = surroundings;
    if ((await requireRecord(ledger, copy.recordId)).erasedHeight === null) {
      throw new ChartsealError("input-invalid", "the ledger does not show this record as erased");
    }
    return signErasedCopy(identity.seed, { chainId: ledger.chainId, ...copy });
  }

  discard({ recordId }: { readonly recordId: Uint8Array }): Promise<void> {
    return this.#self.inTurn(() => dropReplaced(this.#self, recordId));
  }

  /** What the ledger says must go, goes; after a restore, also what came back. Nothing while the ledger is behind. */
  async follow(): Promise<void> {
    await follow(this.#self);
    await this.#self.inTurn(() => judgeRestored(this.#self));
  }

  /** Whether its stores, or its ledger, came back from a copy and not all of that is judged yet. */
  async isExpecting(): Promise<boolean> {
    return (await expectedHeight(this.#self.stores.pending)) !== undefined;
  }

  /** Whether the ledger is older than what came back. */
  isBehind(): Promise<boolean> {
    return isBehind(this.#self);
  }

  /** To an older ledger what lies here is foreign, or not ended, or not begun. */
  async #unlessBehind<T>(act: () => Promise<T>, otherwise: T): Promise<T> {
    return (await isBehind(this.#self)) ? otherwise : await act();
  }

  placed({ recordId }: { readonly recordId: Uint8Array }): Promise<void> {
    return this.#self.inTurn(() => recordPlacementSoon(this.#self, recordId));
  }

  /** Makes a record's lost shards again, moves what may not lie where it does, and says so on the ledger. */
  async repair(recordId: Uint8Array, options?: RepairRecordOptions): Promise<RepairedRecord> {
    // Not in a turn: a large record takes hours, and nobody waits for it. What was erased meanwhile goes again.
    try {
      return await repairRecord(this.#self, recordId, options);
    } finally {
      await this.#self.inTurn(() => dropOvertaken(this.#self, recordId));
    }
  }

  /** Says on the ledger what was repaired and is not said: without this provider's key, or by a process that died. */
  sayRepairs(): Promise<void> {
    return this.#self.inTurn(() => this.#unlessBehind(() => sayRepairs(this.#self), undefined));
  }

  /** Deletes the keys of emergencies and proxies that are over: time alone ends them, so no block says so. */
  dropEnded(): Promise<void> {
    return this.#self.inTurn(() => this.#unlessBehind(() => followSpecial(this.#self), undefined));
  }

  /** Opens to the judges the keys that open disputes ask of this provider. */
  openDisputed(): Promise<void> {
    return this.#self.inTurn(() => openDisputed(this.#self));
  }

  /** A relay's signature convicts it where the attribute signature is bad, so it is checked first. */
  async relay(transaction: Uint8Array): Promise<Submitted> {
    const { surroundings, identity } = this.#self;
    const { ledger } = surroundings;
    const { body, bodyBytes, authorisation, identifier } = decodeTransaction(transaction);
    const { oneTime, attributes } = authorisation;
    if (oneTime === null || attributes === null || authorisation.account !== null) {
      throw new ChartsealError("input-invalid", "only anonymous deposits and requests are relayed");
    }
    if (!equalBytes(body.chainId, ledger.chainId) || !verifyOneTime(oneTime, identifier)) {
      throw new ChartsealError(
        "signature-invalid",
        "the one-time key does not sign this for this consortium",
      );
    }
    const { action } = body;
    const policy = await this.#signedPolicy(action);
    if (!(await provesPolicy(surroundings, { policy, kind: action.kind, identifier }, attributes))) {
      throw new ChartsealError(
        "policy-unsatisfied",
        "the attribute-based signature does not prove the policy",
      );
    }
    const content = {
      chainId: ledger.chainId,
      body: bodyBytes,
      oneTimeSignature: oneTime.signature,
      attributes,
    };
    const relay = signRelay(identity.seed, content);
    let submitted: Submitted;
    try {
      submitted = await ledger.submit(encodeTransaction(bodyBytes, { ...authorisation, relay }));
    } catch (error) {
      throw refusalForUsers(error);
    }
    if (action.kind === "deposit") await this.placed(action);
    return submitted;
  }

  async #signedPolicy(action: ReturnType<typeof decodeTransaction>["body"]["action"]) {
    if (action.kind === "deposit" && action.authorPolicy !== null) return parsePolicy(action.authorPolicy);
    if (action.kind === "request-access") {
      const record = await requireRecord(this.#self.surroundings.ledger, action.recordId);
      const policy = signingPolicy(parsePolicy(record.policy));
      if (policy !== undefined) return policy;
    }
    throw new ChartsealError("input-invalid", "only anonymous deposits and requests are relayed");
  }

  takeIssue(input: {
    readonly requestId: Uint8Array;
    readonly answers: readonly SealedAnswer[];
  }): Promise<{ keyId: Uint8Array }> {
    return takeIssue(this.#self, input);
  }
}
