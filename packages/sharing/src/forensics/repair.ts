/**
 * What can be put right from what is there, without a key (CONTRACT, forensics --repair): right bytes that lie in a wrong
 * place, excess bytes, leaf hashes, journal entries. Everything is checked against the ledger before it takes a place,
 * and what cannot be proved right is left as it is.
 */
import { equalBytes, fromHex, hasCode, hashPayload, sha256 } from "@chartseal/crypto";
import type { ObjectStore, PutHandle } from "@chartseal/storage";
import { destroyRecord, type Holdings } from "../provider/follow.ts";
import type { Journal, ProviderStores } from "../provider/stores.ts";
import { rebuildLeaves } from "../provider/take.ts";
import { getRange } from "../streams.ts";
import type { Finding } from "./finding.ts";
import { readHeader } from "./identify.ts";
import type { StoredRecord } from "./records.ts";

/** One thing that was done. */
export interface Repaired {
  readonly kind: Finding["kind"];
  readonly recordId?: string;
  readonly copy?: string;
  readonly detail: string;
  /** Of what belongs into the record's log: false until it is on the ledger. */
  readonly recorded?: boolean;
}

interface RepairInput {
  readonly stores: Pick<ProviderStores, "objects" | "leaves" | "journal">;
  readonly records: readonly StoredRecord[];
  readonly findings: readonly Finding[];
  readonly now: () => number;
}

/** Puts right what the findings allow, in an order in which no good copy is overwritten before it was read. */
export async function repairStored(input: RepairInput): Promise<Repaired[]> {
  const byId = new Map(input.records.map((record) => [record.recordId, record]));
  const of = (finding: Finding): StoredRecord | undefined => byId.get(finding.recordId ?? "");
  const done = await restoreCopies(input, of);
  for (const finding of input.findings) {
    const record = of(finding);
    if (record !== undefined && isExcess(finding, record, input.findings)) {
      done.push(...(await cutExcess(input.stores.objects, record)));
    }
  }
  const addresses = new Set<string>();
  for (const finding of input.findings) {
    const record = of(finding);
    if (record === undefined || record.erased) continue;
    if (finding.kind === "journal-incomplete")
      done.push(await enter(input.stores.journal, record, input.now()));
    if (finding.kind === "leaves-damaged" && !addresses.has(record.address)) {
      addresses.add(record.address);
      done.push(...(await rebuild(input.stores, record)));
    }
  }
  return done;
}

/**
 * Finishes erasures that left or got back an object, and writes lost tombstones again. Only on a ledger that was found
 * sound: what it calls erased is destroyed.
 */
export async function repairErased(holdings: Holdings, findings: readonly Finding[]): Promise<Repaired[]> {
  const done = new Map<string, Repaired>();
  for (const { kind, recordId } of findings) {
    if ((kind !== "erased-object" && kind !== "tombstone-missing") || recordId === undefined) continue;
    if (done.has(recordId)) continue;
    const addresses = await destroyRecord(holdings, fromHex(recordId, 32));
    const detail = `destroyed what was left of an erased record at ${addresses.join(", ")}; its tombstone stands`;
    done.set(recordId, { kind, recordId, detail });
  }
  return [...done.values()];
}

/** Bytes beyond the registered length, where all before them are right. */
function isExcess(finding: Finding, record: StoredRecord, all: readonly Finding[]): boolean {
  const beyond = finding.kind === "object-altered" && finding.offset === record.sealedBytes;
  const others = all.some(
    (one) => one !== finding && one.copy === finding.copy && one.kind === "object-altered",
  );
  return beyond && !others;
}

/** Every misplaced copy is read into a new object first; only when all are durable do they take their places. */
async function restoreCopies(
  { stores, findings }: RepairInput,
  of: (finding: Finding) => StoredRecord | undefined,
): Promise<Repaired[]> {
  const waiting: { handle: PutHandle; name: string; done: Repaired }[] = [];
  const places = new Set<string>();
  try {
    for (const finding of findings) {
      const { goodCopy, recordId, copy, part, kind } = finding;
      const record = of(finding);
      if (goodCopy === undefined || record === undefined || copy === undefined || places.has(copy)) continue;
      const handle = await stores.objects.begin();
      const good = part === "header" ? copyHeader : copyPayload;
      if (!(await good(stores.objects, { from: goodCopy, to: handle, record }))) {
        await handle.abort();
        continue;
      }
      places.add(copy);
      const detail = `restored the ${part} of record ${record.recordId} from ${goodCopy}, where its bytes lay`;
      waiting.push({ handle, name: copy, done: { kind, recordId: recordId ?? "", copy, detail } });
    }
    for (const { handle, name } of waiting) await handle.commit(name);
    return waiting.map(({ done }) => done);
  } catch (error) {
    for (const { handle } of waiting) await handle.abort();
    throw error;
  }
}

interface Copying {
  readonly from: string;
  readonly to: PutHandle;
  readonly record: StoredRecord;
}

/** True if what was written is exactly the registered payload. */
async function copyPayload(objects: ObjectStore, { from, to, record }: Copying): Promise<boolean> {
  const { chunkBytes, sealedBytes, payloadDigest } = record;
  const { size } = await objects.stat(from);
  const length = Math.min(size, sealedBytes);
  const passing = hashPayload({ source: getRange(objects, from, { offset: 0, length }), chunkBytes });
  for await (const chunk of passing.chunks) await to.write(chunk);
  const { digest, ciphertextLength } = await passing.finished;
  return ciphertextLength === sealedBytes && equalBytes(digest, payloadDigest);
}

async function copyHeader(objects: ObjectStore, { from, to, record }: Copying): Promise<boolean> {
  const bytes = await readHeader(objects, from);
  if (bytes === undefined || !equalBytes(sha256(bytes), record.headerHash)) return false;
  await to.write(bytes);
  return true;
}

async function cutExcess(objects: ObjectStore, record: StoredRecord): Promise<Repaired[]> {
  const { address, recordId, sealedBytes } = record;
  const handle = await objects.begin();
  try {
    if (!(await copyPayload(objects, { from: address, to: handle, record }))) return [];
    await handle.commit(address);
  } finally {
    await handle.abort();
  }
  const detail = `cut the object back to its registered ${sealedBytes} bytes`;
  return [{ kind: "object-altered", recordId, copy: address, detail }];
}

/** Only from a payload that is right: leaf hashes of a wrong one would hide which chunks of it are. */
async function rebuild(
  stores: Pick<ProviderStores, "objects" | "leaves">,
  { recordId, address, chunkBytes, payloadDigest }: StoredRecord,
): Promise<Repaired[]> {
  try {
    await rebuildLeaves(stores, { address, chunkBytes, digest: payloadDigest });
  } catch (error) {
    if (hasCode(error, "object-missing") || hasCode(error, "object-altered")) return [];
    throw error;
  }
  const detail = "made the leaf hashes again from the payload; they give the ledger's digest";
  return [{ kind: "leaves-damaged", recordId, copy: address, detail }];
}

async function enter(journal: Journal, { recordId, address }: StoredRecord, atMs: number): Promise<Repaired> {
  await journal.append({ event: "taken", address, atMs });
  const detail = "entered the registered object in the provider's journal";
  return { kind: "journal-incomplete", recordId, copy: address, detail };
}
