/**
 * When the provider has what to erase, so that no round walks all records that will be erased one day. The ids lie by
 * the day from which on they may be due, in files that follow the ledger's blocks up to a height that is noted, and that
 * are made anew from the ledger's own list where they are missing, damaged or of another chain. A file may name a record
 * too early, which is seen when its day comes, and never too late.
 */
import {
  type CborValue,
  ChartsealError,
  decode,
  encode,
  equalBytes,
  fromHex,
  isFamily,
  toHex,
} from "@chartseal/crypto";
import {
  type Action,
  emptyKey,
  entries,
  type Ledger,
  listKey,
  lists,
  type RecordValue,
} from "@chartseal/ledger";
import type { ObjectStore } from "@chartseal/storage";
import { isCertified, readKeeping } from "../keeping.ts";
import { readEntry, readList } from "../state.ts";
import { exists, getWhole, once } from "../streams.ts";
import { actionsOf } from "./chain.ts";

const dayMs = 86_400_000;
/** Blocks that are read rather than the whole list, however short that is. */
const blocksBehindMax = 256;
const heightName = "erasures.height";
const heightBytesMax = 256;
/** A day of 10⁶ records. */
const dayBytesMax = 64 * 1024 * 1024;

/** What is to be done now. */
export interface ErasuresDue {
  /** To be erased: their time has come, and nothing keeps them. */
  readonly due: readonly Uint8Array[];
  /** Erased, and their certificate is still to come. */
  readonly uncertified: readonly Uint8Array[];
}

export class ErasureSchedule {
  readonly #ledger: Ledger;
  readonly #files: ObjectStore;
  readonly #provider: Uint8Array;

  constructor(of: { readonly ledger: Ledger; readonly files: ObjectStore; readonly provider: Uint8Array }) {
    this.#ledger = of.ledger;
    this.#files = of.files;
    this.#provider = of.provider;
  }

  /** What is due at that time, by the ledger's state of now. Reads the records of days up to that one, and no others. */
  async due(timeMs: number): Promise<ErasuresDue> {
    try {
      await this.#follow();
      return await this.#look(timeMs);
    } catch (error) {
      if (!(error instanceof ChartsealError) || isFamily(error, "unavailable")) throw error;
      // A file of it is damaged: all of it can be had again.
      await this.#begin();
      return await this.#look(timeMs);
    }
  }

  /** Takes in what happened since the noted height. */
  async #follow(): Promise<void> {
    const { height } = await this.#ledger.head();
    const from = await this.#height();
    const count = (await readEntry(this.#ledger, entries.listSize, listKey(lists.toErase, emptyKey))) ?? 0;
    const tooFar = from !== undefined && height - from > Math.max(blocksBehindMax, count);
    if (from === undefined || from > height || tooFar) return await this.#begin();
    if (from === height) return;
    const changed = new Map<string, Uint8Array>();
    for (let at = from + 1; at <= height; at++) {
      for (const { action } of await actionsOf(this.#ledger, at)) {
        const recordId = changedBy(action);
        if (recordId !== undefined) changed.set(toHex(recordId), recordId);
      }
    }
    await this.#plan([...changed.values()]);
    await this.#note(height);
  }

  /** From the ledger's list, and nothing else. */
  async #begin(): Promise<void> {
    const { height } = await this.#ledger.head();
    await this.#files.remove(heightName);
    for (const { name } of await this.#days()) await this.#files.remove(name);
    await this.#plan(await readList(this.#ledger, lists.toErase, emptyKey));
    await this.#note(height);
  }

  /** The height up to which blocks were taken in; undefined where nothing of this chain was. */
  async #height(): Promise<number | undefined> {
    if (!(await exists(this.#files, heightName))) return undefined;
    const value = decode(await getWhole(this.#files, heightName, heightBytesMax), {
      sizeMax: heightBytesMax,
    });
    const [height, hash] = Array.isArray(value) ? (value as readonly CborValue[]) : [];
    if (typeof height !== "number" || !(hash instanceof Uint8Array)) return undefined;
    if (height === 0) return 0;
    const block = await this.#ledger.block(height);
    return block !== undefined && equalBytes(block.hash, hash) ? height : undefined;
  }

  async #note(height: number): Promise<void> {
    const block = height === 0 ? undefined : await this.#ledger.block(height);
    await this.#files.put(heightName, once(encode([height, block?.hash ?? new Uint8Array(0)])));
  }

  /** Puts each of these records that have a time at the day on which it may be due by what the ledger says now. */
  async #plan(recordIds: readonly Uint8Array[]): Promise<void> {
    const byDay = new Map<number, Uint8Array[]>();
    for (const recordId of recordIds) {
      const { eraseAfterMs, keepUntilMs } = await readKeeping(this.#ledger, recordId);
      if (eraseAfterMs === null) continue;
      const record = await readEntry(this.#ledger, entries.record, recordId);
      const atMs = record?.erasedHeight == null ? Math.max(eraseAfterMs, keepUntilMs ?? 0) : 0;
      const day = Math.floor(atMs / dayMs);
      byDay.set(day, [...(byDay.get(day) ?? []), recordId]);
    }
    for (const [day, added] of byDay) {
      const name = dayName(day);
      const there = (await exists(this.#files, name)) ? await this.#read(name) : [];
      const all = new Set([...there, ...added].map(toHex));
      if (all.size > there.length) await this.#write(name, [...all]);
    }
  }

  async #look(timeMs: number): Promise<ErasuresDue> {
    const due: Uint8Array[] = [];
    const uncertified: Uint8Array[] = [];
    for (const { name, day } of await this.#days()) {
      if (day * dayMs > timeMs) continue;
      const recordIds = await this.#read(name);
      const stay: Uint8Array[] = [];
      const later: Uint8Array[] = [];
      for (const recordId of recordIds) {
        const what = await this.#judge(recordId, timeMs);
        if (what === "due") due.push(recordId);
        if (what === "uncertified") uncertified.push(recordId);
        if (what === "later") later.push(recordId);
        else if (what !== "over") stay.push(recordId);
      }
      // Where it goes first; where it comes from last.
      await this.#plan(later);
      const today = Math.floor(timeMs / dayMs);
      if (day === today) stay.push(...later);
      if (stay.length === 0) await this.#files.remove(name);
      else if (stay.length < recordIds.length) await this.#write(name, stay.map(toHex));
    }
    return { due, uncertified };
  }

  async #judge(recordId: Uint8Array, timeMs: number): Promise<"due" | "uncertified" | "later" | "over"> {
    const record = await readEntry(this.#ledger, entries.record, recordId);
    // A new provider, a time, a hold's end: whatever makes one due again is a block that `#follow` sees.
    if (record === undefined || !equalBytes(record.provider, this.#provider)) return "over";
    if (record.erasedHeight !== null) return await this.#erased(recordId, record);
    const { eraseAfterMs, keepUntilMs, holds } = await readKeeping(this.#ledger, recordId);
    if (eraseAfterMs === null || holds.length > 0) return "over";
    return Math.max(eraseAfterMs, keepUntilMs ?? 0) <= timeMs ? "due" : "later";
  }

  async #erased(recordId: Uint8Array, { logCount }: RecordValue): Promise<"uncertified" | "over"> {
    return (await isCertified(this.#ledger, recordId, logCount)) ? "over" : "uncertified";
  }

  async #days(): Promise<{ readonly name: string; readonly day: number }[]> {
    const days: { name: string; day: number }[] = [];
    for await (const name of this.#files.list("erasures.day-")) {
      days.push({ name, day: Number(name.slice("erasures.day-".length)) });
    }
    return days;
  }

  async #read(name: string): Promise<Uint8Array[]> {
    const items = decode(await getWhole(this.#files, name, dayBytesMax), { sizeMax: dayBytesMax });
    return (Array.isArray(items) ? (items as readonly CborValue[]) : []).map((item) => {
      if (item instanceof Uint8Array && item.length === 32) return item;
      throw new ChartsealError("chain-altered", "a file of the provider is damaged");
    });
  }

  async #write(name: string, ids: readonly string[]): Promise<void> {
    await this.#files.put(name, once(encode(ids.map((id) => fromHex(id, 32)))));
  }
}

function dayName(day: number): string {
  return `erasures.day-${day}`;
}

/** The record whose time, keeping, hold, provider or end an action may change. */
function changedBy(action: Action): Uint8Array | undefined {
  switch (action.kind) {
    case "set-retention":
    case "lift-hold":
    case "rekey":
    case "erase":
    case "erase-due":
      return action.recordId;
    default:
      return undefined;
  }
}
