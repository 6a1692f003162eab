/**
 * The head that a client has verified, which never goes back: a header with a commit that the genesis' validators stand
 * behind (of CometBFT: themselves, or by the validators that they name, step by step), and a proof that every head before is its ancestor. The state of each block holds the hashes of all blocks before it, so
 * one proof of the state tree is enough, however many blocks lie between (docs/decisions/ledger-engine.md).
 */
import { ChartsealError, equalBytes, toHex, u64 } from "@chartseal/crypto";
import {
  type BlockHeader,
  blockKind,
  type Commit,
  cometChainId,
  cometValidators,
  commitsAlone,
  decodeHeader,
  genesisHead,
  type Head,
  hashHeader,
  headOf,
  isCometCommit,
  lightStepFault,
  MemoryNodes,
  parseCommit,
  type Rules,
  type StakedValidator,
  type StateAccess,
  stateAt,
  type TrustedHeader,
  validatorSetHash,
  verifyCommit,
  verifyStateProof,
} from "@chartseal/ledger";
import { bytesOf, type Fields, fieldsOf, malformed } from "./fields.ts";

export interface SignedHeader {
  readonly header: BlockHeader;
  readonly hash: Uint8Array;
  readonly commit: Commit;
}

/** What a client asks of its server while it follows the chain. */
export interface AskChain {
  /** The proof that block `height` is an ancestor of block `at`. */
  ancestor(height: number, at: number): Promise<Uint8Array>;
  /** The fields of a block's header and commit. */
  block(height: number): Promise<unknown>;
}

/** How long a client trusts validators that it has not heard of since, and its clock; default: for ever. */
export interface HeadTrust {
  readonly periodMs: number;
  now(): number;
}

const forEver: HeadTrust = { periodMs: Number.POSITIVE_INFINITY, now: () => Number.POSITIVE_INFINITY };

export class VerifiedHead {
  readonly #rules: Rules;
  readonly #genesisState: StateAccess;
  readonly #validators: readonly StakedValidator[] | undefined;
  readonly #trust: HeadTrust;
  #head: Head;
  #signed: SignedHeader | undefined;

  constructor(rules: Rules, trust: HeadTrust = forEver) {
    this.#rules = rules;
    this.#trust = trust;
    const { head, update } = genesisHead(rules);
    const nodes = new MemoryNodes();
    nodes.add(update.added);
    this.#head = head;
    this.#genesisState = stateAt(nodes, head);
    this.#validators = rules.validators?.(this.#genesisState);
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
    const commit = commitOf(fields.commit);
    const { chainId } = this.#rules;
    if (!verifyCommit(chainId, header, hash, commit)) {
      throw altered("a block is not signed for this chain", header.height, "commit");
    }
    // Whose commit of CometBFT it is shows where the head goes forward; below the head a block is proved by the state.
    if (isCometCommit(commit)) return { header, hash, commit };
    if (this.#validators !== undefined && !commitsAlone(this.#validators, header.proposer)) {
      throw altered("a block's signer holds no two thirds of the stake", header.height, "proposer");
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
  async advance(anchor: unknown, seen: number, ask: AskChain): Promise<Head> {
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
    ask: AskChain,
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
        const proof = await ask.ancestor(header.height, height);
        if (this.#head.height !== height) continue;
        if (!isAncestor({ height: header.height, hash }, stateRoot, proof)) throw forked(header.height);
        return;
      }
      const isNext = header.height === height + 1 && equalBytes(header.previousHash, own);
      const isFirst = height === 0;
      if (!isNext && !isFirst) {
        const proof = given?.height === height ? given.proof : await ask.ancestor(height, header.height);
        if (this.#head.height !== height) continue;
        if (!isAncestor({ height, hash: own }, header.stateRoot, proof)) throw forked(header.height);
      }
      await this.#follow(signed, ask);
      if (this.#head.height !== height) continue;
      if (header.timestampMs < this.#head.timestampMs)
        throw altered("a block's time is before that of its ancestor", header.height, "timestampMs");
      this.#head = headOf(signed);
      this.#signed = signed;
      return;
    }
  }

  /** Follows CometBFT's validators from the head to a newer block, by blocks in between where too many of them changed. */
  async #follow(target: SignedHeader, ask: AskChain): Promise<void> {
    const waiting = [target];
    let at = { height: this.#head.height, trusted: this.#trustedNow() };
    while (waiting.length > 0) {
      const next = waiting.at(-1)!;
      const { height } = next.header;
      if (!isCometCommit(next.commit)) {
        if (waiting.length === 1 && at.trusted === undefined) return;
        throw altered("one block is signed as by one engine, another as by the other", height, "commit");
      }
      const fault = lightStepFault(at.trusted ?? this.#genesisTrust(), next.commit, {
        chainId: cometChainId(toHex(this.#rules.chainId)),
        trustPeriodMs: this.#trust.periodMs,
        nowMs: this.#trust.now(),
      });
      if (fault === undefined) {
        const { signedHeader, validators } = next.commit;
        at = { height, trusted: { header: signedHeader.header, validators } };
        waiting.pop();
        continue;
      }
      const middle = Math.floor((at.height + height) / 2);
      if (fault.verdict !== "trust" || middle <= at.height)
        throw altered(`a block's commit does not count: ${fault.detail}`, height, "commit");
      const between = this.signedHeader(fieldsOf(await ask.block(middle), "block"));
      if (between.header.height !== middle) throw altered("the server shows another block", middle, "height");
      waiting.push(between);
    }
  }

  /** What the head's commit says of the validators after it; undefined before the first, and of an embedded chain. */
  #trustedNow(): TrustedHeader | undefined {
    const commit = this.#signed?.commit;
    if (commit === undefined || !isCometCommit(commit)) return undefined;
    return { header: commit.signedHeader.header, validators: commit.validators };
  }

  #genesisTrust(): TrustedHeader {
    const validators = this.#validators ?? [];
    const time = { seconds: Math.floor(this.#rules.createdMs / 1000) - 1, nanos: 0 };
    const nextValidatorsHash = validatorSetHash(validators);
    return { header: { height: 0, time, nextValidatorsHash }, validators: cometValidators(validators) };
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

function commitOf(value: unknown): Commit {
  try {
    return parseCommit(value);
  } catch {
    throw malformed("commit");
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
