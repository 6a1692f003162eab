/**
 * report.json: everything that forensics found, explained, in one value that programs read
 * (spec/vectors/forensics-report.schema.json). Times are ms since 1970; byte strings are lower-case hex.
 */
import { toHex } from "@chartseal/crypto";
import type { ChainReport } from "@chartseal/ledger";
import { type CaseEvidence, type Explained, explain } from "./explain.ts";
import type { Finding } from "./finding.ts";
import type { Repaired } from "./repair.ts";
import type { DividedObject } from "./shards.ts";
import type { RecordState, StoredReport } from "./stored.ts";

/** Blocks `from` to `to`, all in one state. `unchecked`: sound by themselves, their state not recomputed. */
export interface ChainSegment {
  readonly from: number;
  readonly to: number;
  readonly state: "good" | "unchecked" | "broken" | "missing";
}

/** A record's two objects as the check saw them. */
export interface RecordStrip {
  readonly recordId: string;
  readonly owner: string;
  readonly address: string;
  readonly version: number;
  readonly header: RecordState["header"];
  readonly leaves: "good" | "missing" | "altered" | "erased" | "unreadable";
  /** Bytes of the object and of what was registered; -1 where the object is missing or unreadable. */
  readonly bytes: number;
  readonly registeredBytes: number;
  readonly chunks: number;
  /** Bad ranges; of the whole object where it could only be judged so. */
  readonly bad: readonly {
    readonly chunk: number;
    readonly chunks: number;
    readonly offset: number;
    readonly length: number;
  }[];
  readonly excess: number;
}

export interface ForensicsReport {
  readonly format: "chartseal-forensics";
  readonly version: 1;
  readonly createdMs: number;
  readonly chainId: string | null;
  readonly ok: boolean;
  readonly blocks: number;
  readonly transactions: number;
  readonly records: number;
  readonly objects: number;
  readonly orphans: readonly string[];
  /** Up to this height every state root was made again and is right. */
  readonly stateCheckedTo: number;
  readonly chain: readonly ChainSegment[];
  /** Records with a finding, and of the others as many as the picture shows. */
  readonly strips: readonly RecordStrip[];
  /** The provider's places, and those at which something lies that are none of them any more; empty where it has none. */
  readonly places: readonly string[];
  /** What is divided among them: of records with a finding, and of as many others as the picture shows. */
  readonly divided: readonly DividedObject[];
  readonly findings: readonly Explained[];
  readonly repaired: readonly Repaired[];
}

/** Records without a finding that the picture shows. */
const soundShown = 24;

export function makeReport(input: {
  readonly createdMs: number;
  readonly chainId: Uint8Array | undefined;
  readonly chain: ChainReport;
  /** Height of the last block that the store holds, whether it can be read or not. */
  readonly height: number;
  readonly stored: StoredReport;
  readonly places?: readonly string[];
  readonly divided?: readonly DividedObject[];
  readonly findings: readonly Finding[];
  readonly evidence: CaseEvidence;
  readonly repaired: readonly Repaired[];
}): ForensicsReport {
  const { chain, stored, findings, evidence, repaired, places = [], divided = [] } = input;
  return {
    format: "chartseal-forensics",
    version: 1,
    createdMs: input.createdMs,
    chainId: input.chainId === undefined ? null : toHex(input.chainId),
    ok: findings.length === 0,
    blocks: chain.blocks,
    transactions: chain.transactions,
    records: stored.records.length,
    objects: stored.objects,
    orphans: stored.orphans,
    stateCheckedTo: chain.stateCheckedTo,
    chain: segments(findings, { ...chain, height: Math.max(input.height, chain.head.height) }),
    strips: strips(stored.records, findings),
    places: placesOf(places, divided),
    divided: shownDivided(divided),
    findings: findings.map((finding) => explain(finding, evidence)),
    repaired,
  };
}

/** The chain cut into runs of one state; what lies before a snapshot that it began with is no part of it. */
function segments(
  findings: readonly Finding[],
  {
    from,
    height,
    stateCheckedTo,
  }: Pick<ChainReport, "from" | "stateCheckedTo"> & { readonly height: number },
): ChainSegment[] {
  const states = new Map<number, ChainSegment["state"]>();
  let last = height;
  for (const { kind, height: at } of findings) {
    if (at === undefined || !kind.startsWith("chain-")) continue;
    const gone = kind === "chain-rollback" || kind === "chain-missing";
    if (states.get(at) !== "broken") states.set(at, gone ? "missing" : "broken");
    last = Math.max(last, at);
  }
  const list: ChainSegment[] = [];
  for (let at = from; at <= last; at++) {
    const state = states.get(at) ?? (at <= stateCheckedTo ? "good" : "unchecked");
    const previous = list.at(-1);
    if (previous?.state === state) list[list.length - 1] = { ...previous, to: at };
    else list.push({ from: at, to: at, state });
  }
  return list;
}

function placesOf(configured: readonly string[], divided: readonly DividedObject[]): string[] {
  const named = divided.flatMap(({ shards }) => shards.flatMap(({ place }) => place ?? []));
  return [...new Set([...configured, ...named])];
}

/** Payload and header of a record stand together, those with a finding first. */
function shownDivided(divided: readonly DividedObject[]): DividedObject[] {
  const keyOf = ({ recordId, object }: DividedObject): string => recordId ?? object.replace(/\.header$/, "");
  const byRecord = Map.groupBy(divided, keyOf);
  const isSound = (objects: readonly DividedObject[]): boolean =>
    objects.every(({ shards }) => shards.every(({ state }) => state === "good"));
  const all = [...byRecord.values()];
  const sound = all.filter(isSound).slice(0, soundShown);
  return [...all.filter((objects) => !isSound(objects)), ...sound].flat();
}

function strips(records: readonly RecordState[], findings: readonly Finding[]): RecordStrip[] {
  const named = new Set(findings.flatMap(({ recordId }) => recordId ?? []));
  const bad = records.filter(({ record }) => named.has(record.recordId));
  const sound = records.filter(({ record }) => !named.has(record.recordId)).slice(0, soundShown);
  return [...bad, ...sound].map(({ record, payload, header }) => ({
    recordId: record.recordId,
    owner: record.owner,
    address: record.address,
    version: record.version,
    header,
    leaves: payload?.leaves ?? (header === "erased" ? "erased" : "unreadable"),
    bytes: payload?.size ?? -1,
    registeredBytes: record.sealedBytes,
    chunks: record.chunks,
    bad: payload?.bad ?? [],
    excess: payload?.excess ?? 0,
  }));
}
