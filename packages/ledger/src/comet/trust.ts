/**
 * What a joining node's state sync is to trust: a height of CometBFT and its hash, verified from the genesis on, so that the
 * servers that are asked need not be trusted. They must agree nevertheless: keys of validators that left long ago could sign
 * another history, and only whoever was there knows better.
 */
import { ChartsealError, equalBytes, toHex } from "@chartseal/crypto";
import { type StakedValidator, validatorSetHash } from "../commit.ts";
import { timeMs } from "../light/time.ts";
import { cometChainId, type LightBlock } from "../light/types.ts";
import { followLight, lightBlockFault } from "../light/verify.ts";
import { trustPeriodMs } from "./node-files.ts";
import { CometRpc } from "./rpc.ts";

/** How far below the newest height: above most snapshots a light client would have to walk back, header by header. */
const heightsBack = 5_000;

export interface TrustOptions {
  readonly chainId: Uint8Array;
  /** The genesis'. */
  readonly validators: readonly StakedValidator[];
  /** At least one; the first must hold the chain from its beginning. */
  readonly rpcUrls: readonly string[];
  readonly nowMs: number;
}

export interface Trust {
  readonly height: number;
  readonly hash: Uint8Array;
}

/** @throws ChartsealError `chain-altered` where it does not follow from the genesis, `ledger-unreachable` */
export async function trustFromGenesis(options: TrustOptions): Promise<Trust> {
  const [rpc, ...others] = options.rpcUrls.map((url) => new CometRpc(url));
  if (rpc === undefined) throw new ChartsealError("input-invalid", "no server was given to ask for headers");
  const chainId = cometChainId(toHex(options.chainId));
  const first = await rpc.lightBlock(1);
  const isOurs = equalBytes(first.signedHeader.header.validatorsHash, validatorSetHash(options.validators));
  const fault = lightBlockFault(chainId, first);
  if (!isOurs || fault !== undefined) {
    throw altered("the first header is not signed by the validators of the genesis", fault?.detail);
  }
  const target = await recent(rpc, options.nowMs);
  const { height } = target.signedHeader.header;
  if (height > 1) {
    const trusted = { header: first.signedHeader.header, validators: first.validators };
    const fetch = (at: number) => rpc.lightBlock(at);
    const rules = { chainId, nowMs: options.nowMs, trustPeriodMs: Number.POSITIVE_INFINITY, fetch };
    const followed = await followLight(trusted, target, rules);
    if (followed.fault !== undefined) {
      throw altered("a header does not follow from the genesis", followed.fault.detail);
    }
  }
  const { hash } = target.signedHeader.commit.blockId;
  for (const other of others) {
    const found = await other.lightBlock(height);
    if (equalBytes(found.signedHeader.commit.blockId.hash, hash)) continue;
    throw altered("the servers show two histories", `height ${height} has two hashes`);
  }
  return { height, hash };
}

/** As far below the newest as may be, and young enough that its validators can still be held to account. */
async function recent(rpc: CometRpc, nowMs: number): Promise<LightBlock> {
  const { height: newest } = await rpc.status();
  for (let back = heightsBack; ; back = Math.floor(back / 2)) {
    const block = await rpc.lightBlock(Math.max(1, newest - back));
    if (timeMs(block.signedHeader.header.time) + trustPeriodMs / 2 > nowMs) return block;
    if (back > 0) continue;
    throw new ChartsealError("ledger-unreachable", "the chain's newest header is too old to be trusted", {
      hint: "Ask a server that is not behind.",
    });
  }
}

function altered(message: string, detail: string | undefined): ChartsealError {
  return new ChartsealError("chain-altered", message, detail === undefined ? {} : { data: { detail } });
}
