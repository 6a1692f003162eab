/**
 * The consortium of world.ts as a chain that an engine can hold too: its blocks come from the machine, so that bodies
 * name blocks that there are, and each block's transactions, time and hash are kept.
 */
import { loadPairing, u64 } from "@chartseal/crypto";
import { apply } from "../src/apply.ts";
import { executeBlock, genesisHead, type Head, ledgerRules, MemoryNodes } from "../src/index.ts";
import { Refusal } from "../src/refusals.ts";
import { blockKind, Overlay } from "../src/state.ts";
import { entries, load } from "../src/state-kinds.ts";
import { service, World } from "./world.ts";
import { genesisBytes, populate } from "./world-build.ts";

export interface MadeBlock {
  readonly transactions: readonly Uint8Array[];
  readonly timestampMs: number;
  readonly hash: Uint8Array;
}

export class ChainWorld extends World {
  readonly made: MadeBlock[] = [];
  readonly #nodes = new MemoryNodes();
  readonly #rules = ledgerRules(this.pairing, this.genesis);
  #head: Head;

  constructor(...parts: ConstructorParameters<typeof World>) {
    super(...parts);
    const { head, update } = genesisHead(this.#rules);
    this.#nodes.add(update.added);
    this.#head = head;
  }

  /** The whole consortium of `builtWorld`. */
  static async build(): Promise<ChainWorld> {
    const world = new ChainWorld(await loadPairing(), genesisBytes());
    populate(world);
    return world;
  }

  override blockHash(height: number): Uint8Array {
    return this.made[height - 1]?.hash ?? this.chainId;
  }

  override submit(transaction: Uint8Array): Uint8Array {
    const { timestampMs } = this;
    const { identifier } = this.offer(transaction);
    const block = executeBlock({
      nodes: this.#nodes,
      previous: this.#head,
      rules: this.#rules,
      timestampMs,
      proposer: service.publicKey,
      transactions: [transaction],
    });
    this.#nodes.add(block.update.added);
    this.#head = { ...block.header, hash: block.hash };
    this.close([transaction], block.hash);
    return identifier;
  }

  /** Applies as the next transaction of the block in the making. @throws Refusal, and then nothing has changed */
  offer(transaction: Uint8Array): { readonly identifier: Uint8Array } {
    const overlay = new Overlay(this.state);
    const applied = apply(overlay, this.context(), transaction);
    overlay.writeTo(this.state);
    return applied;
  }

  /** The refusal's name, or undefined where it applied. */
  judge(transaction: Uint8Array): string | undefined {
    try {
      this.offer(transaction);
      return undefined;
    } catch (error) {
      if (error instanceof Refusal) return error.refusal;
      throw error;
    }
  }

  /** Ends the block of what was offered, under the hash that an engine gave it. */
  close(transactions: readonly Uint8Array[], hash: Uint8Array): void {
    this.made.push({ transactions, timestampMs: this.timestampMs, hash });
    this.height++;
    this.state.put(blockKind, u64(this.height), hash);
    this.timestampMs += 1000;
  }

  /** Everything offered since is undone. */
  restore(values: ReadonlyMap<string, Uint8Array>): void {
    this.state.values.clear();
    for (const [key, value] of values) this.state.values.set(key, value);
  }

  recordOf(recordId: Uint8Array) {
    return load(this.state, entries.record, recordId);
  }
}
