/**
 * An engine's own check of its store: the whole chain by replay, and that the store holds every node of every state root,
 * finds every transaction where it is, and is sound as a database. Memory does not grow with the chain. A store that began
 * with a snapshot is checked from that block on, over its whole state.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { ChartsealError, equalBytes, isFamily } from "@chartseal/crypto";
import type { Block } from "../block.ts";
import { ChainCheck, type ChainReport, type ReplayNodes } from "../chain-check.ts";
import { type AppliedTransaction, genesisHead, type Rules } from "../machine.ts";
import { byteText } from "../state.ts";
import { isEmptyHash, type StateNode, type StateUpdate } from "../state-tree.ts";
import { type Connection, openForReading } from "./connection.ts";
import type { StoreKind } from "./schema.ts";
import type { Store } from "./store.ts";

/** Between two looks at the event loop. */
const blocksAtOnce = 32;

/** A store as an engine shows it. */
export interface CheckedStore {
  readonly store: Store;
  readonly rules: Rules;
  /** A block with its commit. */
  readonly block: (height: number) => Block | undefined;
  /** The last block that has its commit. */
  readonly last: number;
}

/**
 * Checks the ledger of a home, beside a live writer too, and changes no byte. Damage is in the report.
 * @throws ChartsealError `home-missing`, `home-busy`, `ledger-unreachable`
 */
export async function verifyStore(
  directory: string,
  kind: StoreKind,
  open: (connection: Connection) => CheckedStore,
): Promise<ChainReport> {
  let connection: Connection | undefined;
  try {
    connection = openForReading(directory, kind);
    return await checkStore(open(connection));
  } catch (error) {
    if (!isFamily(error, "integrity")) throw error;
    const findings = [{ height: 0, field: "store", detail: error.message }];
    const head = { height: 0, hash: new Uint8Array(32), stateRoot: new Uint8Array(32), timestampMs: 0 };
    return { ok: false, from: 1, blocks: 0, transactions: 0, head, stateCheckedTo: 0, findings };
  } finally {
    connection?.close();
  }
}

async function checkStore({ store, rules, block, last }: CheckedStore): Promise<ChainReport> {
  const nodes = new StoredReplay(store);
  const check = new ChainCheck(rules, nodes);
  if (!equalBytes(store.genesis().stateRoot, genesisHead(rules).head.stateRoot)) {
    check.find(0, "stateRoot", "the stored root of the genesis is not what the chain began with");
  }
  const base = store.base();
  const begun = base > 0 && last > 0 ? await checkBase({ store, check, nodes }, base, () => block(base)) : 0;
  for (let height = base + 1; height <= last; height++) {
    nodes.height = height;
    checkHeight(store, check, { height, block: () => block(height) });
    if (height % blocksAtOnce === 0) await breathe();
  }
  checkWhole(store, check, { last, unindexed: begun });
  return check.report();
}

/** The block of a snapshot and all of its state. @returns how many transactions it has, which no index names */
async function checkBase(
  at: { readonly store: Store; readonly check: ChainCheck; readonly nodes: StoredReplay },
  height: number,
  read: () => Block | undefined,
): Promise<number> {
  const { store, check, nodes } = at;
  try {
    const block = read();
    if (block === undefined) {
      throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
    }
    nodes.height = height + 1;
    check.begin(block, await isStateWhole(store, check, block));
    return block.transactions.length;
  } catch (error) {
    check.unreadable(error);
    return 0;
  }
}

/** Reads every node under a block's state root; one that is missing or altered is a finding. */
async function isStateWhole(store: Store, check: ChainCheck, { header }: Block): Promise<boolean> {
  try {
    for (const _lot of store.leaves(header.height, header.stateRoot)) await breathe();
    return true;
  } catch (error) {
    if (!isFamily(error, "integrity")) throw error;
    check.find(header.height, "stateRoot", error.message);
    return false;
  }
}

/** The nodes of a replay, every one of which must be in the file already, where the tree of the block leads to it. */
class StoredReplay implements ReplayNodes {
  readonly #store: Store;
  /** Of the block that is replayed; the genesis before all. */
  height = 0;
  /** The last block that was: its state is read before the next one's turn, and a root is found through its block alone. */
  #added: { readonly height: number; readonly root: Uint8Array } | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  load(hash: Uint8Array, at?: number, position?: number): StateNode {
    const last = this.#added;
    const isLast = last !== undefined && equalBytes(hash, last.root);
    return this.#store.tree(isLast ? last.height : this.height - 1).load(hash, at, position);
  }

  /** Goes down from the stored root; read past what is kept decoded, so that the file itself is what is checked. */
  add({ root, rootAt, added }: StateUpdate): void {
    const made = new Map(Array.from(added, ({ hash, node }) => [byteText(hash), node]));
    const seen = (hash: Uint8Array, before: number | undefined, stored: number | undefined): void => {
      if (isEmptyHash(hash)) return;
      const node = made.get(byteText(hash));
      if (node === undefined) {
        this.#same(hash, stored, before ?? this.#store.rootAt(this.height - 1));
        return;
      }
      const found = this.#store.loadStored(hash, stored);
      if (node.type !== "inner" || found.type !== "inner") return;
      seen(node.left, node.leftAt, found.leftAt);
      seen(node.right, node.rightAt, found.rightAt);
    };
    seen(root, rootAt, this.#store.rootAt(this.height));
    this.#added = { height: this.height, root };
  }

  /**
   * What was there before was checked when it was made, at one of its places. Another one, where it came back, was named by
   * stores that looked for nodes by their hashes: it must lead to the same, down to where both ways meet.
   */
  #same(hash: Uint8Array, one: number | undefined, other: number | undefined): void {
    if (isEmptyHash(hash) || (one === other && one !== undefined)) return;
    const [found, again] = [this.#store.loadStored(hash, one), this.#store.loadStored(hash, other)];
    if (found.type !== "inner" || again.type !== "inner") return;
    this.#same(found.left, found.leftAt, again.leftAt);
    this.#same(found.right, found.rightAt, again.rightAt);
  }

  forget(): void {}
}

/** What no single block shows: the database's own structure, that rows of nodes lie where places lead, that the index holds no more than the chain. */
function checkWhole(
  store: Store,
  check: ChainCheck,
  { last, unindexed }: { readonly last: number; readonly unindexed: number },
): void {
  try {
    store.checkRows();
  } catch (error) {
    if (!isFamily(error, "integrity")) throw error;
    check.find(0, "store", error.message);
  }
  try {
    for (const detail of store.damage()) check.find(0, "store", detail);
    const { transactions } = check.report();
    if (store.transactionCount() !== transactions - unindexed && store.height() === last) {
      check.find(0, "store", "the index of transactions does not have one entry a transaction");
    }
  } catch (error) {
    if (!isFamily(error, "integrity")) throw error;
    check.find(0, "store", error.message);
  }
}

function checkHeight(
  store: Store,
  check: ChainCheck,
  at: { readonly height: number; readonly block: () => Block | undefined },
): void {
  const { height } = at;
  try {
    const block = at.block();
    if (block === undefined) {
      throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
    }
    checkIndex(store, check, height, check.block(block) ?? []);
  } catch (error) {
    check.unreadable(error);
  }
}

function checkIndex(
  store: Store,
  check: ChainCheck,
  height: number,
  results: readonly AppliedTransaction[],
): void {
  for (const [transaction, { identifier }] of results.entries()) {
    const found = store.location(identifier);
    if (found?.height === height && found.index === transaction) continue;
    check.find(height, "store", "the index of transactions does not lead to this one", { transaction });
  }
}
