/**
 * Repairs that the ledger does not know of yet: what is about to be done is noted before the first shard is written, what
 * was done in its place afterwards, and it is struck out when the ledger has it. So a process that dies at any instant
 * leaves no repair, or a repair that is said, and said once.
 */
import { hasCode, randomBytes, toHex } from "@chartseal/crypto";
import { decodeTransaction, entries, type Ledger, logKey, outcomes } from "@chartseal/ledger";
import { outcomeOf, type PlannedRepair, type SplitStore } from "@chartseal/storage";
import { readEntry, requireRecord } from "../state.ts";
import { storageFailure } from "../streams.ts";
import { recordPlacement } from "./placing.ts";
import { type RepairEntry, repairEntryOf } from "./repair-entry.ts";
import type { ProviderAtWork } from "./self.ts";

export interface RepairNote {
  readonly id: string;
  readonly recordId: Uint8Array;
  /** The ledger's head before: what is said of this repair stands above. */
  readonly sinceHeight: number;
  /** Of payload and header, until it is known what became of them. */
  readonly planned: readonly PlannedRepair[];
  /** What is to be said. */
  readonly entry: RepairEntry | null;
}

/** Where they are kept; both at once, and `save` durable when it returns. */
export interface RepairNotes {
  load(): readonly RepairNote[];
  save(notes: readonly RepairNote[]): void;
}

/** Repairs that this process is at: what their notes say, they say themselves. */
const underWay = new Set<string>();

/** One record's repair. */
export class NotedRepair {
  readonly id = toHex(randomBytes(8));
  readonly #notes: RepairNotes | undefined;
  readonly #of: Pick<RepairNote, "recordId" | "sinceHeight">;

  private constructor(notes: RepairNotes | undefined, of: Pick<RepairNote, "recordId" | "sinceHeight">) {
    this.#notes = notes;
    this.#of = of;
  }

  /** What an earlier repair of the record left open is looked at first, as far as its places answer. */
  static async during<T>(
    on: {
      readonly notes: RepairNotes | undefined;
      readonly recordId: Uint8Array;
      readonly ledger: Ledger;
      readonly split: SplitStore;
    },
    act: (noted: NotedRepair) => Promise<T>,
  ): Promise<T> {
    const { notes, recordId, ledger, split } = on;
    for (const note of notes?.load() ?? []) {
      const isOpen = note.planned.length > 0 && toHex(note.recordId) === toHex(recordId);
      if (isOpen && !underWay.has(note.id)) await settled(notes!, { note, split }).catch(onlyUnreachable);
    }
    const noted = new NotedRepair(notes, { recordId, sinceHeight: (await ledger.head()).height });
    underWay.add(noted.id);
    try {
      return await act(noted);
    } finally {
      underWay.delete(noted.id);
    }
  }

  /** Durable when it returns. */
  plan(planned: PlannedRepair): void {
    const before = this.#notes?.load().find(({ id }) => id === this.id)?.planned ?? [];
    replace(this.#notes, this.id, {
      id: this.id,
      ...this.#of,
      planned: [...before, planned],
      entry: null,
    });
  }

  /** What was done, of a repair that failed nowhere; undefined where nothing was. */
  done(entry: RepairEntry | undefined): void {
    replace(this.#notes, this.id, entry && { id: this.id, ...this.#of, planned: [], entry });
  }

  /** What was done by a repair that failed somewhere: as one does that comes after a crash. */
  async lookedAt(split: SplitStore): Promise<void> {
    const note = this.#notes?.load().find(({ id }) => id === this.id);
    if (note !== undefined) await settled(this.#notes!, { note, split }).catch(onlyUnreachable);
  }
}

function replace(notes: RepairNotes | undefined, id: string, note: RepairNote | undefined): void {
  if (notes === undefined) return;
  const before = notes.load();
  const others = before.filter((one) => one.id !== id);
  if (note !== undefined || others.length < before.length) notes.save(note ? [...others, note] : others);
}

function onlyUnreachable(error: unknown): undefined {
  if (!hasCode(error, "provider-unreachable")) throw error;
}

/** A note with what became of its plan; undefined where nothing did. @throws ChartsealError `provider-unreachable` */
async function settled(
  notes: RepairNotes,
  { note, split }: { readonly note: RepairNote; readonly split: SplitStore | undefined },
): Promise<RepairNote | undefined> {
  if (note.planned.length === 0) return note;
  const objects = [];
  for (const planned of split === undefined ? [] : note.planned) {
    try {
      objects.push(await outcomeOf(split!, planned));
    } catch (error) {
      throw storageFailure(error, planned.name);
    }
  }
  const entry = repairEntryOf(note.recordId, objects);
  const known = entry && { ...note, planned: [], entry };
  replace(notes, note.id, known);
  return known;
}

/**
 * Says on the ledger what is noted and not said yet, one after the other. What the ledger does not take any more, of a
 * record that was erased or moved meanwhile, is done with as well; what a place has to answer for first stays.
 */
export async function sayRepairs(self: ProviderAtWork): Promise<void> {
  const { stores, surroundings } = self;
  const notes = stores.repairs;
  for (const { id } of notes?.load() ?? []) {
    if (underWay.has(id)) continue;
    const note = notes!.load().find((one) => one.id === id);
    const known =
      note && (await settled(notes!, { note, split: stores.placed?.split }).catch(onlyUnreachable));
    if (known?.entry == null) continue;
    const height = (await saidAt(surroundings.ledger, known)) ?? (await say(self, known.entry));
    // Another repair of the record, with the same counts, is said by another entry.
    const rest = notes!.load().filter((one) => one.id !== id);
    notes!.save(
      rest.map((one) =>
        height !== undefined && toHex(one.recordId) === toHex(known.recordId)
          ? { ...one, sinceHeight: Math.max(one.sinceHeight, height) }
          : one,
      ),
    );
    await recordPlacement(self, known.recordId);
  }
}

/** The height at which it stands; undefined where the ledger takes it no more. */
async function say({ writer }: ProviderAtWork, entry: RepairEntry): Promise<number | undefined> {
  try {
    return (await writer.submit({ kind: "record-repair", ...entry })).height;
  } catch (error) {
    if (!hasCode(error, "transaction-refused")) throw error;
    return undefined;
  }
}

/** Where the record's log has it already: the process died between the block and striking it out. */
async function saidAt(
  ledger: Ledger,
  { entry, recordId, sinceHeight }: RepairNote,
): Promise<number | undefined> {
  if (entry === null) return undefined;
  const { logCount } = await requireRecord(ledger, recordId);
  for (let index = logCount - 1; index >= 0; index--) {
    const logged = await readEntry(ledger, entries.log, logKey(recordId, index));
    if (logged === undefined || logged.height <= sinceHeight) return undefined;
    if (logged.outcome !== outcomes.repaired) continue;
    const found = await ledger.transaction(logged.identifier);
    const action = found && decodeTransaction(found.bytes).body.action;
    if (action?.kind === "record-repair" && isSame(action, entry)) return logged.height;
  }
  return undefined;
}

function isSame(one: RepairEntry, other: RepairEntry): boolean {
  const told = ({ k, n, lost, rebuilt, regions, note }: RepairEntry) =>
    JSON.stringify([k, n, lost, rebuilt, regions, note]);
  return told(one) === told(other);
}
