/**
 * How long registrations take as the state grows, on one member's application alone: it is asked over its socket what a node
 * asks, without a node's own work and waiting. What fills the state is real registrations too, decided in whole blocks, as
 * a node that catches up is given them.
 */
import { ed25519KeyPairFromSeed } from "@chartseal/crypto";
import { cometAddress } from "@chartseal/ledger";
import type { Response } from "cosmjs-types/tendermint/abci/types";
import { withFolder } from "../file/disk.ts";
import { loadAverage, round } from "../machine.ts";
import { median } from "../measure.ts";
import type { Row } from "../outcome.ts";
import type { AbciClient } from "./abci-client.ts";
import { ConsortiumChain } from "./chain.ts";
import {
  demand,
  type LoneMemberOptions,
  type OpenMember,
  openMember,
  type SnapshotTimes,
  throughSnapshot,
} from "./lone-member.ts";
import { newValidators } from "./nodes.ts";

/** Registrations of a block that fills the state: as many as a block holds. */
const fillBlock = 4_096;
const owners = 100;
const maxTxBytes = 4n * 1024n * 1024n;

export interface GrowthAmounts {
  readonly sizes: readonly number[];
  /** Registrations of a measured block, and how many such blocks at each size. */
  readonly block: number;
  readonly blocks: number;
}

export interface GrowthOptions {
  readonly program: string;
  readonly amounts: GrowthAmounts;
  readonly folder: string;
  readonly note: (text: string) => void;
}

/** Milliseconds of each part of a block's way. */
interface Steps {
  readonly check: number;
  readonly propose: number;
  readonly decide: number;
  readonly commit: number;
}

export async function measureGrowth(options: GrowthOptions): Promise<Row[]> {
  const { sizes, block } = options.amounts;
  const [first] = sizes;
  demand(first !== undefined, "there is a size to measure");
  const member = await GrowingMember.found(options);
  try {
    const rows: Row[] = [];
    for (const size of sizes) {
      options.note(`consortium: a state of ${size} records`);
      await member.fill(size);
      const { own, beside } = await inTurns(member, size === first ? undefined : first, options);
      const times = beside === undefined ? 1 : wholeOf(own) / wholeOf(beside);
      const row = { ...rowOf(size, block, own), ...snapshotRow(await member.snapshot(options.folder)) };
      rows.push({
        ...row,
        ...(beside === undefined ? {} : { "first size in turns, ms": wholeOf(beside) }),
        "times the first": round(times, 2),
      });
    }
    return rows;
  } finally {
    await member.close();
  }
}

/**
 * A member's blocks, and in turns with them those of another one whose state is of the first size: a machine that is
 * faster in one minute than in another must not look like growth.
 */
async function inTurns(
  member: GrowingMember,
  first: number | undefined,
  options: GrowthOptions,
): Promise<{ readonly own: readonly Steps[]; readonly beside: readonly Steps[] | undefined }> {
  const { block, blocks } = options.amounts;
  const own: Steps[] = [];
  if (first === undefined) {
    while (own.length < blocks) own.push(await member.register(block));
    return { own, beside: undefined };
  }
  return withFolder(options.folder, async (folder) => {
    const small = await GrowingMember.found({ ...options, folder });
    try {
      await small.fill(first);
      const beside: Steps[] = [];
      while (own.length < blocks) {
        beside.push(await small.register(block));
        own.push(await member.register(block));
      }
      return { own, beside };
    } finally {
      await small.close();
    }
  });
}

function snapshotRow({ takingMs, loadingMs, bytes }: SnapshotTimes): Row {
  return {
    "snapshot, MB": round(bytes / 1e6, 2),
    "taking it, s": round(takingMs / 1000, 2),
    "loading it, s": round(loadingMs / 1000, 2),
  };
}

/** Median of a block's whole way, in milliseconds. */
function wholeOf(times: readonly Steps[]): number {
  const whole = times.map(({ check, propose, decide, commit }) => check + propose + decide + commit);
  return round(median(whole), 1);
}

function rowOf(records: number, block: number, times: readonly Steps[]): Row {
  const of = (part: (steps: Steps) => number): number => round(median(times.map(part)), 1);
  const whole = wholeOf(times);
  return {
    records,
    registrations: block,
    "all, ms": whole,
    "a second": round(block / (whole / 1000), 0),
    "check, ms": of(({ check }) => check),
    "propose, ms": of(({ propose }) => propose),
    "decide, ms": of(({ decide }) => decide),
    "commit, ms": of(({ commit }) => commit),
    load: loadAverage(),
  };
}

/** A validator's application and its chain. */
class GrowingMember {
  readonly #chain: ConsortiumChain;
  readonly #options: LoneMemberOptions;
  readonly #proposerAddress: Uint8Array;
  #member: OpenMember;
  #height: bigint;
  #records = 0;

  private constructor(parts: {
    readonly chain: ConsortiumChain;
    readonly options: LoneMemberOptions;
    readonly member: OpenMember;
    readonly proposerAddress: Uint8Array;
    readonly height: bigint;
  }) {
    this.#chain = parts.chain;
    this.#options = parts.options;
    this.#member = parts.member;
    this.#proposerAddress = parts.proposerAddress;
    this.#height = parts.height;
  }

  /** On a real node, which is down afterwards. */
  static async found(options: { readonly program: string; readonly folder: string }): Promise<GrowingMember> {
    const validatorSeeds = newValidators(1);
    const chain = await ConsortiumChain.found({ ...options, validatorSeeds, owners });
    const [directory, rpcUrl] = [chain.nodes.directories[0]!, chain.nodes.rpcUrls[0]!];
    const own = { directory, rpcUrl, start: chain.start };
    const member = await openMember(own, 0);
    const { info } = await member.node.ask({ info: {} });
    const proposerAddress = cometAddress(ed25519KeyPairFromSeed(validatorSeeds[0]!).publicKey);
    return new GrowingMember({ chain, options: own, member, proposerAddress, height: info!.lastBlockHeight });
  }

  get #node(): AbciClient {
    return this.#member.node;
  }

  /** The state as a snapshot, and from there in a new member's hands. */
  async snapshot(folder: string): Promise<SnapshotTimes> {
    await this.#member.close();
    const times = await withFolder(folder, (own) => throughSnapshot(this.#options, own));
    this.#member = await openMember(this.#options, 0);
    return times;
  }

  /** Up to so many records, in whole blocks that were decided; the next one is signed while one is executed. */
  async fill(total: number): Promise<void> {
    let before: Promise<unknown> = Promise.resolve();
    while (this.#records < total) {
      const txs = await this.#made(Math.min(fillBlock, total - this.#records));
      await before;
      before = this.#decide(txs);
      before.catch(() => {});
    }
    await before;
  }

  async #made(count: number): Promise<readonly Uint8Array[]> {
    const [txs] = await this.#chain.byOwners(count);
    this.#records += count;
    return txs!;
  }

  #place() {
    const ms = Date.now();
    const time = { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
    return { height: this.#height + 1n, time, proposerAddress: this.#proposerAddress };
  }

  async #decide(
    txs: readonly Uint8Array[],
    place = this.#place(),
  ): Promise<{ decide: number; commit: number }> {
    const start = performance.now();
    const { finalizeBlock } = await this.#node.ask({ finalizeBlock: { ...place, txs: [...txs] } });
    const between = performance.now();
    demand(finalizeBlock?.txResults.length === txs.length, "every registration applies");
    await this.#node.ask({ commit: {} });
    this.#height += 1n;
    return { decide: between - start, commit: performance.now() - between };
  }

  /**
   * Registrations the whole way: tried at the door, proposed, accepted as a proposal, decided, on the disk. What a proposal
   * leaves out because of the time that it may take is tried again and is in the next one, as under CometBFT.
   */
  async register(count: number): Promise<Steps> {
    let waiting = await this.#made(count);
    const steps = { check: 0, propose: 0, decide: 0, commit: 0 };
    while (waiting.length > 0) {
      const start = performance.now();
      const checked = await this.#node.askAll(waiting.map((tx) => ({ checkTx: { tx } })));
      demand(
        checked.every(({ checkTx }) => checkTx?.code === 0),
        "every registration is taken",
      );
      const between = performance.now();
      const place = this.#place();
      const question = { ...place, maxTxBytes, txs: [...waiting] };
      const { txs } = prepared(await this.#node.ask({ prepareProposal: question }));
      await this.#node.ask({ processProposal: { ...place, txs } });
      steps.check += between - start;
      steps.propose += performance.now() - between;
      const { decide, commit } = await this.#decide(txs, place);
      steps.decide += decide;
      steps.commit += commit;
      waiting = waiting.slice(txs.length);
    }
    return steps;
  }

  async close(): Promise<void> {
    await this.#member.close();
  }
}

function prepared({ prepareProposal }: Response): { txs: Uint8Array[] } {
  demand(prepareProposal !== undefined && prepareProposal.txs.length > 0, "a proposal is made");
  return prepareProposal;
}
