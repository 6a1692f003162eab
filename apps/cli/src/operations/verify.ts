/**
 * verify: the whole chain and every stored object, without a key and without changing a byte below DIR (CONTRACT). Any
 * damage is a finding, of the ledger's database too; what cannot be reached (a disk that answers errors, a home that is
 * being repaired) is a failure.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  ChartsealError,
  equalBytes,
  fromHex,
  isFamily,
  loadPairing,
  type Pairing,
  toHex,
} from "@chartseal/crypto";
import {
  accountOf,
  type ChainReport,
  chainIdOf,
  emptyKey,
  entries,
  type Ledger,
  ledgerRules,
  type Rules,
} from "@chartseal/ledger";
import type { Salvage } from "@chartseal/ledger/embedded";
import {
  type AcceptedLoss,
  checkHeads,
  checkTombstones,
  type DividedObject,
  explainChain,
  type Finding,
  RecordsOfBlocks,
  readEntry,
  recordsOfState,
  requireRecord,
  type SeenHead,
  type ShardsReport,
  type StoredObjects,
  type StoredRecord,
  type StoredReport,
  storageFailure,
  storedRecord,
  type Tombstone,
  transactionOfTombstone,
  verifyShards,
  verifyStored,
} from "@chartseal/sharing";
import { readJson, readSmallFile } from "../home/files.ts";
import type { HomeConfig } from "../home/home.ts";
import { institutionOf, readNetworkFile } from "../home/network-file.ts";
import { type HomePaths, homePaths } from "../home/paths.ts";
import { type LedgerFiles, ledgerFiles } from "../services/ledger-files.ts";
import { type OpenedObjects, openStoredObjects } from "../services/stored-objects.ts";

/** What `verify` prints. */
export interface Verified {
  readonly ok: boolean;
  /** The first block that was checked, where the ledger here began with a snapshot: what lies before is with the others. */
  readonly from?: number;
  readonly blocks: number;
  readonly transactions: number;
  readonly records: number;
  readonly objects: number;
  readonly orphans: number;
  readonly findings: readonly Finding[];
}

export interface VerifyProgress {
  /** The objects come next: how many bytes there are to read. */
  stage?(totalBytes: number): void;
  bytes?(count: number): void;
}

/** Everything that a check of a home saw; forensics goes on from here. */
export interface HomeCheck {
  readonly paths: HomePaths;
  readonly chain: ChainReport;
  readonly chainId: Uint8Array | undefined;
  readonly genesis: Uint8Array | undefined;
  readonly findings: readonly Finding[];
  readonly stored: StoredReport;
  readonly records: readonly StoredRecord[];
  /** What is divided among places, shard by shard; nothing where there are none. */
  readonly divided: readonly DividedObject[];
  readonly objects: OpenedObjects;
  /** Rows of the ledger as they can still be read; the caller closes it. */
  readonly salvage: Salvage | undefined;
}

export async function verifyHome(folder: string, progress: VerifyProgress = {}): Promise<Verified> {
  const check = await checkHome(folder, progress);
  check.salvage?.close();
  return verified(check);
}

export function verified({ chain, records, stored, findings }: HomeCheck): Verified {
  return {
    ok: findings.length === 0,
    ...(chain.from > 1 ? { from: chain.from } : {}),
    blocks: chain.blocks,
    transactions: chain.transactions,
    records: records.length,
    objects: stored.objects,
    orphans: stored.orphans.length,
    findings,
  };
}

/** @throws ChartsealError `home-missing`; `home-busy`, `ledger-unreachable`, `provider-unreachable` */
export async function checkHome(folder: string, progress: VerifyProgress = {}): Promise<HomeCheck> {
  const paths = homePaths(folder);
  const parts = [paths.config, paths.genesis, paths.ledger, paths.objects];
  if (!existsSync(paths.config) && !parts.slice(1).some((path) => existsSync(path))) {
    throw new ChartsealError("home-missing", `there is no consortium in ${folder}`, {
      hint: "Run chartseal init, or give --home.",
    });
  }
  const files = await ledgerFiles(paths);
  const salvage = files.salvage();
  try {
    return await checkOpened(paths, { files, salvage }, progress);
  } catch (error) {
    salvage?.close();
    throw error;
  }
}

async function checkOpened(
  paths: HomePaths,
  { files, salvage }: { readonly files: LedgerFiles; readonly salvage: Salvage | undefined },
  progress: VerifyProgress,
): Promise<HomeCheck> {
  const origin = originOf(paths, salvage);
  const pairing = await loadPairing();
  const chain = await checkChain(files, pairing, origin.genesis);
  const { chainId } = origin;
  const explained =
    chainId === undefined
      ? []
      : explainChain({ chainId, genesis: origin.genesis, findings: chain.findings, rows: salvage });
  const objects = await openStoredObjects(paths);
  const source = new RecordSource(files, pairing, {
    genesis: origin.genesis,
    salvage,
    provider: ownProvider(paths),
  });
  try {
    const loss = await source.acceptedLoss();
    let records: readonly StoredRecord[] | undefined;
    const stored = await verifyStored({
      ...objects,
      records: async () => {
        records = await source.records();
        return records;
      },
      current: (recordId) => source.current(recordId),
      onTotal: (bytes) => progress.stage?.(bytes),
      onBytes: (bytes) => progress.bytes?.(bytes),
    });
    const { placed } = objects;
    const { divided, findings: shards } =
      placed === undefined ? noShards : await verifyShards({ placed, records: records ?? [] });
    const witnesses =
      salvage === undefined ? [] : await checkWitnesses(paths, objects, { salvage, source, loss });
    const findings = [...origin.findings, ...explained, ...witnesses, ...stored.findings, ...shards];
    const { genesis } = origin;
    const seen = { findings, stored, records: records ?? [], divided };
    return { paths, chain, chainId, genesis, ...seen, objects, salvage };
  } catch (error) {
    // A bucket that does not list its objects: nothing can be said of them.
    throw storageFailure(error, "");
  } finally {
    await source.close();
  }
}

const noShards: ShardsReport = { findings: [], divided: [] };

interface Origin {
  readonly genesis: Uint8Array | undefined;
  readonly chainId: Uint8Array | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Which chain this home is of, by three witnesses: config.json, genesis.cbor and the ledger's own first row. Where one
 * differs the other two are believed; where all do, the ledger.
 */
function originOf(paths: HomePaths, salvage: Salvage | undefined): Origin {
  const findings: Finding[] = [];
  const odd = (detail: string): void => {
    findings.push({
      kind: "chain-genesis",
      detail,
      remedy: "Restore config.json and genesis.cbor from a backup.",
    });
  };
  const configured = configuredChain(paths, odd);
  const file = readSmallFile(paths.genesis);
  const stored = salvage?.genesis();
  const fileId = file === undefined ? undefined : toHex(chainIdOf(file));
  const storedId = stored === undefined ? undefined : toHex(chainIdOf(stored));
  const votes = [storedId, fileId, configured].filter((one) => one !== undefined);
  const chosen = votes.find((one) => votes.filter((other) => other === one).length > 1) ?? votes[0];
  if (file === undefined) odd("genesis.cbor is missing");
  else if (fileId !== chosen) odd("genesis.cbor is not the genesis of this home's chain");
  if (configured !== undefined && configured !== chosen) odd("config.json names another chain id");
  if (salvage !== undefined && storedId === undefined)
    odd("the genesis in the ledger's store cannot be read");
  else if (storedId !== undefined && storedId !== chosen) {
    odd("the ledger's store begins with another genesis: it is another chain, or its first row was altered");
  }
  const genesis = chosen === storedId ? stored : chosen === fileId ? file : undefined;
  return { genesis, chainId: chosen === undefined ? undefined : fromHex(chosen, 32), findings };
}

/** The chain id in config.json, where that is a file of ours. */
export function configuredChain(paths: HomePaths, odd: (detail: string) => void): string | undefined {
  try {
    const config = readJson(paths.config) as HomeConfig | null | undefined;
    if (config === undefined) odd("config.json is missing");
    else if (typeof config?.chainId !== "string" || !/^[0-9a-f]{64}$/.test(config.chainId)) {
      odd("config.json is damaged: it holds no chain id");
    } else return config.chainId;
  } catch (error) {
    if (!isFamily(error, "integrity")) throw error;
    odd("config.json is damaged: it is not JSON");
  }
  return undefined;
}

const noHead = { height: 0, hash: new Uint8Array(32), stateRoot: new Uint8Array(32), timestampMs: 0 };

async function checkChain(
  files: LedgerFiles,
  pairing: Pairing,
  genesis: Uint8Array | undefined,
): Promise<ChainReport> {
  const rules = rulesFor(pairing, genesis);
  if (rules !== undefined) return await files.verify(rules);
  const detail = "no genesis can be read: nothing of the chain can be checked";
  const findings = [{ height: 0, field: "genesis", detail }];
  return { ok: false, from: 1, blocks: 0, transactions: 0, head: noHead, stateCheckedTo: 0, findings };
}

function rulesFor(pairing: Pairing, genesis: Uint8Array | undefined): Rules | undefined {
  if (genesis === undefined) return undefined;
  try {
    return ledgerRules(pairing, genesis);
  } catch (error) {
    if (error instanceof ChartsealError && error.family !== "defect") return undefined;
    throw error;
  }
}

/** Of an institution: the account of its own provider; other providers' records lie elsewhere. */
function ownProvider(paths: HomePaths): string | undefined {
  if (!existsSync(paths.network)) return undefined;
  const network = readNetworkFile(paths);
  return toHex(accountOf(fromHex(institutionOf(network, network.name).provider, 32)));
}

/** The records: of the state where that can be read, else of what is left of the blocks. */
class RecordSource {
  readonly #ledger: Ledger | undefined;
  readonly #salvage: Salvage | undefined;
  readonly #provider: string | undefined;

  constructor(
    files: LedgerFiles,
    pairing: Pairing,
    origin: {
      readonly genesis: Uint8Array | undefined;
      readonly salvage: Salvage | undefined;
      /** Account of the home's own provider, where there are others. */
      readonly provider?: string | undefined;
    },
  ) {
    this.#salvage = origin.salvage;
    this.#provider = origin.provider;
    const rules = rulesFor(pairing, origin.genesis);
    if (rules === undefined) return;
    this.#ledger = readable(() => files.reader(rules));
  }

  async #ofState<T>(read: (ledger: Ledger) => Promise<T>): Promise<T | undefined> {
    if (this.#ledger === undefined) return undefined;
    try {
      return await read(this.#ledger);
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  /** Those that this home's provider keeps; of an embedded home all. */
  async records(): Promise<readonly StoredRecord[] | undefined> {
    const all = await this.#all();
    const own = this.#provider;
    return own === undefined
      ? all
      : all?.filter(({ provider }) => provider === undefined || provider === own);
  }

  async #all(): Promise<readonly StoredRecord[] | undefined> {
    const found = await this.#ofState(recordsOfState);
    if (found !== undefined || this.#salvage === undefined) return found;
    const left = new RecordsOfBlocks();
    for (let height = 1; height <= this.#salvage.height(); height++) {
      left.transactions(height, this.#salvage.block(height)?.transactions ?? []);
    }
    return left.records;
  }

  async current(recordId: string): Promise<StoredRecord | undefined> {
    const id = fromHex(recordId, 32);
    return await this.#ofState(async (ledger) => storedRecord(id, await requireRecord(ledger, id)));
  }

  /** Of the transactions that tombstones name, those that the state knows, hex: it names all that there ever were. */
  async knownOf(tombstones: readonly Tombstone[]): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    for (const tombstone of tombstones) {
      const named = transactionOfTombstone(tombstone);
      if (named === undefined) continue;
      const found = await this.#ofState((ledger) => ledger.read(entries.transaction.kind, named));
      if (found !== undefined) known.add(toHex(named));
    }
    return known;
  }

  async acceptedLoss(): Promise<AcceptedLoss | undefined> {
    return await this.#ofState((ledger) => readEntry(ledger, entries.era, emptyKey));
  }

  async close(): Promise<void> {
    await this.#ledger?.close();
  }
}

function isDamage(error: unknown): boolean {
  if (!(error instanceof ChartsealError)) return false;
  return error.family === "integrity" || error.code === "encoding-invalid" || error.code === "record-unknown";
}

function readable<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

async function checkWitnesses(
  paths: HomePaths,
  objects: StoredObjects,
  held: {
    readonly salvage: Salvage;
    readonly source: RecordSource;
    readonly loss: AcceptedLoss | undefined;
  },
): Promise<Finding[]> {
  const { salvage, source, loss } = held;
  const tombstones = await objects.tombstones.list();
  const began = salvage.base() > 0;
  // What a chain that began with a snapshot holds from before is in its state alone; block hashes are not found there.
  const before: ReadonlySet<string> = began ? await source.knownOf(tombstones) : new Set();
  const chain = {
    height: () => salvage.height(),
    hashOf: (height: number) => salvage.block(height)?.hash,
    holdsTransaction: (identifier: Uint8Array) =>
      salvage.heightOf(identifier) !== undefined || before.has(toHex(identifier)),
    holdsHash: (hash: Uint8Array) => began || equalBytes(hash, noHead.hash) || salvage.holdsHash(hash),
  };
  const { heads, findings } = readHeads(paths);
  return [...findings, ...checkHeads(heads, chain, loss), ...checkTombstones(tombstones, chain, loss)];
}

/**
 * That the ledger holds all that members and tombstones know of it.
 * @throws ChartsealError `chain-altered`
 */
export async function demandWitnessed(paths: HomePaths): Promise<void> {
  const files = await ledgerFiles(paths);
  const salvage = files.salvage();
  if (salvage === undefined) throw new ChartsealError("chain-altered", "the ledger's store cannot be read");
  try {
    const genesis = salvage.genesis();
    const source = new RecordSource(files, await loadPairing(), { genesis, salvage });
    const [first] = await witnessed(paths, salvage, source).finally(() => source.close());
    if (first === undefined) return;
    throw new ChartsealError("chain-altered", first.detail, { hint: first.remedy });
  } finally {
    salvage.close();
  }
}

async function witnessed(paths: HomePaths, salvage: Salvage, source: RecordSource): Promise<Finding[]> {
  const loss = await source.acceptedLoss();
  return await checkWitnesses(paths, await openStoredObjects(paths), { salvage, source, loss });
}

/** The last head that each member of this home verified. */
function readHeads(paths: HomePaths): { heads: SeenHead[]; findings: Finding[] } {
  const heads: SeenHead[] = [];
  const findings: Finding[] = [];
  if (!existsSync(paths.members)) return { heads, findings };
  for (const member of readdirSync(paths.members).sort()) {
    const path = join(paths.member(member), "head.json");
    try {
      const seen = readJson(path) as Omit<SeenHead, "member"> | null | undefined;
      if (seen === undefined) continue;
      const sound = Number.isSafeInteger(seen?.height) && /^[0-9a-f]{64}$/.test(String(seen?.hash));
      if (seen === null || !sound) throw new ChartsealError("chain-altered", `${path} is damaged`);
      heads.push({ member, height: seen.height, hash: seen.hash });
    } catch (error) {
      if (!isFamily(error, "integrity")) throw error;
      const detail = `the last head that ${member} verified cannot be read: members/${member}/head.json is damaged`;
      findings.push({
        kind: "home-file",
        member,
        detail,
        remedy: "Restore the member's folder from a backup.",
      });
    }
  }
  return { heads, findings };
}
