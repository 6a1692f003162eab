/**
 * Snapshots as CometBFT asks for them (ABCI 2.0, state sync): those that this node gives, taken every so many blocks of ours
 * and kept for a while, and the one that it is restoring. A chunk is believed for its hash, a snapshot for the app hash that
 * CometBFT's light client verified; whoever gives anything else is named to CometBFT as a liar.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, equalBytes, sha256 } from "@chartseal/crypto";
import {
  ResponseApplySnapshotChunk_Result as Applied,
  ResponseOfferSnapshot_Result as Offered,
  type RequestApplySnapshotChunk,
  type RequestLoadSnapshotChunk,
  type RequestOfferSnapshot,
  Response,
} from "cosmjs-types/tendermint/abci/types";
import type { Rules } from "../machine.ts";
import { run } from "../store/store.ts";
import type { CometStore } from "./comet-store.ts";
import {
  chunkBytesMax,
  decodeMetadata,
  encodeMetadata,
  type SnapshotMetadata,
  snapshotFormat,
} from "./snapshot-format.ts";
import { Restore, removeRestore } from "./snapshot-restore.ts";
import { takeSnapshot, unfinished } from "./snapshot-taking.ts";

export interface SnapshotOptions {
  /** Blocks of ours from one snapshot to the next: default 1,000; 0 for none. */
  readonly blocks?: number;
  /** Size of a chunk: default and at most 4 MiB. All nodes need the same, or a joining node gets each from one of them. */
  readonly chunkBytes?: number;
  /** Learns what could not be taken, and why one that was offered is not restored. */
  readonly failed?: (error: unknown) => void;
}

const blocksDefault = 1_000;
const keptMost = 2;

export class Snapshots {
  readonly #store: CometStore;
  readonly #rules: Rules;
  readonly #options: SnapshotOptions;
  readonly #restored: () => void;
  readonly #kept = new Map<number, SnapshotMetadata>();
  #taking: Promise<void> | undefined;
  #closed = false;
  #restore: Restore | undefined;

  constructor(store: CometStore, rules: Rules, options: SnapshotOptions, restored: () => void) {
    this.#store = store;
    this.#rules = rules;
    this.#options = options;
    this.#restored = restored;
    run(() => {
      removeRestore(store.folder);
      this.#findKept();
    });
    this.blockMade(store.chain.height());
  }

  get #folder(): string {
    return join(this.#store.folder, "snapshots");
  }

  #findKept(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#folder)) {
      const metadata = name.endsWith(unfinished) ? undefined : this.#readMetadata(name);
      if (metadata === undefined) rmSync(join(this.#folder, name), { recursive: true, force: true });
      else this.#kept.set(metadata.cometHeight, metadata);
    }
  }

  /** Undefined for what is no snapshot of this chain: one that is not there is taken anew. */
  #readMetadata(name: string): SnapshotMetadata | undefined {
    try {
      const metadata = decodeMetadata(new Uint8Array(readFileSync(join(this.#folder, name, "metadata"))));
      const isOurs =
        equalBytes(metadata.chainId, this.#rules.chainId) && name === String(metadata.cometHeight);
      return isOurs && this.#store.madeAt(metadata.height) === metadata.cometHeight ? metadata : undefined;
    } catch {
      return undefined;
    }
  }

  /** A block is on the disk: takes a snapshot of the last one that is due, if none is being taken. */
  blockMade(height: number): void {
    const { blocks = blocksDefault, chunkBytes = chunkBytesMax, failed } = this.#options;
    if (blocks === 0 || this.#taking !== undefined || this.#closed) return;
    const due = Math.floor(height / blocks) * blocks;
    const isKept = [...this.#kept.values()].some((one) => one.height >= due);
    if (due === 0 || due < this.#store.chain.base() || isKept) return;
    const { chainId } = this.#rules;
    const folder = this.#folder;
    const wanted = () => !this.#closed;
    const taking = { store: this.#store, chainId, height: due, folder, chunkBytes, wanted };
    this.#taking = takeSnapshot(taking)
      .then((metadata) => {
        this.#taking = undefined;
        if (metadata !== undefined) this.#keep(metadata);
        // Another may have come due meanwhile.
        if (!this.#closed) this.blockMade(this.#store.chain.height());
      })
      .catch((error) => {
        this.#taking = undefined;
        if (!this.#closed) failed?.(error);
      });
  }

  #keep(metadata: SnapshotMetadata): void {
    this.#kept.set(metadata.cometHeight, metadata);
    const heights = [...this.#kept.keys()].sort((a, b) => b - a);
    for (const height of heights.slice(keptMost)) {
      this.#kept.delete(height);
      rmSync(join(this.#folder, String(height)), { recursive: true, force: true });
    }
  }

  list(): Response {
    const snapshots = [...this.#kept.values()].map((one) => {
      const metadata = encodeMetadata(one);
      const { cometHeight, chunks } = one;
      return {
        height: BigInt(cometHeight),
        format: snapshotFormat,
        chunks: chunks.length,
        hash: sha256(metadata),
        metadata,
      };
    });
    return Response.fromPartial({ listSnapshots: { snapshots } });
  }

  /** No bytes where there is none: CometBFT asks somebody else. */
  load({ height, format, chunk: index }: RequestLoadSnapshotChunk): Response {
    const kept = this.#kept.get(Number(height));
    let chunk = new Uint8Array(0);
    if (format === snapshotFormat && kept !== undefined && index < kept.chunks.length) {
      const path = join(this.#folder, String(kept.cometHeight), String(index));
      chunk = run(() => new Uint8Array(readFileSync(path)));
    }
    return Response.fromPartial({ loadSnapshotChunk: { chunk } });
  }

  offer({ snapshot, appHash }: RequestOfferSnapshot): Response {
    const answer = (result: Offered) => Response.fromPartial({ offerSnapshot: { result } });
    if (snapshot?.format !== snapshotFormat) return answer(Offered.REJECT_FORMAT);
    if (!this.#store.isReplaceable()) {
      const hint = "Move the ledger's folder away, or turn state sync off.";
      this.#fail(
        new ChartsealError("input-invalid", "a snapshot is offered to a node that holds a chain", { hint }),
      );
      return answer(Offered.ABORT);
    }
    const metadata = metadataOf(new Uint8Array(snapshot.metadata), snapshot);
    // Whoever calls a state by a block that the chain does not have there lies about it.
    if (metadata === undefined || !equalBytes(metadata.blockHash, new Uint8Array(appHash))) {
      this.#fail(new ChartsealError("chain-altered", "a snapshot is offered that is not of this chain"));
      return answer(Offered.REJECT_SENDER);
    }
    if (!equalBytes(metadata.chainId, this.#rules.chainId)) return answer(Offered.REJECT_SENDER);
    this.#restore?.abandon();
    const { folder } = this.#store;
    this.#restore = new Restore({ folder, rules: this.#rules, metadata, trustedHash: metadata.blockHash });
    return answer(Offered.ACCEPT);
  }

  apply({ index, chunk, sender }: RequestApplySnapshotChunk): Response {
    const restore = this.#restore;
    const answer = (result: Applied, more: { refetchChunks?: number[]; rejectSenders?: string[] } = {}) =>
      Response.fromPartial({ applySnapshotChunk: { result, ...more } });
    if (restore === undefined) return answer(Applied.REJECT_SNAPSHOT);
    const bytes = new Uint8Array(chunk);
    if (!restore.isNext(index, bytes)) {
      const data = { index, sender };
      this.#fail(
        new ChartsealError("chain-altered", "a chunk of a snapshot is not the one that it names", { data }),
      );
      return answer(Applied.RETRY, { refetchChunks: [index], rejectSenders: sender === "" ? [] : [sender] });
    }
    try {
      restore.take(bytes);
      if (restore.isWhole) this.#finish(restore);
      return answer(Applied.ACCEPT);
    } catch (error) {
      if (!(error instanceof ChartsealError) || error.code !== "chain-altered") throw error;
      this.#fail(error);
      restore.abandon();
      this.#restore = undefined;
      return answer(Applied.REJECT_SNAPSHOT, { rejectSenders: sender === "" ? [] : [sender] });
    }
  }

  #finish(restore: Restore): void {
    const file = restore.finish();
    this.#restore = undefined;
    this.#store.adopt(file);
    this.#restored();
  }

  #fail(error: ChartsealError): void {
    this.#options.failed?.(error);
  }

  /** Resolves when nothing is being taken any more; the store may be closed then. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#taking;
    this.#restore?.abandon();
    this.#restore = undefined;
  }
}

/** Undefined for bytes that are none, or that say another thing than CometBFT was told. */
function metadataOf(
  bytes: Uint8Array,
  told: { readonly height: bigint; readonly chunks: number; readonly hash: Uint8Array },
): SnapshotMetadata | undefined {
  try {
    const metadata = decodeMetadata(bytes);
    const isSame =
      equalBytes(sha256(bytes), new Uint8Array(told.hash)) &&
      BigInt(metadata.cometHeight) === told.height &&
      metadata.chunks.length === told.chunks;
    return isSame ? metadata : undefined;
  } catch {
    return undefined;
  }
}
