/**
 * A provider over HTTP. What would name a member goes unsigned, as if from anybody; issues and an owner's wishes are
 * signed. Nothing it answers is believed that the journeys do not check; what a relay says of the ledger is checked here.
 */
import { ChartsealError, type LeafSource, toHex } from "@chartseal/crypto";
import {
  decodeTransaction,
  type FoundTransaction,
  hashHeader,
  type Ledger,
  type Submitted,
} from "@chartseal/ledger";
import type {
  AuditChallenge,
  ErasedCopySignature,
  Provider,
  Reveal,
  SealedAnswer,
  StorageReceiptSignature,
  TakeOptions,
  Transformed,
} from "@chartseal/sharing";
import type { RequestSigner } from "../signature/message.ts";
import { isCut } from "./attempts.ts";
import type { Connection } from "./connection.ts";
import { bytesOf, type Fields, fieldsOf, listOf, textOf, wholeOf } from "./fields.ts";
import { fetchPayload, type Ticket } from "./payload-fetching.ts";
import { pauseMsDefault, type SendingOptions, sendPayload } from "./payload-sending.ts";

export interface HttpProviderOptions {
  /** Signs nothing by itself, or everything with the machine's token. */
  readonly connection: Connection;
  readonly account: Uint8Array;
  /** A ledger that the caller trusts. */
  readonly ledger: Ledger;
  /** The member's account, for what must be signed; not needed beside the machine's token. */
  readonly signer?: RequestSigner;
  /** How payloads are sent and fetched again after a cut. */
  readonly sending?: SendingOptions;
  /** How long the relay's ledger may be ahead of the caller's, which is another institution's then; default 0. */
  readonly aheadMs?: number;
}

const spanBytesMax = 4 * 1024 * 1024;

function submittedOf(identifier: Uint8Array, { height, index, header }: FoundTransaction): Submitted {
  return { height, index, identifier, blockHash: hashHeader(header) };
}

function queryOf({ chunkBytes, placement, regions = placement?.regions ?? [] }: TakeOptions): string {
  const query = [
    ...(chunkBytes === undefined ? [] : [`chunkBytes=${chunkBytes}`]),
    ...(placement === undefined ? [] : [`placement=${placement.k}of${placement.n}`]),
    ...(regions.length === 0 ? [] : [`regions=${regions.join(",")}`]),
  ];
  return `${query.length === 0 ? "" : "?"}${query.join("&")}`;
}

export class HttpProvider implements Provider {
  readonly account: Uint8Array;
  readonly #connection: Connection;
  readonly #ledger: Ledger;
  readonly #sending: SendingOptions;
  readonly #aheadMs: number;
  readonly #named: { readonly signer?: RequestSigner };

  constructor({ connection, account, ledger, signer, sending = {}, aheadMs = 0 }: HttpProviderOptions) {
    this.account = account;
    this.#connection = connection;
    this.#ledger = ledger;
    this.#sending = sending;
    this.#aheadMs = aheadMs;
    this.#named = signer === undefined ? {} : { signer };
  }

  async demandRoom(options: TakeOptions): Promise<void> {
    await this.#connection.json({ target: `/v1/provider/room${queryOf(options)}` });
  }

  takePayload(
    source: AsyncIterable<Uint8Array>,
    options: TakeOptions = {},
  ): Promise<{ readonly address: string; readonly bytes: number }> {
    return sendPayload(this.#connection, source, {
      ...this.#sending,
      query: queryOf(options),
      chunkBytes: options.chunkBytes,
    });
  }

  async takeHeader(input: {
    readonly header: Uint8Array;
    readonly body: Uint8Array;
  }): Promise<StorageReceiptSignature> {
    const json = { header: toHex(input.header), body: toHex(input.body) };
    const { provider, signature } = await this.#connection.json({
      target: "/v1/provider/headers",
      json,
      isRepeatable: true,
    });
    return { provider: bytesOf(provider, "provider", 20), signature: bytesOf(signature, "signature", 64) };
  }

  async relay(transaction: Uint8Array): Promise<Submitted> {
    const json = { transaction: toHex(transaction) };
    const { identifier } = decodeTransaction(transaction);
    try {
      await this.#connection.json({ target: "/v1/provider/relay", json });
    } catch (error) {
      if (!isCut(error)) throw error;
      // Without an answer, the transaction may be on the ledger all the same.
      const found = await this.#transactionAt(identifier).catch(() => undefined);
      if (found === undefined) throw error;
      return submittedOf(identifier, found);
    }
    // Where it is the ledger says, not the relay.
    const found = await this.#transactionAt(identifier);
    if (found === undefined) {
      throw new ChartsealError(
        "ledger-unreachable",
        "the relay says that the ledger has it, and it has not",
        {
          data: { outcome: "unknown" },
        },
      );
    }
    return submittedOf(identifier, found);
  }

  /** In a block that is here, or comes here in the time that the relay's ledger may be ahead. */
  async #transactionAt(identifier: Uint8Array) {
    const ledger = this.#ledger;
    const { height } = await ledger.head();
    const found = await ledger.transaction(identifier);
    if (found !== undefined || this.#aheadMs === 0) return found;
    for await (const _block of ledger.watch(height + 1, AbortSignal.timeout(this.#aheadMs))) {
      const come = await ledger.transaction(identifier);
      if (come !== undefined) return come;
    }
    return undefined;
  }

  async transform(reveal: Reveal): Promise<Transformed> {
    const json = Object.fromEntries(Object.entries(reveal).map(([name, value]) => [name, toHex(value)]));
    // The same reveal is answered again, with the same T, until its grant lapses.
    const ask = (): Promise<Fields> =>
      this.#connection.json({ target: "/v1/provider/transforms", json, isRepeatable: true });
    const answer = await ask();
    let value = ticketOf(answer);
    const renew = async (): Promise<void> => {
      value = ticketOf(await ask());
    };
    const ticket = { value: () => value, renew };
    const pauseMs = this.#sending.pauseMs ?? pauseMsDefault;
    return {
      transform: bytesOf(answer.transform, "transform"),
      statement: {
        rows: listOf(answer.rows, "rows").map((row) => wholeOf(row, "rows")),
        signature: bytesOf(answer.signature, "signature", 64),
      },
      header: bytesOf(answer.header, "header"),
      leaves: answer.leaves === null ? this.#spans(ticket) : { list: bytesOf(answer.leaves, "leaves") },
      payload: (offset, length) =>
        fetchPayload(this.#connection, ticket, { offset, length, pauseMs, ...urlOf(answer) }),
    };
  }

  #spans(ticket: Ticket): LeafSource {
    return {
      span: async (index) => {
        const target = `/v1/provider/transforms/${ticket.value()}/leaves/${index}`;
        const { leafHashes, proof } = await this.#connection.json({ target, answerBytesMax: spanBytesMax });
        return {
          leafHashes: bytesOf(leafHashes, "leafHashes"),
          proof: listOf(proof, "proof").map((one) => bytesOf(one, "proof", 32)),
        };
      },
    };
  }

  async takeIssue(input: {
    readonly requestId: Uint8Array;
    readonly answers: readonly SealedAnswer[];
  }): Promise<{ readonly keyId: Uint8Array }> {
    const answers = input.answers.map(({ node, sealed }) => ({ node, sealed: toHex(sealed) }));
    const json = { requestId: toHex(input.requestId), answers };
    const { keyId } = await this.#connection.json({ target: "/v1/provider/issues", json, ...this.#named });
    return { keyId: bytesOf(keyId, "keyId", 32) };
  }

  async destroy({ recordId }: { readonly recordId: Uint8Array }): Promise<readonly ErasedCopySignature[]> {
    const { copies } = await this.#tell("destroyed", { recordId: toHex(recordId) });
    return listOf(copies, "copies").map((one) => {
      const { holder, address, signature } = fieldsOf(one, "copies");
      return {
        holder: bytesOf(holder, "holder", 20),
        address: textOf(address, "address"),
        signature: bytesOf(signature, "signature", 64),
      };
    });
  }

  async discard({ recordId }: { readonly recordId: Uint8Array }): Promise<void> {
    await this.#tell("discarded", { recordId: toHex(recordId) });
  }

  async placed({ recordId }: { readonly recordId: Uint8Array }): Promise<void> {
    await this.#tell("placed", { recordId: toHex(recordId) });
  }

  async follow(): Promise<void> {
    await this.#tell("followed", {});
  }

  /** Signed where there is a key: a signer's allowance is its own. */
  audit({ recordId, seedHash, nonce, ...numbers }: AuditChallenge): AsyncIterable<Uint8Array> {
    const json = {
      recordId: toHex(recordId),
      seedHash: toHex(seedHash),
      nonce: toHex(nonce),
      version: numbers.version,
      seedHeight: numbers.seedHeight,
      challenges: numbers.challenges,
    };
    return this.#connection.bytes({ target: "/v1/provider/audits", json, ...this.#named });
  }

  #tell(what: string, json: Record<string, string>): Promise<Record<string, unknown>> {
    return this.#connection.json({ target: `/v1/provider/${what}`, json, ...this.#named });
  }
}

function ticketOf({ ticket }: Fields): string {
  return toHex(bytesOf(ticket, "ticket", 32));
}

/** Where the store itself gives the payload. */
function urlOf({ url }: Fields): { readonly url?: string } {
  return typeof url === "string" ? { url } : {};
}
