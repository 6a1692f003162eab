/**
 * forensics: every mismatch explained in report.json and report.html, and with --repair what can be put right from what
 * is there (CONTRACT). Without --repair it changes no byte below DIR; with it, it works under the home's lock, moves
 * foreign objects to DIR/provider/quarantine, and checks everything again.
 */
import { existsSync, lstatSync, mkdirSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { ChartsealError, equalBytes, loadPairing, toHex, utf8 } from "@chartseal/crypto";
import { accountOf, decodeGenesis, ledgerRules } from "@chartseal/ledger";
import { openEmbeddedReader } from "@chartseal/ledger/embedded";
import {
  type CaseEvidence,
  type Finding,
  type ForensicsReport,
  History,
  makeReport,
  type Repaired,
  repairErased,
  repairStored,
  reportPage,
} from "@chartseal/sharing";
import { hasSystemCode, readSmallFile, writeJson, writeSmallFile } from "../home/files.ts";
import type { HomeConfig } from "../home/home.ts";
import type { HomePaths } from "../home/paths.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { checkHome, configuredChain, type HomeCheck, type VerifyProgress } from "./verify.ts";

export interface ForensicsOutcome {
  readonly report: ForensicsReport;
  readonly files: { readonly json: string; readonly html: string };
}

export interface ForensicsOptions {
  /** Where the report goes; default: `chartseal-forensics` in the working folder. */
  readonly out: string | undefined;
  readonly repair: boolean;
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
    return reportOf(check, options.now(), repaired);
  } finally {
    check.salvage?.close();
  }
}

function reportOf(check: HomeCheck, createdMs: number, repaired: readonly Repaired[]): ForensicsReport {
  const { chainId, chain, stored, findings, salvage } = check;
  return makeReport({
    createdMs,
    chainId,
    chain,
    height: salvage?.height() ?? 0,
    stored,
    findings,
    evidence: evidenceOf(check),
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
function modified(paths: HomePaths, { kind, part, copy }: Finding): number | undefined {
  if (kind === "chain-genesis") return undefined;
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
    let repaired: Repaired[];
    try {
      if (check.findings.length === 0) return { report: reportOf(check, options.now(), []), repaired: [] };
      repaired = await repairAll(check, options.now);
    } finally {
      check.salvage?.close();
    }
    return { report: await examine(folder, options, repaired), repaired };
  } finally {
    lock.release();
  }
}

async function repairAll(check: HomeCheck, now: () => number): Promise<Repaired[]> {
  const { paths, findings, records } = check;
  const done: Repaired[] = repairOrigin(check);
  const stores = await openObjectStores(paths);
  done.push(...(await repairStored({ stores, records, findings, now })));
  const soundChain = !findings.some(({ kind }) => kind.startsWith("chain-") && kind !== "chain-genesis");
  const erased = findings.some(({ kind }) => kind === "erased-object" || kind === "tombstone-missing");
  if (soundChain && erased && check.chainId !== undefined) {
    const pairing = await loadPairing();
    const ledger = openEmbeddedReader({
      directory: paths.root,
      rulesOf: (genesis) => ledgerRules(pairing, genesis),
      chainId: check.chainId,
    });
    try {
      done.push(...(await repairErased({ surroundings: { ledger, now }, stores }, findings)));
    } finally {
      await ledger.close();
    }
  }
  done.push(...quarantine(paths, findings, now()));
  return done;
}

/** Moves foreign objects out of the store, each to its own place below a folder named by the time. */
function quarantine(paths: HomePaths, findings: readonly Finding[], nowMs: number): Repaired[] {
  const folder = join(dirname(paths.objects), "quarantine", String(nowMs));
  return findings.flatMap(({ kind, copy }): Repaired[] => {
    if (kind !== "foreign-object" || copy === undefined) return [];
    const [from, to] = [join(paths.objects, copy), join(folder, copy)];
    if (!liesBelow(paths.objects, from) || lstatSync(from, { throwIfNoEntry: false }) === undefined)
      return [];
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    renameSync(from, to);
    return [{ kind, copy, detail: `moved the foreign object to ${relative(paths.root, to)}` }];
  });
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
