/**
 * The storage provider (DESIGN, Who takes part): takes payloads and headers, relays anonymous transactions, keeps the
 * readers' transform keys, transforms for proved readers, and follows the ledger in what must go. It holds no key that
 * opens anything alone and is trusted for nothing but availability.
 */
import {
  ChartsealError,
  type CheckedAnswer,
  checkAnswer,
  combineAnswers,
  decodeHeader,
  encode,
  encodeAttributeKey,
  equalBytes,
  headerBytesMax,
  parsePolicy,
  sha256,
  signingPolicy,
} from "@chartseal/crypto";
import {
  decodeTransaction,
  encodeTransaction,
  type Submitted,
  signErasedCopy,
  signRelay,
} from "@chartseal/ledger";
import { readCommittee } from "../committee.ts";
import { issueRequestOf, openAnswer } from "../issue.ts";
import type {
  ErasedCopySignature,
  Provider,
  Reveal,
  SealedAnswer,
  StorageReceiptSignature,
  Transformed,
} from "../parties.ts";
import { provesPolicy } from "../signing.ts";
import { requireRecord } from "../state.ts";
import { getWhole } from "../streams.ts";
import { AccountWriter, refusalForUsers } from "../submit.ts";
import { destroyRecord, follow, removeObjects } from "./follow.ts";
import { headerName } from "./stores.ts";
import { type ProviderSelf, takeHeader, takePayload } from "./take.ts";
import { transform } from "./transform.ts";

export class StorageProvider implements Provider {
  readonly #self: ProviderSelf;

  constructor(self: ProviderSelf) {
    this.#self = self;
  }

  get account(): Uint8Array {
    return this.#self.identity.account;
  }

  takePayload(
    source: AsyncIterable<Uint8Array>,
    options: { readonly chunkBytes?: number } = {},
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

  async destroy(input: {
    recordId: Uint8Array;
    transaction: Uint8Array;
  }): Promise<readonly ErasedCopySignature[]> {
    const { ledger } = this.#self.surroundings;
    const record = await requireRecord(ledger, input.recordId);
    if (record.erasedHeight === null) {
      throw new ChartsealError("input-invalid", "the ledger does not show this record as erased");
    }
    const { address } = record;
    await destroyRecord(this.#self, { ...input, addresses: [address] });
    const copy = { chainId: ledger.chainId, recordId: input.recordId, address };
    return [signErasedCopy(this.#self.identity.seed, copy)];
  }

  async discard(input: { recordId: Uint8Array; address: string }): Promise<void> {
    const { surroundings, stores } = this.#self;
    const record = await requireRecord(surroundings.ledger, input.recordId);
    const header = decodeHeader(await getWhole(stores.objects, headerName(input.address), headerBytesMax));
    if (record.address === input.address || !equalBytes(header.context.recordId, input.recordId)) {
      throw new ChartsealError(
        "input-invalid",
        "the ledger still needs this payload, or it is another record's",
      );
    }
    await removeObjects(this.#self, input.address);
  }

  follow(): Promise<void> {
    return follow(this.#self);
  }

  /** A relay's signature convicts it where the attribute signature is bad, so it is checked first. */
  async relay(transaction: Uint8Array): Promise<Submitted> {
    const { surroundings, identity } = this.#self;
    const { ledger } = surroundings;
    const { body, bodyBytes, authorisation, identifier } = decodeTransaction(transaction);
    const { oneTime, attributes } = authorisation;
    if (oneTime === null || attributes === null) {
      throw new ChartsealError("input-invalid", "only anonymous deposits and requests are relayed");
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
    try {
      return await ledger.submit(encodeTransaction(bodyBytes, { ...authorisation, relay }));
    } catch (error) {
      throw refusalForUsers(error);
    }
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

  /**
   * Opens, checks and combines t answers of one d and one epoch, keeps the key and says so on the ledger. The earlier
   * key is replaced when the ledger has taken the new one.
   * @throws ChartsealError `issue-invalid` with the node that answered wrongly
   */
  async takeIssue(input: {
    readonly requestId: Uint8Array;
    readonly answers: readonly SealedAnswer[];
  }): Promise<{ keyId: Uint8Array }> {
    const { surroundings, identity, stores } = this.#self;
    const { ledger, pairing } = surroundings;
    const request = await issueRequestOf(surroundings, input.requestId);
    const { reading } = await readCommittee(ledger, pairing);
    const checked: CheckedAnswer[] = [];
    for (const sealed of input.answers) {
      const answer = await openAnswer(surroundings, { receiver: identity, request, sealed });
      checked.push(checkAnswer(pairing, { request, key: reading, answer }));
    }
    const key = combineAnswers(pairing, { threshold: reading.threshold, answers: checked });
    const keyId = sha256(encode(encodeAttributeKey(pairing, key)));
    const nodes = checked.map(({ answer }) => answer.node);
    // Kept before it is announced: a live key that the provider lost in a crash would lock its reader out.
    await stores.keys.put(request.account, { keyId, key });
    await new AccountWriter(surroundings, identity).submit({
      kind: "key-issued",
      requestId: input.requestId,
      keyId,
      nodes,
    });
    await stores.keys.settle(request.account, keyId);
    return { keyId };
  }
}
