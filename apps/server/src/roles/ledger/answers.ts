/**
 * The answers of the ledger role, each at one head: what is asked for, with everything that a client who trusts nobody
 * needs to check it. All proofs of one answer are made at the same height, so that a block in between mixes nothing.
 */
import { toHex, u64 } from "@chartseal/crypto";
import { blockKind, exportLine, type FoundTransaction, type Ledger, type StateKind } from "@chartseal/ledger";
import type { z } from "zod";
import {
  type Anchor,
  type blocksAnswer,
  commitHex,
  type found,
  headerHex,
  type Placed,
  type stateAnswer,
  type transactionAnswer,
} from "./wire.ts";

/** Blocks and bytes of transactions in one answer; always one block. */
export const pageBlocksMax = 256;
export const pageBytesMax = 1024 * 1024;

/** One head, and what is proved under it. */
export class AnswerAt {
  readonly #ledger: Ledger;
  readonly #height: number;
  readonly #seen: number;

  private constructor(ledger: Ledger, height: number, seen: number) {
    this.#ledger = ledger;
    this.#height = height;
    this.#seen = seen;
  }

  /** `seen`: the height of the last block that the client knows, 0 for none. */
  static async head(ledger: Ledger, seen: number): Promise<AnswerAt> {
    return new AnswerAt(ledger, (await ledger.head()).height, seen);
  }

  async anchor(): Promise<Anchor> {
    if (this.#height === 0) return null;
    const isBehind = this.#seen > 0 && this.#seen < this.#height;
    const { header, commit, proof } = await this.#ancestor(isBehind ? this.#seen : 0);
    return { header: headerHex(header), commit: commitHex(commit), seen: isBehind ? toHex(proof) : null };
  }

  #ancestor(height: number) {
    return this.#ledger.prove(blockKind, u64(height), this.#height);
  }

  /** Proof that a block below the head is its ancestor. */
  async #placeProof(height: number): Promise<string | null> {
    return height === this.#height ? null : toHex((await this.#ancestor(height)).proof);
  }

  async #placed({ header, commit }: Pick<FoundTransaction, "header" | "commit">): Promise<Placed> {
    const proof = await this.#placeProof(header.height);
    return { header: headerHex(header), commit: commitHex(commit), proof };
  }

  /** @throws ChartsealError `input-invalid` for a height above the head */
  async state(kind: StateKind, key: Uint8Array, height?: number): Promise<z.output<typeof stateAnswer>> {
    // Before the first block the state is the genesis', which the client has and no commit proves.
    if (height === undefined && this.#height === 0)
      return { anchor: null, block: null, value: null, proof: "" };
    const proved = await this.#ledger.prove(kind, key, height ?? this.#height);
    return {
      anchor: await this.anchor(),
      block: height === undefined ? null : await this.#placed(proved),
      value: proved.value === null ? null : toHex(proved.value),
      proof: toHex(proved.proof),
    };
  }

  async transaction(identifier: Uint8Array, kind: StateKind): Promise<z.output<typeof transactionAnswer>> {
    const one = await this.#ledger.transaction(identifier);
    // One that came after this head is not there yet.
    if (one !== undefined && one.height <= this.#height)
      return { anchor: await this.anchor(), found: await this.found(one), absence: null };
    const absence =
      this.#height === 0 ? null : toHex((await this.#ledger.prove(kind, identifier, this.#height)).proof);
    return { anchor: await this.anchor(), found: null, absence };
  }

  async found(one: FoundTransaction): Promise<z.output<typeof found>> {
    const { bytes, index, proof } = one;
    return { block: await this.#placed(one), bytes: toHex(bytes), index, proof: proof.map(toHex) };
  }

  async blocks(from: number, to: number): Promise<z.output<typeof blocksAnswer>> {
    const lines: z.output<typeof blocksAnswer>["blocks"] = [];
    let bytes = 0;
    const last = Math.min(to, this.#height);
    for (let height = Math.max(1, from); height <= last && lines.length < pageBlocksMax; height++) {
      const block = await this.#ledger.block(height);
      if (block === undefined) break;
      bytes += block.header.size;
      if (lines.length > 0 && bytes > pageBytesMax) break;
      const { transactions, ...line } = exportLine(block);
      lines.push({ ...line, transactions: [...transactions], commit: commitHex(block.commit) });
    }
    const end = lines.at(-1);
    const proof = end === undefined ? null : await this.#placeProof(end.height);
    return { anchor: await this.anchor(), blocks: lines, proof };
  }
}
