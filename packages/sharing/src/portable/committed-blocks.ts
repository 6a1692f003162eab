/**
 * Which of the headers in evidence are committed to, with nothing but a genesis, or the hash of a set of validators that
 * the checker trusts. Embedded: one signature, by a validator of the genesis that holds more than two thirds of the stake.
 * CometBFT: trust goes from the genesis' validators to each commit in the order of CometBFT's heights, by those that it
 * names next or by more than a third of those trusted before (spec/6-ledger.md, Light verification).
 */
import { equalBytes, toHex } from "@chartseal/crypto";
import {
  type BlockHeader,
  type CometCommit,
  type Commit,
  cometChainId,
  cometValidators,
  commitsAlone,
  decodeHeader,
  type Genesis,
  hashHeader,
  isCometCommit,
  lightStepFault,
  signersOfBoth,
  type TrustedHeader,
  validatorSetHash,
  verifyCommit,
} from "@chartseal/ledger";
import type { CommittedHeader, EvidenceFault } from "./evidence.ts";

/** What a checker brings beside the genesis. */
export interface Trust {
  /** Without it no header is from the future and no trust expires. */
  readonly nowMs?: number;
  /** How long trusted validators can be held to account. Default: for ever, as for who follows a whole chain. */
  readonly trustPeriodMs?: number;
  /** Of a set of validators known to be right at some time: what is older than it is not looked at by another. */
  readonly validatorsHash?: Uint8Array;
}

export interface KnownBlock {
  readonly header: BlockHeader;
  readonly hash: Uint8Array;
  readonly commit: Commit;
}

interface Place {
  readonly genesis: Genesis;
  readonly chainId: Uint8Array;
  readonly trust: Trust;
}

/** The evidence's blocks that are committed to, by height; everything wrong goes into `faults`. */
export function committedBlocks(
  blocks: readonly CommittedHeader[],
  place: Place,
  faults: EvidenceFault[],
): Map<number, KnownBlock> {
  const known = new Map<number, KnownBlock>();
  const trusted = new TrustedCommits(place);
  for (const block of inOrder(blocks, faults)) {
    const { height } = block.header;
    const detail = block.header.version === 1 ? trusted.fault(block) : "the header is of an unknown version";
    if (detail !== undefined) {
      faults.push({ kind: "commit", height, detail });
      continue;
    }
    const before = known.get(height);
    if (before !== undefined && !equalBytes(before.hash, block.hash)) faults.push(twoCommits(before, block));
    else known.set(height, block);
  }
  return known;
}

/** Those that can be read, CometBFT's by its own heights: a commit may be trusted by any that comes before it. */
function inOrder(blocks: readonly CommittedHeader[], faults: EvidenceFault[]): KnownBlock[] {
  const read: KnownBlock[] = [];
  for (const { header: bytes, commit } of blocks) {
    try {
      const header = decodeHeader(bytes);
      read.push({ header, hash: hashHeader(header), commit });
    } catch {
      faults.push({ kind: "block", detail: "a header is malformed" });
    }
  }
  const heightOf = ({ commit }: KnownBlock) =>
    isCometCommit(commit) ? commit.signedHeader.header.height : 0;
  return read.sort((a, b) => heightOf(a) - heightOf(b));
}

/** Grows by every commit that follows from one before it. */
class TrustedCommits {
  readonly #place: Place;
  readonly #start: TrustedHeader;
  readonly #taken: CometCommit[] = [];

  constructor(place: Place) {
    this.#place = place;
    const { validators, createdMs } = place.genesis;
    const time = { seconds: Math.floor(createdMs / 1000) - 1, nanos: 0 };
    const nextValidatorsHash = validatorSetHash(validators);
    this.#start = {
      header: { height: 0, time, nextValidatorsHash },
      validators: cometValidators(validators),
    };
  }

  /** Why the block's commit does not count. */
  fault({ header, hash, commit }: KnownBlock): string | undefined {
    const { chainId, genesis } = this.#place;
    if (!verifyCommit(chainId, header, hash, commit))
      return "the commit is not a validator's over this header";
    if (isCometCommit(commit)) return this.#cometFault(commit);
    const { validatorsHash } = this.#place.trust;
    const isTrusted =
      validatorsHash === undefined || equalBytes(validatorsHash, validatorSetHash(genesis.validators));
    if (isTrusted && commitsAlone(genesis.validators, header.proposer)) return undefined;
    return "the commit is not by a validator of more than two thirds of the stake";
  }

  #cometFault(commit: CometCommit): string | undefined {
    const { header } = commit.signedHeader;
    const before = this.#taken.findLast(({ signedHeader }) => signedHeader.header.height < header.height);
    const fault =
      before === undefined
        ? this.#firstFault(commit)
        : this.#stepFault({ header: before.signedHeader.header, validators: before.validators }, commit);
    if (fault === undefined) this.#taken.push(commit);
    return fault;
  }

  #firstFault(commit: CometCommit): string | undefined {
    const { validatorsHash } = this.#place.trust;
    if (validatorsHash === undefined) return this.#stepFault(this.#start, commit);
    const { header } = commit.signedHeader;
    if (!equalBytes(header.validatorsHash, validatorsHash))
      return "the commit is by other validators than the trusted ones";
    // The trusted set stands for its first header here, which must not be too old itself.
    const { validators, time } = { validators: commit.validators, time: header.time };
    const from = {
      height: 0,
      time: { ...time, seconds: time.seconds - 1 },
      nextValidatorsHash: validatorsHash,
    };
    return this.#stepFault({ header: from, validators }, commit);
  }

  #stepFault(trusted: TrustedHeader, commit: CometCommit): string | undefined {
    const { trust, chainId } = this.#place;
    const { nowMs, trustPeriodMs = Number.POSITIVE_INFINITY } = trust;
    return lightStepFault(trusted, commit, {
      chainId: cometChainId(toHex(chainId)),
      nowMs: nowMs ?? Number.POSITIVE_INFINITY,
      trustPeriodMs: nowMs === undefined ? Number.POSITIVE_INFINITY : trustPeriodMs,
    })?.detail;
  }
}

function twoCommits(one: KnownBlock, other: KnownBlock): EvidenceFault {
  const twice = signersOfBoth(one.commit, other.commit).map(toHex);
  return {
    kind: "two-commits",
    height: one.header.height,
    publicKey: twice[0] ?? toHex(other.header.proposer),
    ...(twice.length > 1 ? { publicKeys: twice } : {}),
    hashes: [toHex(one.hash), toHex(other.hash)],
    detail: detailOf(twice.length),
  };
}

function detailOf(count: number): string {
  if (count === 0) return "two validators signed two blocks of one height: the chain was forked";
  if (count === 1)
    return "one validator signed two blocks of one height: these two commits are proof against it";
  return `${count} validators signed two blocks of one height: these two commits are proof against them`;
}
