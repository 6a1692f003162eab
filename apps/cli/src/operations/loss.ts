/**
 * What a restore would lose: the chain after the backup's head, as the replaced home, its members' seen heads, its
 * tombstones and any `ledger export` still know it (CONTRACT, Files). Reads only.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, equalBytes, fromHex, isAttribute, isFamily, toHex } from "@chartseal/crypto";
import {
  accountOf,
  type Block,
  blockFaults,
  decodeGenesis,
  decodeTransaction,
  entries,
  type Ledger,
  parseExportLine,
} from "@chartseal/ledger";
import { readEntry, type Tombstone } from "@chartseal/sharing";
import { readJson } from "../home/files.ts";
import type { HomePaths } from "../home/paths.ts";
import { openTombstones } from "../services/provider-stores.ts";
import { exportLines } from "./ledger.ts";

export interface LostHead {
  readonly height: number;
  /** Hex. */
  readonly hash: string;
}

export interface Loss {
  /** The latest head that anyone saw and the backup does not hold, where one is known. */
  readonly head: LostHead | undefined;
  /** Whole revocations and erasures that the backup's ledger does not hold, oldest first. */
  readonly transactions: readonly Uint8Array[];
  /** Every tombstone from everywhere, each once. */
  readonly tombstones: readonly Tombstone[];
  /** Those whose transaction the backup's ledger does not hold. */
  readonly unknown: readonly Tombstone[];
  /** What is known to be missing, one sentence each. */
  readonly missing: readonly string[];
}

export interface LossSources {
  /** The backup's ledger and home. */
  readonly ledger: Ledger;
  readonly from: HomePaths;
  /** The home that is replaced, where there is one; its ledger, where it opens. */
  readonly replaced?: { readonly paths: HomePaths; readonly ledger?: Ledger };
  /** A file of `ledger export`. */
  readonly exported?: string;
}

/** @throws ChartsealError `input-invalid` for an export that is of another chain or no chain */
export async function findLoss(sources: LossSources): Promise<Loss> {
  const { ledger, from, replaced } = sources;
  const tail = new Tail(ledger);
  if (replaced?.ledger !== undefined) await tail.takeLedger(replaced.ledger);
  if (sources.exported !== undefined) await tail.takeExport(sources.exported);
  for (const paths of [from, replaced?.paths]) {
    for (const head of paths === undefined ? [] : seenHeads(paths)) await tail.takeHead(head);
  }
  const known = [from, replaced?.paths].flatMap((paths) =>
    paths === undefined ? [] : [openTombstones(paths)],
  );
  const listed = (await Promise.all(known.map((one) => one.list()))).flat();
  const tombstones = distinct(listed.filter(isSound));
  if (!listed.every(isSound)) tail.note("tombstones that cannot be read");
  const unknown = await unheld(ledger, tombstones);
  for (const one of unknown)
    if (identified(one) !== undefined) tail.takeTransaction(fromHex(one.transaction));
  return { ...tail.result(), tombstones, unknown };
}

/** Those whose transaction the ledger holds neither by itself nor inside the start of an era. */
async function unheld(ledger: Ledger, tombstones: readonly Tombstone[]): Promise<Tombstone[]> {
  const open: [Tombstone, string][] = [];
  for (const tombstone of tombstones) {
    const identifier = identified(tombstone);
    const held = identifier && (await readEntry(ledger, entries.transaction, identifier));
    if (held === undefined) open.push([tombstone, toHex(identifier ?? new Uint8Array(0))]);
  }
  if (open.length === 0) return [];
  const again = new Set<string>();
  for await (const { transactions } of ledger.blocks(1)) {
    for (const { action } of transactions.map((bytes) => decodeTransaction(bytes).body)) {
      if (action.kind !== "raise-era") continue;
      for (const bytes of action.tombstones) again.add(toHex(decodeTransaction(bytes).identifier));
    }
  }
  return open.flatMap(([tombstone, identifier]) => (again.has(identifier) ? [] : [tombstone]));
}

/** The identifier of a tombstone's transaction; undefined where it was damaged. */
function identified({ transaction }: Tombstone): Uint8Array | undefined {
  try {
    return decodeTransaction(fromHex(transaction)).identifier;
  } catch (error) {
    if (error instanceof ChartsealError && error.family === "usage") return undefined;
    throw error;
  }
}

/** Heads that members of a home have seen. */
function seenHeads(paths: HomePaths): LostHead[] {
  if (!existsSync(paths.members)) return [];
  return readdirSync(paths.members).flatMap((name) => {
    const head = readJson(join(paths.members, name, "head.json")) as LostHead | undefined;
    return head !== undefined && Number.isSafeInteger(head.height) && /^[0-9a-f]{64}$/.test(head.hash)
      ? [head]
      : [];
  });
}

/** Whether a line of the file is one that can be acted upon. */
export function isSound(tombstone: Tombstone): boolean {
  if (typeof tombstone !== "object" || tombstone === null || typeof tombstone.transaction !== "string")
    return false;
  if (tombstone.kind === "erased") {
    return /^[0-9a-f]{64}$/.test(tombstone.recordId) && /^[0-9a-f]{32}$/.test(tombstone.address);
  }
  if (!/^[0-9a-f]{40}$/.test(tombstone.account)) return false;
  if (tombstone.kind === "replaced") return true;
  if (tombstone.kind !== "revoked") return false;
  return Array.isArray(tombstone.attributes) && tombstone.attributes.every(isAttribute);
}

function distinct(tombstones: readonly Tombstone[]): Tombstone[] {
  return [...new Map(tombstones.map((one) => [JSON.stringify(one), one])).values()];
}

/** What must not be undone by a loss: it goes into the new era as it was. */
const ending: readonly string[] = ["revoke", "erase", "replace-key"];

/** The blocks, and failing them the heads, that the backup's ledger does not hold. */
class Tail {
  readonly #ledger: Ledger;
  #head: LostHead | undefined;
  readonly #transactions = new Map<string, Uint8Array>();
  readonly #missing = new Set<string>();
  /** Heights whose blocks were seen whole. */
  readonly #seen = new Set<number>();
  #ownHeight = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async #holds(head: LostHead): Promise<boolean> {
    this.#ownHeight = (await this.#ledger.head()).height;
    if (head.height === 0) return true;
    const block = await this.#ledger.block(head.height);
    return block !== undefined && toHex(block.hash) === head.hash;
  }

  note(what: string): void {
    this.#missing.add(what);
  }

  async takeHead(head: LostHead): Promise<void> {
    if (await this.#holds(head)) return;
    if (this.#head === undefined || head.height > this.#head.height) this.#head = head;
  }

  async #takeBlock(block: Block): Promise<void> {
    const head = { height: block.header.height, hash: toHex(block.hash) };
    if (await this.#holds(head)) return;
    await this.takeHead(head);
    this.#seen.add(head.height);
    for (const transaction of block.transactions) this.takeTransaction(transaction);
  }

  /** The replaced home's chain, as far as it can be read. */
  async takeLedger(ledger: Ledger): Promise<void> {
    try {
      const tail: Block[] = [];
      for (let { height } = await ledger.head(); height > 0; height--) {
        const block = await ledger.block(height);
        if (block === undefined || (await this.#holds({ height, hash: toHex(block.hash) }))) break;
        tail.push(block);
      }
      // Oldest first: what a new key signed comes after the transaction that gave it.
      for (const block of tail.reverse()) await this.#takeBlock(block);
    } catch (error) {
      if (!isFamily(error, "integrity")) throw error;
      this.#missing.add("a part of the replaced ledger that cannot be read");
    }
  }

  async takeExport(path: string): Promise<void> {
    const { chainId, genesis } = this.#ledger;
    const { validators } = decodeGenesis(genesis);
    for await (const line of exportLines(path)) {
      const block = parsed(path, line);
      const own = validators.some(({ publicKey }) => equalBytes(publicKey, block.header.proposer));
      if (!own || blockFaults(block, chainId).length > 0) {
        throw new ChartsealError("input-invalid", `${path} holds a block that is not this chain's`, {
          data: { file: path, height: block.header.height },
        });
      }
      await this.#takeBlock(block);
    }
  }

  takeTransaction(bytes: Uint8Array): void {
    const { body, identifier } = decodeTransaction(bytes);
    const { action } = body;
    if (action.kind === "raise-era") for (const one of action.tombstones) this.takeTransaction(one);
    if (ending.includes(action.kind)) this.#transactions.set(toHex(identifier), bytes);
    const what = describe(action);
    if (what !== undefined) this.#missing.add(what);
  }

  result(): Pick<Loss, "head" | "transactions" | "missing"> {
    const unseen: string[] = [];
    const last = this.#head?.height ?? 0;
    for (let height = this.#ownHeight + 1; height <= last; height++) {
      if (!this.#seen.has(height)) unseen.push(String(height));
    }
    if (unseen.length > 0) this.#missing.add(`blocks that nobody kept: ${ranges(unseen.map(Number))}`);
    const transactions = [...this.#transactions.values()];
    return { head: this.#head, transactions, missing: [...this.#missing] };
  }
}

function parsed(path: string, line: unknown): Block {
  try {
    return parseExportLine(line);
  } catch (cause) {
    throw new ChartsealError("input-invalid", `${path} is not a ledger export`, {
      data: { file: path },
      cause,
    });
  }
}

/** What people miss when a transaction is lost; undefined for the small change of the ledger. */
function describe(action: ReturnType<typeof decodeTransaction>["body"]["action"]): string | undefined {
  switch (action.kind) {
    case "deposit":
      return `record ${toHex(action.recordId)}`;
    case "rekey":
      return `version ${action.version} of record ${toHex(action.recordId)}`;
    case "enrol":
      return `account ${toHex(accountOf(action.publicKey))}`;
    case "register-namespace":
      return `namespace ${action.name}`;
    case "vouch":
      return `attributes of account ${toHex(action.account)} from ${action.namespace}`;
    case "finish-recovery":
      return `the new key of recovery ${toHex(action.recoveryId)}`;
    case "set-rule":
    case "revoke-rule":
      return `a rule for ${action.namespace}`;
    case "request-access":
      return `a read of record ${toHex(action.recordId)}`;
    default:
      return undefined;
  }
}

/** 3, 4, 5, 9 → "3-5, 9", cut where it grows long. */
function ranges(heights: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < heights.length; ) {
    let end = at;
    while (heights[end + 1] === heights[end]! + 1) end++;
    parts.push(end === at ? `${heights[at]}` : `${heights[at]}-${heights[end]}`);
    at = end + 1;
  }
  return parts.length > 8 ? `${parts.slice(0, 8).join(", ")} and more` : parts.join(", ");
}
