/** Deposits by the owner and by an author, whole and really signed; only the stored objects that they name are not there. */
import { ed25519KeyPair, encodeDescriptor, randomBytes, sha256, toHex, utf8 } from "@chartseal/crypto";
import {
  type ActionOf,
  encodeBody,
  encodeTransaction,
  entries,
  fromBytes,
  identifierOf,
  idOf,
  type Ledger,
  signAsAccount,
  signOneTime,
  signRelay,
  signStorageReceipt,
} from "@chartseal/ledger";
import type { Identity } from "@chartseal/sharing";
import { type Clock, policy } from "./consortium.ts";

/** Where deposits are made for, and by whom; a `Consortium` is one. */
export interface DepositPlace {
  readonly ledger: Pick<Ledger, "chainId" | "head" | "read">;
  readonly clock: Readonly<Clock>;
  readonly owner: Identity;
  readonly provider: Identity;
  signByAttributes(identifier: Uint8Array): Uint8Array;
}

export interface MadeDeposit {
  readonly recordId: Uint8Array;
  readonly transaction: Uint8Array;
}

function statementOf(recordId: Uint8Array): ActionOf<"deposit">["statement"] {
  return {
    descriptor: encodeDescriptor({ suite: "A256GCM", payloadId: recordId, chunkBytes: 262_144 }),
    payloadLength: 100_000,
    payloadDigest: sha256(utf8("payload"), recordId),
    keyCommitment: sha256(utf8("commitment"), recordId),
    metadataCommitment: sha256(utf8("metadata"), recordId),
  };
}

/** Makes deposits that name the head as it is now; a batch of them goes into one block. */
export class DepositMaker {
  readonly #place: DepositPlace;
  #sequence: number | undefined;

  constructor(place: DepositPlace) {
    this.#place = place;
  }

  async #body(action: ActionOf<"deposit">): Promise<Uint8Array> {
    const { ledger, clock } = this.#place;
    const { height, hash } = await ledger.head();
    const lastValidMs = clock.ms + 600_000;
    return encodeBody({ chainId: ledger.chainId, era: 0, lastValidMs, head: { height, hash }, action });
  }

  #action(recordId: Uint8Array, author: boolean): ActionOf<"deposit"> {
    return {
      kind: "deposit",
      recordId,
      owner: this.#place.owner.account,
      namespace: author ? "cedars" : null,
      policy: policy.text,
      authorPolicy: author ? policy.text : null,
      headerHash: sha256(utf8("header"), recordId),
      address: toHex(randomBytes(16)),
      statement: statementOf(recordId),
      purposes: author ? [] : ["TREAT"],
    };
  }

  #receipt({ recordId, address, headerHash, statement }: ActionOf<"deposit">) {
    return signStorageReceipt(this.#place.provider.seed, {
      recordId,
      address,
      headerHash,
      ...statement,
    });
  }

  async byOwner(): Promise<MadeDeposit> {
    const { ledger, owner } = this.#place;
    this.#sequence ??= await this.#firstSequence();
    const oneTime = ed25519KeyPair();
    const recordId = idOf(ledger.chainId, oneTime.publicKey);
    const action = this.#action(recordId, false);
    const body = await this.#body(action);
    const transaction = encodeTransaction(body, {
      account: signAsAccount({ seed: owner.seed, sequence: this.#sequence++, body }),
      oneTime: signOneTime(oneTime.seed, body),
      storageReceipt: this.#receipt(action),
    });
    return { recordId, transaction };
  }

  async byAuthor(): Promise<MadeDeposit> {
    const { ledger, provider } = this.#place;
    const { chainId } = ledger;
    const key = ed25519KeyPair();
    const recordId = idOf(chainId, key.publicKey);
    const action = this.#action(recordId, true);
    const body = await this.#body(action);
    const oneTime = signOneTime(key.seed, body);
    const attributes = this.#place.signByAttributes(identifierOf(body));
    const relay = signRelay(provider.seed, {
      chainId,
      body,
      oneTimeSignature: oneTime.signature,
      attributes,
    });
    const transaction = encodeTransaction(body, {
      oneTime,
      attributes,
      relay,
      storageReceipt: this.#receipt(action),
    });
    return { recordId, transaction };
  }

  async #firstSequence(): Promise<number> {
    const { ledger, owner } = this.#place;
    const { kind, codec } = entries.account;
    const bytes = await ledger.read(kind, owner.account);
    return bytes === undefined ? 0 : fromBytes(codec, bytes).sequence;
  }
}
