/**
 * What a joining node's state sync is to trust: a height of CometBFT and its hash, verified from the genesis on, so that the
 * servers that are asked need not be trusted. They must agree nevertheless: keys of validators that left long ago could sign
 * another history, and only whoever was there knows better.
 */
import { ChartsealError, equalBytes, hasCode, isFamily, toHex } from "@chartseal/crypto";
import { type StakedValidator, validatorSetHash } from "../commit.ts";
import { timeMs } from "../light/time.ts";
import { cometChainId, type LightBlock } from "../light/types.ts";
import { followLight, lightBlockFault } from "../light/verify.ts";
import { trustPeriodMs } from "./node-files.ts";
import { CometRpc } from "./rpc.ts";

export interface TrustOptions {
  readonly chainId: Uint8Array;
  /** The genesis'. */
  readonly validators: readonly StakedValidator[];
  /** At least one; one of them must hold the chain from its beginning. */
  readonly rpcUrls: readonly string[];
  readonly nowMs: number;
}

export interface Trust {
  readonly height: number;
  readonly hash: Uint8Array;
  /** Of those that hold this height and agree, the one that the chain was followed by first. */
  readonly rpcUrls: readonly string[];
}

/**
 * Servers that do not answer, or lack what is asked for, are passed over as long as two agree, where more than one was given.
 * @throws ChartsealError `chain-altered` where it does not follow from the genesis, `ledger-unreachable`
 */
export async function trustFromGenesis(options: TrustOptions): Promise<Trust> {
  const servers = [...new Set(options.rpcUrls)].map((url) => new HeaderServer(url));
  const chainId = cometChainId(toHex(options.chainId));
  const { primary, first } = await whereItBegins(servers);
  const isOurs = equalBytes(first.signedHeader.header.validatorsHash, validatorSetHash(options.validators));
  const fault = lightBlockFault(chainId, first);
  if (!isOurs || fault !== undefined) {
    throw primary.altered("the first header is not signed by the validators of the genesis", fault?.detail);
  }
  const target = await primary.oldestOfUse(options.nowMs);
  const { height } = target.signedHeader.header;
  if (height > 1) {
    const trusted = { header: first.signedHeader.header, validators: first.validators };
    const fetch = (at: number) => primary.lightBlock(at);
    const rules = { chainId, nowMs: options.nowMs, trustPeriodMs: Number.POSITIVE_INFINITY, fetch };
    const followed = await followLight(trusted, target, rules);
    if (followed.fault !== undefined) {
      throw primary.altered("a header does not follow from the genesis", followed.fault.detail);
    }
  }
  const { hash } = target.signedHeader.commit.blockId;
  const agreeing = [primary.url];
  for (const other of servers) {
    if (other === primary) continue;
    const found = await unlessAway(other.lightBlock(height));
    if (found === undefined) continue;
    if (!equalBytes(found.signedHeader.commit.blockId.hash, hash)) {
      throw other.altered("the servers show two histories", `height ${height} has two hashes`);
    }
    const lie = lightBlockFault(chainId, found);
    if (lie !== undefined)
      throw other.altered("a server's header is not what its validators signed", lie.detail);
    agreeing.push(other.url);
  }
  if (servers.length > 1 && agreeing.length < 2) {
    throw new ChartsealError("ledger-unreachable", "only one server shows the chain's headers", {
      hint: "A second must agree with it: start it, ask its operator, or name others.",
    });
  }
  return { height, hash, rpcUrls: agreeing };
}

/** One that is asked for headers. */
class HeaderServer {
  readonly url: string;
  readonly #rpc: CometRpc;

  constructor(url: string) {
    this.url = url;
    this.#rpc = new CometRpc(url);
  }

  /** @throws ChartsealError `ledger-unreachable`; `chain-altered` for what is no signed header */
  async lightBlock(height: number): Promise<LightBlock> {
    try {
      return await this.#rpc.lightBlock(height);
    } catch (error) {
      if (!hasCode(error, "encoding-invalid")) throw error;
      throw this.altered("a server's answer is no signed header", `height ${height}`);
    }
  }

  /**
   * The older the better: above the newest snapshot a light client would have to walk back, header by header. Young enough
   * that its validators can still be held to account while the node begins.
   */
  async oldestOfUse(nowMs: number): Promise<LightBlock> {
    const newest = await this.#rpc.newestHeight();
    if (!Number.isSafeInteger(newest) || newest < 1) throw this.altered("a server's answer is no height");
    for (let back = newest - 1; ; back = Math.floor(back / 2)) {
      const block = await this.lightBlock(newest - back);
      if (timeMs(block.signedHeader.header.time) + trustPeriodMs / 2 > nowMs) return block;
      if (back > 0) continue;
      throw new ChartsealError("ledger-unreachable", "the chain's newest header is too old to be trusted", {
        data: { server: this.url },
        hint: "Ask a server that is not behind.",
      });
    }
  }

  altered(message: string, detail?: string): ChartsealError {
    return new ChartsealError("chain-altered", message, {
      data: { server: this.url, ...(detail === undefined ? {} : { detail }) },
    });
  }
}

/** The first server that holds the chain from its beginning: one that joined by a snapshot does not. */
async function whereItBegins(
  servers: readonly HeaderServer[],
): Promise<{ readonly primary: HeaderServer; readonly first: LightBlock }> {
  for (const primary of servers) {
    const first = await unlessAway(primary.lightBlock(1));
    if (first !== undefined) return { primary, first };
  }
  if (servers.length === 0)
    throw new ChartsealError("input-invalid", "no server was given to ask for headers");
  throw new ChartsealError("ledger-unreachable", "no server shows the chain's first header", {
    hint: "One that holds the chain from its beginning must be reached: an institution that did not join by a snapshot.",
  });
}

/** Undefined where the server does not answer, or has not got it. */
async function unlessAway<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isFamily(error, "unavailable")) return undefined;
    throw error;
  }
}
