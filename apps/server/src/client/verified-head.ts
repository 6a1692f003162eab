/**
 * The head that a client has verified, which never goes back: a header with a commit of a validator of the genesis, and
 * a proof that every head before is its ancestor. The state of each block holds the hashes of all blocks before it, so
 * one proof of the state tree is enough, however many blocks lie between (docs/decisions/ledger-engine.md).
 */
import { ChartsealError, equalBytes, u64 } from "@chartseal/crypto";
import {
  type BlockHeader,
  blockKind,
  type Commit,
  decodeHeader,
  genesisHead,
  type Head,
  hashHeader,
  headOf,
  MemoryNodes,
  type Rules,
  type StateAccess,
  stateAt,
  verifyCommit,
  verifyStateProof,
} from "@chartseal/ledger";
import { bytesOf, type Fields, fieldsOf, listOf } from "./fields.ts";

export interface SignedHeader {
  readonly header: BlockHeader;
  readonly hash: Uint8Array;
  readonly commit: Commit;
}

/** Asks the server for the proof that block `height` is an ancestor of block `at`. */
export type AskAncestor = (height: number, at: number) => Promise<Uint8Array>;

export class VerifiedHead {
  readonly #rules: Rules;
  readonly #genesisState: StateAccess;
  #head: Head;
  #signed: SignedHeader | undefined;

  constructor(rules: Rules) {
    this.#rules = rules;
    const { head, update } = genesisHead(rules);
    const nodes = new MemoryNodes();
    nodes.add(update.added);
    this.#head = head;
    this.#genesisState = stateAt(nodes, head);
  }

  get head(): Head {
    return this.#head;
  }

  /** Header and commit of the head; undefined before block 1. */
  get signed(): SignedHeader | undefined {
    return this.#signed;
  }

  /** The state before block 1, which follows from the genesis alone. */
  get genesisState(): StateAccess {
    return this.#genesisState;
  }

  /** Reads header and commit and checks them by themselves. @throws ChartsealError `chain-altered` */
  signedHeader(fields: Fields): SignedHeader {
    const header = decodeHeader(bytesOf(fields.header, "header", 156));
    const hash = hashHeader(header);
    const commit = listOf(fields.commit, "commit").map((one) => {
      const { publicKey, signature } = fieldsOf(one, "commit");
      return { publicKey: bytesOf(publicKey, "commit", 32), signature: bytesOf(signature, "commit", 64) };
    });
    const { chainId } = this.#rules;
    if (!verifyCommit(chainId, header, hash, commit)) {
      throw altered("a block is not signed by its proposer for this chain", header.height, "commit");
    }
    if (!this.#rules.mayPropose(this.#genesisState, header.proposer)) {
      throw altered("a block's proposer is no validator of the genesis", header.height, "proposer");
    }
    return { header, hash, commit };
  }

  /**
   * Takes a server's head. `seen` is the height that the request named: another answer may have come first since.
   * @returns the head that the answer is about, which is not older than `seen`
   */
  async advance(anchor: unknown, seen: number, ask: AskAncestor): Promise<Head> {
    if (anchor === null) {
      if (seen === 0) return this.#head.height === 0 ? this.#head : await this.#genesisAgain();
      throw altered("the server says that there is no block", seen, "height");
    }
    const fields = fieldsOf(anchor, "anchor");
    const signed = this.signedHeader(fields);
    const { height } = signed.header;
    if (height < seen) throw altered("the server answers from a head of before", seen, "height", height);
    const proof = fields.seen === null ? undefined : bytesOf(fields.seen, "anchor.seen");
    await this.#extend(signed, proof === undefined ? undefined : { height: seen, proof }, ask);
    return headOf(signed);
  }

  async #genesisAgain(): Promise<Head> {
    return genesisHead(this.#rules).head;
  }

  async #extend(
    signed: SignedHeader,
    given: { readonly height: number; readonly proof: Uint8Array } | undefined,
    ask: AskAncestor,
  ): Promise<void> {
    const { header, hash } = signed;
    for (;;) {
      const { height, hash: own, stateRoot } = this.#head;
      if (header.height === height) {
        if (!equalBytes(hash, own)) throw forked(height);
        this.#signed ??= signed;
        return;
      }
      if (header.height < height) {
        const proof = await ask(header.height, height);
        if (this.#head.height !== height) continue;
        if (!isAncestor({ height: header.height, hash }, stateRoot, proof)) throw forked(header.height);
        return;
      }
      const isNext = header.height === height + 1 && equalBytes(header.previousHash, own);
      const isFirst = height === 0;
      if (!isNext && !isFirst) {
        const proof = given?.height === height ? given.proof : await ask(height, header.height);
        if (this.#head.height !== height) continue;
        if (!isAncestor({ height, hash: own }, header.stateRoot, proof)) throw forked(header.height);
      }
      if (header.timestampMs < this.#head.timestampMs)
        throw altered("a block's time is before that of its ancestor", header.height, "timestampMs");
      this.#head = headOf(signed);
      this.#signed = signed;
      return;
    }
  }

  /** Checks that a signed header is an ancestor of `head`, or `head` itself. @throws ChartsealError `chain-altered` */
  demandPlace({ header, hash }: Pick<SignedHeader, "header" | "hash">, head: Head, proof: unknown): void {
    const { height } = header;
    if (height === head.height && equalBytes(hash, head.hash)) return;
    const isBelow = height < head.height;
    if (isBelow && isAncestor({ height, hash }, head.stateRoot, bytesOf(proof, "proof"))) return;
    throw forked(height);
  }
}

function isAncestor(
  block: { readonly height: number; readonly hash: Uint8Array },
  stateRoot: Uint8Array,
  proof: Uint8Array,
): boolean {
  return verifyStateProof(stateRoot, blockKind, u64(block.height), block.hash, proof);
}

function forked(height: number): ChartsealError {
  return altered("the server's chain does not extend the one that was verified", height, "previousHash");
}

export function altered(message: string, height: number, field: string, found?: number): ChartsealError {
  return new ChartsealError("chain-altered", message, {
    data: { height, field, ...(found === undefined ? {} : { found }) },
    hint: "Ask another server of the consortium, and show this one's answer to its operator.",
  });
}
