/**
 * forensics: every mismatch explained in report.json and report.html, and with --repair what can be put right from what
 * is there (CONTRACT). Without --repair it changes no byte below DIR; with it, it works under the home's lock, moves
 * foreign objects to DIR/provider/quarantine, and checks everything again.
 */
import { existsSync, lstatSync, mkdirSync, renameSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { ChartsealError, equalBytes, fromHex, loadPairing, toHex, utf8 } from "@chartseal/crypto";
import { accountOf, decodeGenesis } from "@chartseal/ledger";
import type { HomeLock } from "@chartseal/ledger/embedded";
import {
  type CaseEvidence,
  type Finding,
  type ForensicsReport,
  type GoodAudit,
  History,
  makeReport,
  type ProviderStores,
  type Repaired,
  repairErased,
  repairShards,
  repairStored,
  reportPage,
} from "@chartseal/sharing";
import { isName, type ObjectStore } from "@chartseal/storage";
import { hasSystemCode, readSmallFile, writeJson, writeSmallFile } from "../home/files.ts";
import { type HomeConfig, openHome } from "../home/home.ts";
import type { KeyVault } from "../home/key-vault.ts";
import type { HomePaths } from "../home/paths.ts";
import { quarantineFolder } from "../services/asides.ts";
import { openAuditJournal } from "../services/audit-journal.ts";
import { rulesOfHome } from "../services/home-ledger.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { ledgerFiles } from "../services/ledger-files.ts";
import { openRepairNotes, pendingRepairs } from "../services/pending-repairs.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { openSession } from "../services/session.ts";
import { openServiceVault, type Vaults } from "../services/vaults.ts";
import { checkHome, configuredChain, type HomeCheck, type VerifyProgress } from "./verify.ts";

export interface ForensicsOutcome {
  readonly report: ForensicsReport;
  readonly files: { readonly json: string; readonly html: string };
}

export interface ForensicsOptions {
  /** Where the report goes; default: `chartseal-forensics` in the working folder. */
  readonly out: string | undefined;
  readonly repair: boolean;
  /** Where it is at hand, what was made again at places is said in the record's log at once. */
  readonly passphrase?: () => Promise<string>;
  readonly waitMs: number;
  readonly now: () => number;
  readonly progress?: VerifyProgress;
}

function liesBelow(folder: string, path: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way === "" || !(way === ".." || way.startsWith(`..${sep}`) || resolve(way) === way);
}

/** The folder of the report. @throws ChartsealError `input-invalid` for one below DIR: a report changes no byte there */
export function reportFolder(home: string, out: string | undefined): string {
  const chosen = resolve(out ?? "chartseal-forensics");
  if (!liesBelow(home, chosen)) return chosen;
  if (out === undefined) return join(tmpdir(), `chartseal-forensics-${process.pid}`);
  throw new ChartsealError("input-invalid", "the report cannot lie inside the home that it is about", {
    hint: "Give --out a folder elsewhere.",
  });
}

/** @throws ChartsealError `home-missing`, `home-busy`, `input-invalid` for an --out that cannot be written */
export async function runForensics(folder: string, options: ForensicsOptions): Promise<ForensicsOutcome> {
  const out = reportFolder(folder, options.out);
  const { report, repaired } = options.repair
    ? await repairHome(folder, options)
    : { report: await examine(folder, options, []), repaired: [] };
  const whole = { ...report, repaired };
  const files = { json: join(out, "report.json"), html: join(out, "report.html") };
  try {
    writeJson(files.json, whole);
    writeSmallFile(files.html, utf8(reportPage(whole)));
  } catch (error) {
    if (!hasSystemCode(error, "ENOTDIR", "EEXIST", "EISDIR", "EACCES", "EROFS", "ENOENT")) throw error;
    throw new ChartsealError("input-invalid", `the report cannot be written to ${out}`, { data: { out } });
  }
  return { report: whole, files };
}

/** A check with its report; everything that it opened is closed. */
async function examine(
  folder: string,
  options: ForensicsOptions,
  repaired: readonly Repaired[],
): Promise<ForensicsReport> {
  const check = await checkHome(folder, options.progress);
  try {
    return await reportOf(check, options.now(), repaired);
  } finally {
    check.salvage?.close();
  }
}

async function reportOf(
  check: HomeCheck,
  createdMs: number,
  repaired: readonly Repaired[],
): Promise<ForensicsReport> {
  const { chainId, chain, stored, findings, salvage, divided, objects } = check;
  return makeReport({
    createdMs,
    chainId,
    chain,
    height: salvage?.height() ?? 0,
    stored,
    findings,
    places: objects.placed?.split.places.map(({ name }) => name) ?? [],
    divided,
    evidence: { ...evidenceOf(check), audits: await auditsOf(check) },
    repaired,
  });
}

/** What the home still says about when and who: its blocks, its genesis, its files' times. */
function evidenceOf({ paths, chain, findings, salvage, genesis }: HomeCheck): CaseEvidence {
  const doubtful = new Set(
    findings.flatMap(({ kind, height }) => (kind === "chain-header" && height !== undefined ? [height] : [])),
  );
  const timeOf = (height: number): number | undefined =>
    doubtful.has(height) ? undefined : salvage?.block(height)?.header?.timestampMs;
  const history = new History(new Set(findings.flatMap(({ recordId }) => recordId ?? [])));
  for (let height = 1; height <= (salvage?.height() ?? 0); height++) {
    const block = salvage?.block(height);
    history.block(height, block?.header?.timestampMs ?? 0, block?.transactions ?? []);
  }
  const { validators, providers } = partiesOf(genesis);
  const modifiedMs = (finding: Finding): number | undefined => modified(paths, finding);
  return { history, timeOf, head: chain.head, modifiedMs, validators, providers };
}

/** The last audits that records with a finding passed in the version that the ledger has now. */
async function auditsOf({ paths, findings, records }: HomeCheck): Promise<Map<string, GoodAudit>> {
  const journal = openAuditJournal(paths);
  const versions = new Map(records.map(({ recordId, version }) => [recordId, version]));
  const audits = new Map<string, GoodAudit>();
  for (const recordId of new Set(findings.flatMap((finding) => finding.recordId ?? []))) {
    const audit = await journal.lastGoodAudit(fromHex(recordId, 32));
    if (audit !== undefined && audit.version === versions.get(recordId)) audits.set(recordId, audit);
  }
  return audits;
}

function partiesOf(genesis: Uint8Array | undefined): { validators: string[]; providers: string[] } {
  if (genesis === undefined) return { validators: [], providers: [] };
  try {
    const { validators, providers } = decodeGenesis(genesis);
    return {
      validators: validators.map(({ publicKey }) => toHex(publicKey)),
      providers: providers.map((publicKey) => toHex(accountOf(publicKey))),
    };
  } catch (error) {
    if (error instanceof ChartsealError && error.family !== "defect")
      return { validators: [], providers: [] };
    throw error;
  }
}

/** When the file that a finding is about was last written. */
function modified(paths: HomePaths, { kind, part, copy, place }: Finding): number | undefined {
  if (kind === "chain-genesis" || place !== undefined) return undefined;
  const path = kind.startsWith("chain-")
    ? join(paths.ledger, "ledger.sqlite")
    : copy === undefined
      ? undefined
      : join(part === "leaves" ? paths.leaves : paths.objects, copy);
  if (path === undefined) return undefined;
  return Math.floor(lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) || undefined;
}

/** Repairs under the home's lock, then looks again: what is reported is what is left. */
async function repairHome(
  folder: string,
  options: ForensicsOptions,
): Promise<{ report: ForensicsReport; repaired: readonly Repaired[] }> {
  if (!existsSync(folder)) await checkHome(folder);
  const lock = await takeOwnHome(folder, options.waitMs);
  try {
    const check = await checkHome(folder, options.progress);
    let repaired: readonly Repaired[];
    try {
      if (check.findings.length === 0)
        return { report: await reportOf(check, options.now(), []), repaired: [] };
      const key = await serviceKey(check, options);
      repaired = await repairAll(check, options.now);
      if (key !== undefined) repaired = await sayRepaired(folder, { ...key, lock, repaired });
    } finally {
      check.salvage?.close();
    }
    return { report: await examine(folder, options, repaired), repaired };
  } finally {
    lock.release();
  }
}

interface ServiceKey {
  readonly vault: KeyVault;
}

/** Opened before anything is changed, where shards are to be made again. @throws ChartsealError `passphrase-wrong` */
async function serviceKey(check: HomeCheck, options: ForensicsOptions): Promise<ServiceKey | undefined> {
  const passphrase = mayRepairShards(check) ? await options.passphrase?.() : undefined;
  if (passphrase === undefined) return undefined;
  return { vault: await openServiceVault(check, passphrase) };
}

/** Opening the home says on the ledger what waits to be said. The lock goes with it. */
async function sayRepaired(
  folder: string,
  of: ServiceKey & { readonly lock: HomeLock; readonly repaired: readonly Repaired[] },
): Promise<readonly Repaired[]> {
  const { vault, lock, repaired } = of;
  if (!repaired.some(({ recorded }) => recorded === false)) return repaired;
  const home = openHome(folder);
  const vaults: Vaults = { service: async () => vault, members: async () => [] };
  const session = await openSession(home, { vaults, waitMs: 0, lock });
  await session.close();
  const waiting = pendingRepairs(home.paths);
  return repaired.map((one) =>
    one.recorded === false ? { ...one, recorded: !waiting.has(one.recordId ?? "") } : one,
  );
}

const soundLedger = ({ findings }: HomeCheck): boolean =>
  !findings.some(({ kind }) => kind.startsWith("chain-") && kind !== "chain-genesis");

function mayRepairShards(check: HomeCheck): boolean {
  const damaged = check.findings.some(({ kind }) => kind === "shard-missing" || kind === "shard-altered");
  return damaged && check.objects.placed !== undefined && soundLedger(check);
}

async function repairAll(check: HomeCheck, now: () => number): Promise<Repaired[]> {
  const { paths, findings, records, chainId } = check;
  const done: Repaired[] = repairOrigin(check);
  const stores = await openObjectStores(paths);
  done.push(...(await repairStored({ stores, records, findings, now })));
  const erased = findings.some(({ kind }) => kind === "erased-object" || kind === "tombstone-missing");
  const shards = mayRepairShards(check);
  if (soundLedger(check) && (erased || shards) && chainId !== undefined) {
    const pairing = await loadPairing();
    const ledger = (await ledgerFiles(paths)).reader(rulesOfHome(pairing, openHome(paths.root)));
    try {
      done.push(...(await repairErased({ surroundings: { ledger, now }, stores }, findings)));
      const { placed } = stores;
      const notes = openRepairNotes(paths);
      if (shards && placed !== undefined)
        done.push(...(await repairShards({ ledger, placed, findings, notes })));
    } finally {
      await ledger.close();
    }
  }
  done.push(...(await quarantine(check, stores, now())));
  return done;
}

/** Moves foreign objects out of the store and away from the places, each to its own place below a folder named by the time. */
async function quarantine(
  { paths, findings }: HomeCheck,
  { placed, objects, whole }: Pick<ProviderStores, "placed" | "objects" | "whole">,
  nowMs: number,
): Promise<Repaired[]> {
  const folder = join(quarantineFolder(paths), String(nowMs));
  const done: Repaired[] = [];
  for (const { kind, copy } of findings) {
    if (kind !== "foreign-object" || copy === undefined) continue;
    const [from, to] = [join(paths.objects, copy), join(folder, copy)];
    if (!liesBelow(folder, to)) continue;
    const here = liesBelow(paths.objects, from) && lstatSync(from, { throwIfNoEntry: false }) !== undefined;
    const at = placed?.split.places.find(({ name }) => copy.startsWith(`${name}:`));
    // In a bucket that keeps objects whole it has a name like any; a key that is no name is left to who has the bucket.
    const lies = isName(copy) ? await (placed ?? whole)?.whereabouts(copy) : undefined;
    const inBucket = lies?.whole === true;
    if (!here && at === undefined && !inBucket) continue;
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    if (here) renameSync(from, to);
    else if (at !== undefined) await fetchAway(at.store, copy.slice(at.name.length + 1), to);
    else await fetchAway(objects, copy, to);
    done.push({ kind, copy, detail: `moved the foreign object to ${relative(paths.root, to)}` });
  }
  return done;
}

/** It goes from the place when it is whole here. */
async function fetchAway(store: ObjectStore, name: string, to: string): Promise<void> {
  await writeFile(to, store.get(name), { flag: "wx", mode: 0o600, flush: true });
  await store.remove(name);
}

/** config.json and genesis.cbor again, from the genesis that the ledger and one other witness agree on. */
function repairOrigin({ paths, findings, genesis, chainId }: HomeCheck): Repaired[] {
  const wrong = findings.some(({ kind }) => kind === "chain-genesis");
  if (!wrong || genesis === undefined || chainId === undefined) return [];
  const { name, nodes, threshold } = decodeGenesis(genesis);
  const config: HomeConfig = {
    version: 1,
    consortium: name,
    chainId: toHex(chainId),
    nodes: nodes.length,
    threshold,
  };
  const done: Repaired[] = [];
  const file = readSmallFile(paths.genesis);
  if (file === undefined || !equalBytes(file, genesis)) {
    writeSmallFile(paths.genesis, genesis);
    done.push({ kind: "chain-genesis", detail: "wrote genesis.cbor again from the ledger's first row" });
  }
  if (configuredChain(paths, () => {}) !== config.chainId) {
    writeJson(paths.config, config);
    done.push({ kind: "chain-genesis", detail: "wrote config.json again from the genesis of the chain" });
  }
  return done;
}
