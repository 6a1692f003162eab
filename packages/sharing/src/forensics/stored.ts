/**
 * Every stored object against the ledger and the provider's journal (CONTRACT, verify): payloads chunk by chunk, headers,
 * leaf hashes, what is missing, what nobody knows, what should be gone. Reads only; memory grows with the number of
 * records and never with their size.
 */
import { ChartsealError, equalBytes, fromHex, sha256 } from "@chartseal/crypto";
import { type ObjectStore, StorageError } from "@chartseal/storage";
import { headerName, type JournalEntry, pendingName, type Tombstone } from "../provider/stores.ts";
import { type Finding, remedies } from "./finding.ts";
import { headerDifference, identify, readHeader, unreadableDetail } from "./identify.ts";
import { type ChunkRange, checkPayload, type ObjectReader, type PayloadState } from "./payload-check.ts";
import type { StoredRecord } from "./records.ts";

/** The provider's stores, for reading; opening and reading them changes no byte. */
export interface StoredObjects {
  readonly objects: ObjectReader & Pick<ObjectStore, "list"> & { foreign(): AsyncIterable<string> };
  readonly leaves: ObjectReader;
  readonly pending: ObjectReader;
  readonly journal: { entries(): AsyncIterable<JournalEntry> };
  readonly tombstones: { list(): Promise<readonly Tombstone[]> };
}

export interface StoredInput extends StoredObjects {
  /** Every record of the ledger; undefined where none of it can be read. */
  readonly records: () => Promise<readonly StoredRecord[] | undefined>;
  /** A record as the ledger has it by now: a writer may have changed it meanwhile. */
  readonly current?: (recordId: string) => Promise<StoredRecord | undefined>;
  readonly onTotal?: (bytes: number) => void;
  readonly onBytes?: (bytes: number) => void;
}

/** A record's payload as the check saw it, for the report's picture. */
export interface RecordState {
  readonly record: StoredRecord;
  readonly payload: PayloadState | undefined;
  readonly header: "good" | "missing" | "altered" | "erased";
}

export interface StoredReport {
  readonly findings: readonly Finding[];
  /** Objects seen. */
  readonly objects: number;
  /** Names of objects that were stored and never registered. */
  readonly orphans: readonly string[];
  readonly records: readonly RecordState[];
}

/** Where the header of the rekey that made this version waits until the provider next opens its stores. */
function pendingOf({ recordId, version, headerHash }: StoredRecord): string {
  return pendingName({ recordId: fromHex(recordId, 32), version, headerHash });
}

function baseOf(name: string): string {
  return name.endsWith(".header") ? name.slice(0, -".header".length) : name;
}

const rereadsMax = 3;
/** Kinds that another copy of the same bytes repairs. */
const repairable: readonly string[] = ["object-missing", "object-altered", "header-altered"];

export async function verifyStored(input: StoredInput): Promise<StoredReport> {
  // In this order: whatever is listed was entered in the journal before, and is registered, if at all, later.
  const names: string[] = [];
  for await (const name of input.objects.list()) names.push(name);
  const strangers: string[] = [];
  for await (const path of input.objects.foreign()) strangers.push(path);
  const journal = new Map<string, JournalEntry>();
  for await (const entry of input.journal.entries()) journal.set(entry.address, entry);
  const tombstones = await input.tombstones.list();
  const records = await input.records();
  const check = new StoredCheck(input, records ?? [], journal);
  for (const path of strangers) check.foreignPath(path);
  await check.places(names, tombstones, records !== undefined);
  input.onTotal?.(check.totalBytes());
  for (const record of records ?? []) await check.record(record);
  check.goodCopies();
  check.tombstones(tombstones);
  return { findings: check.findings, objects: names.length, orphans: check.orphans, records: check.states };
}

class StoredCheck {
  readonly findings: Finding[] = [];
  readonly orphans: string[] = [];
  readonly states: RecordState[] = [];
  readonly #input: StoredInput;
  readonly #records: readonly StoredRecord[];
  readonly #journal: ReadonlyMap<string, JournalEntry>;
  /** Name of a misplaced object → what it holds; asked for good copies. */
  readonly #elsewhere: { readonly name: string; readonly recordId: string; readonly part: string }[] = [];

  constructor(
    input: StoredInput,
    records: readonly StoredRecord[],
    journal: ReadonlyMap<string, JournalEntry>,
  ) {
    this.#input = input;
    this.#records = records;
    this.#journal = journal;
  }

  #find(finding: Finding): void {
    this.findings.push(finding);
  }

  totalBytes(): number {
    return this.#records.reduce((sum, { erased, sealedBytes }) => sum + (erased ? 0 : sealedBytes), 0);
  }

  foreignPath(path: string): void {
    const detail = "this path cannot be an object's: a name that the store never gives, a link, or no file";
    this.#find({ kind: "foreign-object", copy: path, detail, remedy: remedies.foreign });
  }

  /** Judges every object that is not a registered record's by its name alone, and looks into the unknown ones. */
  async places(names: readonly string[], tombstones: readonly Tombstone[], known: boolean): Promise<void> {
    const live = new Set(this.#records.filter(({ erased }) => !erased).map(({ address }) => address));
    const erased = new Map(
      this.#records.filter((one) => one.erased).map((one) => [one.address, one.recordId]),
    );
    for (const tombstone of tombstones) {
      if (tombstone.kind === "erased") erased.set(tombstone.address, tombstone.recordId);
    }
    for (const copy of names) {
      const base = baseOf(copy);
      const recordId = erased.get(base);
      if (recordId !== undefined) this.#erasedObject(copy, recordId);
      else if (!live.has(base)) await this.#unregistered(copy, known);
    }
  }

  #erasedObject(copy: string, recordId: string): void {
    const detail = "the record was erased, and this object of it is still there or there again";
    this.#find({ kind: "erased-object", recordId, copy, detail, remedy: remedies.erased });
  }

  async #unregistered(copy: string, known: boolean): Promise<void> {
    const entry = this.#journal.get(baseOf(copy));
    if (entry?.event === "taken") {
      if (known) this.orphans.push(copy);
      return;
    }
    const when = entry === undefined ? "" : ` since it was removed at ${new Date(entry.atMs).toISOString()}`;
    const whose = await this.#identify(copy);
    const what =
      whose === undefined ? "" : `; its bytes are the ${whose.part} of record ${whose.record.recordId}`;
    if (whose !== undefined) {
      this.#elsewhere.push({ name: copy, recordId: whose.record.recordId, part: whose.part });
    }
    const detail = `the provider's journal does not know this object${when}${what}`;
    this.#find({ kind: "foreign-object", copy, detail, remedy: remedies.foreign });
  }

  async #identify(name: string): ReturnType<typeof identify> {
    try {
      return await identify(this.#input.objects, name, this.#records);
    } catch (error) {
      if (isUnreadable(error)) return undefined;
      throw error;
    }
  }

  /** One record; a mismatch counts only if the ledger still says the same after it. */
  async record(record: StoredRecord): Promise<void> {
    let asked = record;
    for (let reads = 0; ; reads++) {
      const { findings, state } = await this.#lookAt(asked);
      const current = findings.length === 0 ? asked : await this.#input.current?.(record.recordId);
      const changed =
        current !== undefined && (current.version !== asked.version || current.erased !== asked.erased);
      if (!changed || reads === rereadsMax) {
        this.findings.push(...findings);
        this.states.push(state);
        return;
      }
      asked = current;
    }
  }

  async #lookAt(record: StoredRecord): Promise<{ findings: Finding[]; state: RecordState }> {
    if (record.erased) return { findings: [], state: { record, payload: undefined, header: "erased" } };
    const findings: Finding[] = [];
    const header = await this.#header(record, findings);
    const payload = await this.#payload(record, findings);
    if (!this.#journal.has(record.address)) {
      findings.push({
        kind: "journal-incomplete",
        recordId: record.recordId,
        copy: record.address,
        detail: "the provider's journal does not say that it took this registered object",
        remedy: remedies.journal,
      });
    }
    return { findings, state: { record, payload, header } };
  }

  async #header(record: StoredRecord, findings: Finding[]): Promise<RecordState["header"]> {
    const { recordId, address } = record;
    const copy = headerName(address);
    const place = { recordId, copy, part: "header" } as const;
    let bytes: Uint8Array | undefined;
    try {
      bytes = await readHeader(this.#input.objects, copy);
      if (bytes !== undefined && equalBytes(sha256(bytes), record.headerHash)) return "good";
      // A rekey whose header waits for its place: the provider puts it there when it next opens its stores.
      const waiting = await readHeader(this.#input.pending, pendingOf(record));
      if (waiting !== undefined && equalBytes(sha256(waiting), record.headerHash)) return "good";
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      findings.push(unreadable(place, error));
      return "altered";
    }
    const remedy = remedies.header;
    if (bytes === undefined) {
      const detail = "the record's header is missing";
      findings.push({ kind: "object-missing", ...place, detail, remedy });
      return "missing";
    }
    const { field, detail: how } = headerDifference(bytes, record);
    const whose = this.#records.find(({ headerHash }) => equalBytes(headerHash, sha256(bytes)));
    if (whose !== undefined) {
      this.#elsewhere.push({ name: copy, recordId: whose.recordId, part: "header" });
    }
    const detail =
      whose === undefined
        ? `the header is not the registered one: ${how}`
        : `the header is that of record ${whose.recordId}`;
    findings.push({
      kind: "header-altered",
      ...place,
      field,
      offset: 0,
      length: bytes.length,
      detail,
      remedy,
    });
    return "altered";
  }

  async #payload(record: StoredRecord, findings: Finding[]): Promise<PayloadState | undefined> {
    const place = { recordId: record.recordId, copy: record.address, part: "payload" } as const;
    let state: PayloadState;
    try {
      state = await checkPayload(this.#input, record, this.#input.onBytes);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      findings.push(unreadable(place, error));
      return undefined;
    }
    if (state.size === undefined) {
      const detail = `the record's payload of ${record.sealedBytes} bytes is missing`;
      findings.push({ kind: "object-missing", ...place, detail, remedy: remedies.payload });
    } else if (!state.good) await this.#badPayload(record, state, findings);
    this.#leaves(record, state, findings);
    return state;
  }

  async #badPayload(record: StoredRecord, state: PayloadState, findings: Finding[]): Promise<void> {
    const { recordId, address, sealedBytes } = record;
    const whose = await this.#identify(address);
    if (whose !== undefined) {
      this.#elsewhere.push({ name: address, recordId: whose.record.recordId, part: whose.part });
    }
    const place = { recordId, copy: address, part: "payload" } as const;
    const remedy = remedies.payload;
    const size = state.size ?? 0;
    if (state.excess > 0) {
      const detail = `the object has ${state.excess} bytes more than the ${sealedBytes} registered`;
      const cut = state.bad.length === 0 ? remedies.extended : remedy;
      const beyond = { offset: sealedBytes, length: state.excess };
      findings.push({ kind: "object-altered", ...place, ...beyond, detail, remedy: cut });
    }
    for (const range of state.bad) {
      const detail =
        whose === undefined
          ? rangeDetail(range, { size, precise: state.precise })
          : `the object is the ${whose.part} of record ${whose.record.recordId}`;
      const chunks = state.precise ? range : { offset: range.offset, length: range.length };
      findings.push({ kind: "object-altered", ...place, ...chunks, detail, remedy });
    }
  }

  #leaves({ recordId, address }: StoredRecord, state: PayloadState, findings: Finding[]): void {
    if (state.leaves === "good" && state.tree) return;
    const details = {
      missing: "the leaf hashes of this payload are missing",
      altered: "the stored leaf hashes do not give the payload digest of the ledger",
      good: "the span tree beside the leaf hashes is missing or does not give the payload digest",
    };
    const detail = details[state.leaves];
    const remedy = state.good ? remedies.leaves : remedies.leavesLater;
    findings.push({ kind: "leaves-damaged", recordId, copy: address, part: "leaves", detail, remedy });
  }

  /** Names the object that holds the right bytes, where another one does: known only when all were seen. */
  goodCopies(): void {
    for (const [at, finding] of this.findings.entries()) {
      const { recordId, part, offset, kind } = finding;
      const record = this.#records.find((one) => one.recordId === recordId);
      const beyond = kind === "object-altered" && offset === record?.sealedBytes;
      const found = this.#elsewhere.find((one) => one.recordId === recordId && one.part === part);
      if (found === undefined || beyond || !repairable.includes(kind)) continue;
      this.findings[at] = { ...finding, goodCopy: found.name, remedy: remedies.goodCopy };
    }
  }

  /** Erased records whose tombstone is lost: an older backup would bring them back. */
  tombstones(tombstones: readonly Tombstone[]): void {
    const marked = new Set(tombstones.flatMap((one) => (one.kind === "erased" ? [one.recordId] : [])));
    for (const { recordId, address, erased } of this.#records) {
      const stillThere = this.findings.some(
        (one) => one.kind === "erased-object" && one.recordId === recordId,
      );
      if (!erased || marked.has(recordId) || stillThere) continue;
      const detail = "the record was erased and its tombstone is not there: a backup would bring it back";
      this.#find({ kind: "tombstone-missing", recordId, copy: address, detail, remedy: remedies.tombstone });
    }
  }
}

function rangeDetail(range: ChunkRange, { size, precise }: { size: number; precise: boolean }): string {
  if (!precise) {
    return "the object does not give the payload digest of the ledger; the leaf hashes that would say where are damaged";
  }
  const last = range.chunk + range.chunks - 1;
  const which = range.chunks === 1 ? `chunk ${range.chunk} is` : `chunks ${range.chunk} to ${last} are`;
  const place = `bytes ${range.offset} to ${range.offset + range.length - 1}`;
  if (size <= range.offset) return `${which} missing (${place}): the object ends at byte ${size}`;
  const cut = size < range.offset + range.length ? `, and the object ends at byte ${size}` : "";
  return `${which} not what was deposited (${place})${cut}`;
}

function isUnreadable(error: unknown): boolean {
  if (error instanceof StorageError) return true;
  return (
    error instanceof ChartsealError &&
    ["provider-unreachable", "object-altered", "object-missing"].includes(error.code)
  );
}

function unreadable(place: Pick<Finding, "recordId" | "copy" | "part">, error: unknown): Finding {
  const detail = `the object cannot be read: ${unreadableDetail(error)}`;
  return { kind: "object-unreadable", ...place, detail, remedy: remedies.unreadable };
}
