/**
 * Each mismatch explained (CRYPTO §5, last line): what, where, since when at the latest it was good, who held access in
 * that window, whether a good copy exists, what repairs it. Says what proves a time and what only hints at it.
 */
import type { GoodAudit } from "../audit/journal.ts";
import { type Finding, findingKinds } from "./finding.ts";
import type { History, RecordEvent } from "./history.ts";

/** A time at which the thing was good, and how that is known. */
export interface LastGood {
  readonly timestampMs: number;
  readonly height?: number;
  /** `proved`: signed on the ledger by who checked it; `likely`: used then, and nobody complained. */
  readonly certainty: "proved" | "likely";
  readonly evidence: string;
}

/** Somebody who could write there, or held the bytes, between the last good time and now. */
export interface Holder {
  readonly party: string;
  /** 40 hex, where the ledger names it. */
  readonly account?: string;
  readonly requestId?: string;
  readonly height?: number;
  readonly access: "write" | "read" | "brought";
  readonly how: string;
}

export interface Explained extends Finding {
  readonly what: string;
  readonly where: string;
  readonly lastGood: readonly LastGood[];
  /** When the file system says that the copy was last written; whoever alters a file can set it. */
  readonly modifiedMs?: number;
  readonly holders: readonly Holder[];
}

export interface CaseEvidence {
  readonly history: History;
  /** Block times by height, of blocks whose header is sound. */
  readonly timeOf: (height: number) => number | undefined;
  readonly head: { readonly height: number; readonly timestampMs: number };
  /** When the file that a finding is about was last written, where the store knows. */
  readonly modifiedMs: (finding: Finding) => number | undefined;
  /** Who proposes blocks and who stores, as accounts or keys in hex. */
  readonly validators: readonly string[];
  readonly providers: readonly string[];
  /** The last audit that a record passed, by its id in hex. */
  readonly audits?: ReadonlyMap<string, GoodAudit>;
}

export function explain(finding: Finding, evidence: CaseEvidence): Explained {
  const isChain = finding.kind.startsWith("chain-");
  const modified = evidence.modifiedMs(finding);
  return {
    ...finding,
    what: whatOf(finding),
    where: whereOf(finding),
    lastGood: isChain
      ? chainGood(finding, evidence)
      : [...objectGood(finding, evidence), ...auditGood(finding, evidence)].sort(
          (a, b) => a.timestampMs - b.timestampMs,
        ),
    ...(modified === undefined ? {} : { modifiedMs: modified }),
    holders: isChain ? chainHolders(evidence) : objectHolders(finding, evidence),
  };
}

function whatOf({ kind, chunk, part, field }: Finding): string {
  if (kind === "object-altered" && chunk === undefined) return "whole object";
  if (kind === "object-missing" && part === "header") return "missing record header";
  if (kind === "chain-header" && field !== undefined) return `block header, ${field}`;
  return findingKinds[kind];
}

/** Where it is, as exactly as the evidence allows, in one line. */
export function whereOf(finding: Finding): string {
  const { height, transaction, recordId, copy, part, chunk, chunks = 1, offset, length, member } = finding;
  const { object, place, shard, blocks } = finding;
  const name = object ?? (place === undefined ? copy : undefined);
  const last = (chunk ?? 0) + chunks - 1;
  const parts = [
    height === undefined ? "" : `block ${height}`,
    transaction === undefined ? "" : `transaction ${transaction}`,
    recordId === undefined ? "" : `record ${recordId}`,
    name === undefined ? "" : `${part ?? "object"} ${name}`,
    shard === undefined ? "" : `shard ${shard}`,
    place === undefined ? "" : `at ${place}`,
    blocks === undefined ? "" : `${blocks.length === 1 ? "block" : "blocks"} ${blocks.join(", ")}`,
    chunk === undefined ? "" : last === chunk ? `chunk ${chunk}` : `chunks ${chunk} to ${last}`,
    offset === undefined || length === undefined ? "" : `bytes ${offset} to ${offset + length - 1}`,
    member === undefined ? "" : `seen by ${member}`,
  ];
  return parts.filter((text) => text !== "").join(", ") || "the home";
}

function chainGood({ kind, height }: Finding, { timeOf, head }: CaseEvidence): LastGood[] {
  if (height === undefined) return [];
  const gone = kind === "chain-rollback" || kind === "chain-missing";
  const named = timeOf(height + 1) !== undefined && (kind === "chain-header" || kind === "chain-commit");
  const at = gone ? height - 1 : named ? height + 1 : height;
  const timestampMs = timeOf(at);
  const evidence = gone
    ? `block ${at}, the last one before the gap, was signed then`
    : named
      ? `block ${at}, which names the hash of block ${height}, was signed then`
      : `the validator signed block ${at} then`;
  const signed: LastGood[] =
    timestampMs === undefined ? [] : [{ timestampMs, height: at, certainty: "proved", evidence }];
  const followed = head.height > at && !gone && head.timestampMs > 0;
  if (!followed) return signed;
  const built = `block ${head.height} was built on it then, without a look back at its bytes`;
  const later: LastGood = {
    timestampMs: head.timestampMs,
    height: head.height,
    certainty: "likely",
    evidence: built,
  };
  return [...signed, later];
}

function chainHolders({ validators }: CaseEvidence): Holder[] {
  const how =
    "makes the blocks and writes the home's ledger folder; so does whoever can write to that folder";
  return validators.map((account) => ({ party: "validator", account, access: "write", how }));
}

/** Events that show the object good: the provider checked it then, and signed. */
function objectGood(finding: Finding, { history }: CaseEvidence): LastGood[] {
  const { recordId, part, kind } = finding;
  if (recordId === undefined || kind === "foreign-object") return [];
  const events = history.of(recordId);
  if (kind === "erased-object")
    return lastOf(events, ["erased"], "proved", "the ledger took the erasure then");
  const isHeader = part === "header";
  const made: RecordEvent["event"][] = isHeader ? ["deposited", "rekeyed", "moved"] : ["deposited", "moved"];
  const proved = isHeader
    ? lastOf(
        events,
        [...made, "transformed"],
        "proved",
        "the provider checked it against the ledger then and signed: a storage receipt, or the receipt of a transform",
      )
    : lastOf(
        events,
        made,
        "proved",
        "the provider took it then and signed a storage receipt over its digest",
      );
  if (isHeader) return proved;
  const used = lastOf(
    events,
    ["transformed"],
    "likely",
    "a reader was sent it then; a reader checks every chunk, and no complaint is on the ledger",
  );
  return [...proved, ...used.filter(({ timestampMs }) => timestampMs > (proved[0]?.timestampMs ?? 0))];
}

const audited: readonly Finding["kind"][] = [
  "object-missing",
  "object-altered",
  "header-altered",
  "shard-missing",
  "shard-altered",
  "object-unreadable",
];

/** The last audit that this record passed in this version. It took samples, so it makes likely and proves nothing. */
function auditGood({ kind, recordId, shard }: Finding, { audits, timeOf }: CaseEvidence): LastGood[] {
  const audit = audits?.get(recordId ?? "");
  if (audit === undefined || !audited.includes(kind)) return [];
  const { seedHeight, atMs, chunks, auditId } = audit;
  const asked = `asked for ${chunks} of its chunks${shard === undefined ? "" : " and looked at blocks of every shard"}`;
  const where = auditId === null ? "" : `, ${auditId.slice(0, 16)}… on the ledger,`;
  return [
    {
      timestampMs: timeOf(seedHeight) ?? atMs,
      height: seedHeight,
      certainty: "likely",
      evidence: `the last audit that this home made and that it passed${where} ${asked}, and found all of it right`,
    },
  ];
}

function lastOf(
  events: readonly RecordEvent[],
  kinds: readonly RecordEvent["event"][],
  certainty: LastGood["certainty"],
  evidence: string,
): LastGood[] {
  const found = events.filter(({ event }) => kinds.includes(event)).at(-1);
  if (found === undefined) return [];
  return [{ timestampMs: found.timestampMs, height: found.height, certainty, evidence }];
}

function objectHolders(finding: Finding, evidence: CaseEvidence): Holder[] {
  const { recordId } = finding;
  const events = recordId === undefined ? [] : evidence.history.of(recordId);
  const named = events.flatMap(({ provider }) => provider ?? []);
  const providers = [...new Set(named.length > 0 ? named : evidence.providers)];
  const writers = providers.map(
    (account): Holder => ({
      party: "provider",
      account,
      access: "write",
      how: "keeps the objects; so does whoever can write to its folder",
    }),
  );
  const since = objectGood(finding, evidence).find(({ certainty }) => certainty === "proved")?.height ?? 0;
  return [...writers, ...events.filter(({ height }) => height >= since).flatMap(holderOf)];
}

function holderOf({ event, requestId, account, height }: RecordEvent): Holder[] {
  if (event === "transformed" && requestId !== undefined) {
    const how = `was sent header and payload at block ${height}; the owner learns who by chartseal access-log`;
    return [{ party: "reader", requestId, height, access: "read", how }];
  }
  if (account === undefined || !["deposited", "rekeyed", "moved"].includes(event)) return [];
  const how = `signed or relayed what block ${height} registered`;
  return [{ party: "depositor or relay", account, height, access: "brought", how }];
}
