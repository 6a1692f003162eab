/** A node of the committee over HTTP. Its answers are sealed to others and checked by them: nothing here is believed. */
import { toHex } from "@chartseal/crypto";
import type { AuthorityNode, SealedAnswer } from "@chartseal/sharing";
import type { Connection } from "./connection.ts";
import { bytesOf, type Fields, wholeOf } from "./fields.ts";

export interface HttpAuthorityNodeOptions {
  /** Signs its requests. */
  readonly connection: Connection;
  /** The node's account, 20 bytes. */
  readonly account: Uint8Array;
  /** In the present committee, as the ledger has it; 0 for a node outside it. */
  readonly index: number;
}

export class HttpAuthorityNode implements AuthorityNode {
  readonly index: number;
  readonly #connection: Connection;
  readonly #path: string;

  constructor({ connection, account, index }: HttpAuthorityNodeOptions) {
    this.index = index;
    this.#connection = connection;
    this.#path = `/v1/authority/${toHex(account)}`;
  }

  answer(requestId: Uint8Array): Promise<SealedAnswer> {
    return this.#ask("answers", { requestId: toHex(requestId) });
  }

  basePartial(account: Uint8Array): Promise<SealedAnswer> {
    return this.#ask("base-partials", { account: toHex(account) });
  }

  /** What the node says of itself, for people to read. */
  async status(): Promise<Fields> {
    return await this.#connection.json({ target: `${this.#path}/status`, signer: null });
  }

  /** The node's own registration, to be admitted. */
  async registration(): Promise<Uint8Array> {
    const { transaction } = await this.#connection.json({
      target: `${this.#path}/registration`,
      signer: null,
    });
    return bytesOf(transaction, "transaction");
  }

  async #ask(what: string, json: Fields): Promise<SealedAnswer> {
    const { node, sealed } = await this.#connection.json({ target: `${this.#path}/${what}`, json });
    return { node: wholeOf(node, "node"), sealed: bytesOf(sealed, "sealed") };
  }
}
