/**
 * The ledger's machine as CometBFT's application (ABCI 2.0). CometBFT orders transactions and signs; the block of
 * CONTRACT is built here, and its hash is the app hash. A height without transactions makes no block and leaves the app
 * hash. What a height does becomes durable in Commit alone, so that a node that was killed before plays it once more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { assert, ChartsealError, equalBytes, sha256, toHex, utf8 } from "@chartseal/crypto";
import {
  CheckTxType,
  type Request,
  type RequestCheckTx,
  type RequestFinalizeBlock,
  type RequestInitChain,
  type RequestPrepareProposal,
  type RequestProcessProposal,
  Response,
  ResponseProcessProposal_ProposalStatus as Verdict,
} from "cosmjs-types/tendermint/abci/types";
import { BlockIDFlag } from "cosmjs-types/tendermint/types/validator";
import { type Head, headOf, isTransaction } from "../block.ts";
import { cometAddress } from "../light/hashes.ts";
import { cometChainId } from "../light/types.ts";
import {
  BlockBuilder,
  type BlockStart,
  type ExecutedBlock,
  executeBlock,
  genesisHead,
  type Rules,
  rememberedState,
} from "../machine.ts";
import { Overlay, type StateReader } from "../state.ts";
import { isEmptyHash } from "../state-tree.ts";
import { isAttestation } from "./attestations.ts";
import type { CometStore } from "./comet-store.ts";
import type { Observed } from "./duties.ts";
import { isRefusal, refusalText } from "./refusal.ts";
import { type SnapshotOptions, Snapshots } from "./snapshots.ts";
import { Waiting } from "./waiting.ts";

/** A block takes no further transaction beyond these, as in the embedded engine. */
export const blockBytesMax = 4 * 1024 * 1024;
const blockTransactionsMax = 4_096;
/**
 * A proposal of few transactions waits so long for those that came with them: CometBFT proposes at the first, and hands
 * transactions to its application only every 20 ms.
 */
const gatherMs = 25;
const fewTransactions = 256;
/** A proposal is put together in this time: the other validators wait a second for it, and judge it as long again. */
const prepareMsMax = 400;
/** How far a proposal may be ahead of this node's clock (CRYPTO §5). */
const aheadMsMax = 30_000;
/** Blocks kept that were executed for a proposal and may be decided. */
const executedMax = 8;

export interface ApplicationEvents {
  /** A height of CometBFT is on the disk; `made` is the block of ours that it made. */
  readonly committed: (cometHeight: number, made: ExecutedBlock | undefined) => void;
  /** A transaction does not apply, or no more. `key` is the hex SHA-256 of its bytes. */
  readonly refused: (key: string, reason: unknown) => void;
  /** What the height that was just committed showed of the validators. */
  readonly observed?: (seen: Observed) => void;
  /** A message between validators came; throws what it is refused with. */
  readonly attested?: (message: Uint8Array) => void;
  /** Whether a message that was taken still has to be handed on. */
  readonly isWanted?: (message: Uint8Array) => boolean;
  /** The store is another one now, which a snapshot was restored into. */
  readonly restored?: () => void;
}

export interface ApplicationParts {
  readonly store: CometStore;
  readonly rules: Rules;
  readonly now: () => number;
  readonly snapshots?: SnapshotOptions | undefined;
}

interface Proposed {
  readonly height: bigint;
  readonly time: { readonly seconds: bigint; readonly nanos: number };
  readonly proposerAddress: Uint8Array;
  readonly txs: readonly Uint8Array[];
}

interface Decided {
  readonly cometHeight: number;
  readonly executed: ExecutedBlock | undefined;
  readonly seen: Observed;
}

export class Application {
  readonly #store: CometStore;
  readonly #rules: Rules;
  readonly #now: () => number;
  readonly #events: ApplicationEvents;
  readonly #snapshots: Snapshots;
  #head: Head;
  /** What was read of the state at a head: transactions are tried, then proposed, and read the same both times. */
  #read: { readonly head: Head; readonly state: StateReader } | undefined;
  /** What the last FinalizeBlock made, until Commit. */
  #decided: Decided | undefined;
  readonly #executed = new Map<string, ExecutedBlock>();
  readonly #waiting = new Waiting(() => this.#newTrial());

  /** @throws ChartsealError `chain-altered` where the store holds another chain */
  constructor({ store, rules, now, snapshots = {} }: ApplicationParts, events: ApplicationEvents) {
    this.#store = store;
    this.#rules = rules;
    this.#now = now;
    this.#events = events;
    const start = genesisHead(rules).head;
    const { genesis, stateRoot } = store.chain.genesis();
    if (!equalBytes(genesis, rules.genesis) || !equalBytes(stateRoot, start.stateRoot)) {
      throw new ChartsealError("chain-altered", "the stored genesis is not what the chain began with");
    }
    const last = store.chain.block(store.chain.height());
    this.#head = last === undefined ? start : headOf(last);
    // A store without the root of its state would come up and stop at the first transaction.
    const { height, stateRoot: root } = this.#head;
    if (!isEmptyHash(root)) store.chain.tree(height).load(root);
    this.#snapshots = new Snapshots(store, rules, snapshots, () => this.#restored());
  }

  #restored(): void {
    this.connected();
    this.#head = headOf(this.#store.chain.block(this.#store.chain.height())!);
    this.#events.restored?.();
  }

  /** After it nothing of the store is read here any more. */
  close(): Promise<void> {
    return this.#snapshots.close();
  }

  /** The last block of which the end of its height is on the disk. */
  get head(): Head {
    return this.#head;
  }

  async handle(request: Request): Promise<Response> {
    if (request.info !== undefined) return this.#info();
    if (request.initChain !== undefined) return this.#initChain(request.initChain);
    if (request.checkTx !== undefined) return this.#checkTx(request.checkTx);
    if (request.prepareProposal !== undefined) return this.#prepareProposal(request.prepareProposal);
    if (request.processProposal !== undefined) return this.#processProposal(request.processProposal);
    if (request.finalizeBlock !== undefined) return this.#finalizeBlock(request.finalizeBlock);
    if (request.commit !== undefined) return this.#commit();
    if (request.query !== undefined) return this.#query(request.query);
    if (request.listSnapshots !== undefined) return this.#snapshots.list();
    if (request.loadSnapshotChunk !== undefined) return this.#snapshots.load(request.loadSnapshotChunk);
    if (request.offerSnapshot !== undefined) return this.#snapshots.offer(request.offerSnapshot);
    if (request.applySnapshotChunk !== undefined) return this.#snapshots.apply(request.applySnapshotChunk);
    throw new ChartsealError("defect", "CometBFT asks for what this application does not do");
  }

  /** A node connects anew: it holds no transaction and plays once more what was not committed. */
  connected(): void {
    this.#decided = undefined;
    this.#executed.clear();
    this.#waiting.clear();
  }

  #appHash(): Uint8Array {
    return this.#head.height === 0 ? this.#rules.chainId : this.#head.hash;
  }

  #info(): Response {
    const cometHeight = this.#store.cometHeight();
    const info = {
      data: "chartseal",
      version: "1",
      appVersion: 1n,
      lastBlockHeight: BigInt(cometHeight),
      lastBlockAppHash: cometHeight === 0 ? new Uint8Array(0) : this.#appHash(),
    };
    return Response.fromPartial({ info });
  }

  #initChain({ chainId, appStateBytes, validators, initialHeight }: RequestInitChain): Response {
    const refuse = (message: string): never => {
      throw new ChartsealError("chain-altered", message);
    };
    if (chainId !== cometChainId(toHex(this.#rules.chainId)))
      refuse("the CometBFT chain id is not this ledger's");
    if (initialHeight !== 1n) refuse("the CometBFT genesis does not begin at height 1");
    if (genesisOfAppState(appStateBytes) !== toHex(this.#rules.genesis)) {
      refuse("the CometBFT genesis holds another genesis than the ledger's");
    }
    const given = validators.map(({ pubKey, power }) => [
      toHex(pubKey?.ed25519 ?? new Uint8Array()),
      Number(power),
    ]);
    const wanted = this.#validatorsAtStart()?.map(({ publicKey, stake }) => [toHex(publicKey), stake]);
    if (wanted !== undefined && String(given.sort()) !== String(wanted.sort())) {
      refuse("the CometBFT genesis has other validators than the ledger's");
    }
    const keys = validators.flatMap(({ pubKey }) => pubKey?.ed25519 ?? []);
    this.#store.addProposers(keys.map((publicKey) => ({ address: cometAddress(publicKey), publicKey })));
    return Response.fromPartial({ initChain: { appHash: this.#rules.chainId } });
  }

  #validatorsAtStart(): { publicKey: Uint8Array; stake: number }[] | undefined {
    const state = new Overlay({ get: () => undefined });
    this.#rules.initialise(state);
    return this.#rules.validators?.(state).slice();
  }

  /** Tries a transaction after those that wait already; cheap checks come first in the rules themselves. */
  #checkTx({ tx, type }: RequestCheckTx): Response {
    const transaction = new Uint8Array(tx);
    try {
      if (isAttestation(transaction)) return this.#checkAttestation(transaction, type);
      if (type === CheckTxType.RECHECK) {
        this.#store.chain.together(() => this.#waiting.keep(transaction));
        return Response.fromPartial({ checkTx: { code: 0 } });
      }
      const { identifier } = this.#store.chain.together(() => this.#waiting.add(transaction));
      return Response.fromPartial({ checkTx: { code: 0, data: identifier } });
    } catch (error) {
      if (!(error instanceof ChartsealError) || error.code === "chain-altered" || error.code === "defect") {
        throw error;
      }
      this.#events.refused(toHex(sha256(transaction)), error);
      return Response.fromPartial({ checkTx: { code: 1, log: refusalText(error) } });
    }
  }

  /** CometBFT hands it on to the other validators, and asks again after every height whether to go on. */
  #checkAttestation(message: Uint8Array, type: CheckTxType): Response {
    const { attested, isWanted } = this.#events;
    if (attested === undefined || isWanted === undefined) {
      throw new ChartsealError("input-invalid", "this ledger's validators attest nothing");
    }
    if (type === CheckTxType.NEW) attested(message);
    return Response.fromPartial({ checkTx: { code: isWanted(message) ? 0 : 1 } });
  }

  /** What refuses a transaction right after the last block, whatever else waits; undefined where it applies. */
  refusalAtHead(transaction: Uint8Array): ChartsealError | undefined {
    try {
      this.#newTrial().add(transaction);
      return undefined;
    } catch (error) {
      if (error instanceof ChartsealError && isRefusal(error)) return error;
      throw error;
    }
  }

  #state(): StateReader {
    if (this.#read?.head !== this.#head) {
      const tree = this.#store.chain.tree(this.#head.height);
      this.#read = { head: this.#head, state: rememberedState(tree, this.#head) };
    }
    return this.#read.state;
  }

  #newTrial(): BlockBuilder {
    const state = this.#state();
    // Whoever proposes, a transaction is judged alike.
    const [validator] = this.#rules.validators?.(new Overlay(state)) ?? [];
    const proposer = validator?.publicKey ?? this.#store.anyProposer();
    if (proposer === undefined) throw new ChartsealError("ledger-unreachable", "the chain has not begun");
    return this.#begin({ timestampMs: this.#now(), proposer, state });
  }

  #begin(next: BlockStart): BlockBuilder {
    return new BlockBuilder(this.#store.chain.tree(this.#head.height), this.#head, this.#rules, next);
  }

  #startOf({ time, proposerAddress }: Proposed): BlockStart {
    const proposer = this.#proposerOf(proposerAddress);
    return { timestampMs: milliseconds(time), proposer, state: this.#state() };
  }

  #proposerOf(address: Uint8Array): Uint8Array {
    const key = this.#store.proposer(address);
    if (key !== undefined) return key;
    throw new ChartsealError("chain-altered", "the block's proposer is no validator", {
      data: { field: "proposer" },
    });
  }

  /** Of what waits, in order, what applies and fits; the block is kept, since this node will be asked for it again. */
  async #prepareProposal(asked: RequestPrepareProposal): Promise<Response> {
    const count = this.#waiting.count + asked.txs.filter((tx) => isTransaction(tx)).length;
    if (count > 0 && count < fewTransactions) await sleep(gatherMs);
    const room = Math.min(Number(asked.maxTxBytes), blockBytesMax);
    const txs: Uint8Array[] = [];
    let size = 0;
    const waiting = this.#offered(asked.txs);
    const select = (): void => {
      const builder = this.#begin(this.#startOf(asked));
      const until = this.#now() + prepareMsMax;
      for (const transaction of waiting) {
        const more = sizeInBlock(transaction);
        if (size + more > room || txs.length === blockTransactionsMax) break;
        if (txs.length > 0 && this.#now() > until) break;
        try {
          builder.add(transaction);
        } catch (error) {
          if (!isRefusal(error)) throw error;
          this.#waiting.doubt(transaction, this.#head.height);
          continue;
        }
        txs.push(transaction);
        size += more;
      }
      if (txs.length > 0) this.#keep({ ...asked, txs }, builder.finish());
    };
    if (waiting.length > 0) this.#store.chain.together(select);
    return Response.fromPartial({ prepareProposal: { txs } });
  }

  /** What was accepted here, some of which CometBFT has not put into its own list yet, then what else it offers. */
  #offered(txs: readonly Uint8Array[]): Uint8Array[] {
    const others = txs.filter((tx) => isTransaction(tx) && !this.#waiting.has(tx));
    return [...this.#waiting.transactions(), ...others.map((tx) => new Uint8Array(tx))];
  }

  #processProposal(asked: RequestProcessProposal): Response {
    const status = this.#accepts(asked) ? Verdict.ACCEPT : Verdict.REJECT;
    return Response.fromPartial({ processProposal: { status } });
  }

  #accepts(proposed: RequestProcessProposal): boolean {
    if (milliseconds(proposed.time) > this.#now() + aheadMsMax) return false;
    const size = proposed.txs.reduce((sum, { length }) => sum + length, 0);
    if (size > blockBytesMax || proposed.txs.length > blockTransactionsMax) return false;
    if (!proposed.txs.every((tx) => isTransaction(tx))) return false;
    try {
      this.#execute(proposed);
      return true;
    } catch (error) {
      if (isRefusal(error) || (error instanceof ChartsealError && error.data.field === "proposer"))
        return false;
      throw error;
    }
  }

  /** The block that these transactions make, from what was kept of the proposal where it is the same. */
  #execute(proposed: Proposed): ExecutedBlock | undefined {
    if (proposed.txs.length === 0) return undefined;
    const kept = this.#executed.get(this.#keyOf(proposed));
    if (kept !== undefined) return kept;
    const transactions = proposed.txs.map((tx) => new Uint8Array(tx));
    const input = {
      nodes: this.#store.chain.tree(this.#head.height),
      previous: this.#head,
      rules: this.#rules,
      ...this.#startOf(proposed),
      transactions,
    };
    // Thousands of nodes are read here, each under a lock of its own otherwise.
    const executed = this.#store.chain.together(() => executeBlock(input));
    this.#keep(proposed, executed);
    return executed;
  }

  /** Everything that the block depends on: height, time, proposer and the transactions' bytes, after the present head. */
  #keyOf({ height, time, proposerAddress, txs }: Proposed): string {
    const place = `${toHex(this.#head.hash)} ${height} ${time.seconds} ${time.nanos} ${toHex(proposerAddress)}`;
    return toHex(sha256(utf8([place, ...txs.map((tx) => toHex(sha256(tx)))].join(" "))));
  }

  #keep(proposed: Proposed, executed: ExecutedBlock): void {
    this.#executed.set(this.#keyOf(proposed), executed);
    const [oldest] = this.#executed.keys();
    if (this.#executed.size > executedMax && oldest !== undefined) this.#executed.delete(oldest);
  }

  /** Decided by more than two thirds: what does not apply now is a fault that must stop this node. */
  #finalizeBlock(asked: RequestFinalizeBlock): Response {
    const executed = this.#execute(asked);
    this.#decided = { cometHeight: Number(asked.height), executed, seen: this.#observed(asked) };
    const results = executed?.results ?? [];
    const finalizeBlock = {
      txResults: results.map(({ identifier }) => ({ code: 0, data: identifier })),
      validatorUpdates: (executed?.validatorUpdates ?? []).map(({ publicKey, stake }) => ({
        pubKey: { ed25519: publicKey },
        power: BigInt(stake),
      })),
      appHash: executed?.hash ?? this.#appHash(),
    };
    return Response.fromPartial({ finalizeBlock });
  }

  #observed({ height, time, decidedLastCommit, misbehavior }: RequestFinalizeBlock): Observed {
    const votes = (decidedLastCommit?.votes ?? []).map(({ validator, blockIdFlag }) => ({
      address: new Uint8Array(validator?.address ?? []),
      absent: blockIdFlag === BlockIDFlag.BLOCK_ID_FLAG_ABSENT,
    }));
    return {
      cometHeight: Number(height),
      timestampMs: milliseconds(time),
      head: this.#head,
      lastCommit: { height: Number(height) - 1, votes },
      evidence: (misbehavior ?? []).length > 0,
    };
  }

  #commit(): Response {
    assert(this.#decided !== undefined, "CometBFT commits what it finalised");
    const { cometHeight, executed, seen } = this.#decided;
    const updated = (executed?.validatorUpdates ?? []).map(({ publicKey }) => ({
      address: cometAddress(publicKey),
      publicKey,
    }));
    this.#store.commit(cometHeight, executed, updated);
    this.#decided = undefined;
    this.#executed.clear();
    // A height without a block leaves the head as it is, and not what refused transactions had read.
    this.#read = undefined;
    if (executed !== undefined) this.#head = headOf(executed);
    this.#waiting.next(this.#head.height);
    this.#events.committed(cometHeight, executed);
    if (executed !== undefined) this.#snapshots.blockMade(this.#head.height);
    this.#events.observed?.(seen);
    return Response.fromPartial({ commit: { retainHeight: 0n } });
  }

  /** `/head`: our height (u64 as text) and hash of the last block. */
  #query({ path }: { path: string }): Response {
    if (path !== "/head") return Response.fromPartial({ query: { code: 1, log: "the only path is /head" } });
    const value = utf8(JSON.stringify({ height: this.#head.height, hash: toHex(this.#head.hash) }));
    const height = BigInt(this.#store.cometHeight());
    return Response.fromPartial({ query: { code: 0, key: utf8("head"), value, height } });
  }
}

function milliseconds({ seconds, nanos }: Proposed["time"]): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000);
}

/** As one of the repeated fields of a protobuf message. */
function sizeInBlock({ length }: Uint8Array): number {
  return 1 + (length < 0x80 ? 1 : length < 0x4000 ? 2 : 3) + length;
}

function genesisOfAppState(bytes: Uint8Array): string {
  try {
    const { genesis } = JSON.parse(new TextDecoder().decode(bytes)) as { genesis: unknown };
    return String(genesis);
  } catch {
    return "";
  }
}
