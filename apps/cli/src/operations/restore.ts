/**
 * restore: a backup put in a home's place (CONTRACT, Files). It is refused where anyone saw a later head, unless the loss
 * is accepted: then validators raise the era, lost revocations and erasures are applied again, and what is known to be
 * missing goes on the ledger. Everything is made in a folder beside the home; the replaced home is kept, not deleted.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  ChartsealError,
  fromHex,
  hasCode,
  loadPairing,
  namespaceOf,
  type Pairing,
  toHex,
} from "@chartseal/crypto";
import { emptyKey, encodeTransaction, entries, ledgerRules, signAdmission } from "@chartseal/ledger";
import { verifyEmbedded } from "@chartseal/ledger/embedded";
import { currentBody, isVouched, readEntry, type Tombstone } from "@chartseal/sharing";
import { writeJson } from "../home/files.ts";
import { type Home, isOfConsortium, openHome } from "../home/home.ts";
import { type HomePaths, homePaths } from "../home/paths.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openTombstones } from "../services/provider-stores.ts";
import { type OwnSession, openForReading, openSession } from "../services/session.ts";
import { copyHome, withDraft } from "./backup.ts";
import { findLoss, type Loss, type LostHead } from "./loss.ts";
import { type RestoredInstitution, restoreInstitution } from "./restore-institution.ts";
import {
  checkTarget,
  destroyErased,
  keepSeenHeads,
  mergeTombstones,
  openDamaged,
  swap,
} from "./restored-home.ts";

export interface RestoreOptions {
  /** The home's folder, whether or not anything is there. */
  readonly folder: string;
  readonly from: string;
  readonly exported?: string;
  readonly acceptLoss: boolean;
  readonly waitMs: number;
  /** Asked for where the loss is accepted: the validators' key signs the new era. */
  readonly passphrase: () => Promise<string>;
}

export interface Restored {
  readonly home: string;
  readonly chainId: string;
  readonly height: number;
  readonly era: number;
  /** The head that is given up, where the loss was accepted. */
  readonly lost: LostHead | null;
  /** The first block of that chain that the backup does not hold; null where nothing later is known of. */
  readonly lostFrom: number | null;
  readonly missing: readonly string[];
  readonly tombstones: number;
  /** Where the home that was here before is now. */
  readonly replaced: string | null;
}

/** One raise-era transaction holds at most this many tombstones, of this many bytes together. */
const tombstonesMax = 256;
const tombstoneBytesMax = 128 * 1024;

/** @throws ChartsealError `home-missing`, `chain-altered` (also where something would be lost), `input-invalid`, … */
export async function restore(options: RestoreOptions): Promise<Restored | RestoredInstitution> {
  const folder = resolve(options.folder);
  const source = checkSource(options.from, folder);
  const isReplaced = checkTarget(folder, source);
  if (isOfConsortium(source)) return await restoreInstitution({ ...options, folder }, { source, isReplaced });
  const pairing = await loadPairing();
  await checkBackup(source, pairing);
  const lock =
    isReplaced && existsSync(homePaths(folder).config) ? await takeOwnHome(folder, options.waitMs) : null;
  try {
    const loss = await lossOf(options, source, isReplaced ? homePaths(folder) : undefined);
    if (!options.acceptLoss) demandNoLoss(loss);
    const passphrase = options.acceptLoss ? await options.passphrase() : undefined;
    return await withDraft(folder, "restore", async (draft) => {
      await copyHome(source.paths.root, draft);
      const made = await prepare(draft, {
        loss,
        passphrase,
        before: isReplaced ? homePaths(folder) : undefined,
      });
      const replaced = swap(draft, folder);
      return { home: folder, chainId: source.config.chainId, ...made, replaced };
    });
  } finally {
    lock?.release();
  }
}

function checkSource(from: string, folder: string): Home {
  const path = resolve(from);
  if (path === folder) throw new ChartsealError("input-invalid", "a home cannot be restored from itself");
  if (existsSync(path) && !statSync(path).isDirectory()) {
    throw new ChartsealError("input-invalid", `${from} is not a folder`);
  }
  try {
    return openHome(path);
  } catch (error) {
    // The home to restore to may well be there: it is the backup that is not.
    if (!hasCode(error, "home-missing")) throw error;
    throw new ChartsealError("home-missing", `there is no backup in ${from}`, {
      hint: "Give the folder that chartseal backup made.",
    });
  }
}

/** A damaged backup never takes a home's place. */
async function checkBackup({ paths, config }: Home, pairing: Pairing): Promise<void> {
  const rulesOf = (genesis: Uint8Array) => ledgerRules(pairing, genesis);
  const report = await verifyEmbedded({
    directory: paths.root,
    rulesOf,
    chainId: fromHex(config.chainId, 32),
  });
  const [first] = report.findings;
  if (first === undefined) return;
  throw new ChartsealError("chain-altered", `the backup's ledger is damaged: ${first.detail}`, {
    data: { height: first.height, field: first.field },
  });
}

async function lossOf(options: RestoreOptions, source: Home, before: HomePaths | undefined): Promise<Loss> {
  const backup = await openForReading(source.paths.root);
  const replaced = before === undefined ? undefined : await openDamaged(before.root);
  try {
    return await findLoss({
      ledger: backup.ledger,
      from: source.paths,
      ...(before === undefined
        ? {}
        : { replaced: { paths: before, ...(replaced && { ledger: replaced.ledger }) } }),
      ...(options.exported === undefined ? {} : { exported: options.exported }),
    });
  } finally {
    await replaced?.close();
    await backup.close();
  }
}

/** @throws ChartsealError `chain-altered`, data {height, hash, missing} */
function demandNoLoss({ head, unknown, missing }: Loss): void {
  if (head === undefined && unknown.length === 0) return;
  const what =
    head === undefined
      ? "revocations or erasures that it does not hold"
      : `block ${head.height}, which it does not hold`;
  throw new ChartsealError("chain-altered", `the backup is older than what was seen: ${what}`, {
    data: { ...head, missing: missing.slice(0, 32) },
    hint: "Restore a later backup, or accept the loss with --accept-loss.",
  });
}

type Made = Pick<Restored, "height" | "era" | "lost" | "lostFrom" | "missing" | "tombstones">;

/** Makes the copy fit to stand in the home's place. */
async function prepare(
  draft: string,
  options: { loss: Loss; passphrase: string | undefined; before: HomePaths | undefined },
): Promise<Made> {
  const { loss, passphrase, before } = options;
  const home = openHome(draft);
  await mergeTombstones(home, loss.tombstones);
  if (passphrase !== undefined) return await acceptLoss(home, loss, passphrase);
  const session = await openForReading(draft);
  try {
    await destroyErased(home, loss.tombstones);
    const { height } = await session.ledger.head();
    const era = (await readEntry(session.ledger, entries.era, emptyKey))?.era ?? 0;
    if (before !== undefined) keepSeenHeads(home, before);
    return { height, era, lost: null, lostFrom: null, missing: [], tombstones: loss.tombstones.length };
  } finally {
    await session.close();
  }
}

async function acceptLoss(home: Home, loss: Loss, passphrase: string): Promise<Made> {
  const session = await openSession(home, { passphrase, members: [], waitMs: 0 });
  try {
    const before = await session.ledger.head();
    const lost = loss.head ?? { height: before.height, hash: toHex(before.hash) };
    const missing = missingOf(loss);
    for (const batch of batches(loss.transactions)) await raiseEra(session, { lost, missing, batch });
    await revokeAgain(session, loss.unknown);
    // The provider forgets what was revoked and destroys what was erased, in this chain now as in the lost one.
    await session.provider.follow();
    const { height, hash } = await session.ledger.head();
    const era = (await readEntry(session.ledger, entries.era, emptyKey))?.era ?? 0;
    // Members confirm the new era by having accepted: from here on they follow this chain.
    for (const name of existsSync(home.paths.members) ? readdirSync(home.paths.members) : []) {
      writeJson(join(home.paths.members, name, "head.json"), { height, hash: toHex(hash) });
    }
    const tombstones = (await openTombstones(home.paths).list()).length;
    // A head below the backup's own is of another history: which blocks they share nobody looked up.
    const lostFrom = lost.height > before.height ? before.height + 1 : null;
    return { height, era, lost, lostFrom, missing, tombstones };
  } finally {
    await session.close();
  }
}

/** What goes on the ledger: at most 256 sentences of 256 characters. */
function missingOf({ missing, unknown, head }: Loss): string[] {
  const unseen = head === undefined && unknown.length === 0 ? ["nothing that is known of"] : [];
  const all = [...missing, ...unseen].map((one) => one.slice(0, 256));
  return all.length <= 256 ? all : [...all.slice(0, 255), `and ${all.length - 255} more`];
}

/** Always one batch, empty where no transaction is known. */
function batches(transactions: readonly Uint8Array[]): Uint8Array[][] {
  const made: Uint8Array[][] = [[]];
  let bytes = 0;
  for (const transaction of transactions) {
    const last = made.at(-1)!;
    if (
      last.length === tombstonesMax ||
      (last.length > 0 && bytes + transaction.length > tombstoneBytesMax)
    ) {
      made.push([]);
      bytes = 0;
    }
    made.at(-1)!.push(transaction);
    bytes += transaction.length;
  }
  return made;
}

async function raiseEra(
  session: OwnSession,
  { lost, missing, batch }: { lost: LostHead; missing: readonly string[]; batch: readonly Uint8Array[] },
): Promise<void> {
  const body = await currentBody(session, {
    kind: "raise-era",
    lostHeight: lost.height,
    lostHash: fromHex(lost.hash, 32),
    missing: [...missing],
    tombstones: [...batch],
  });
  const admissions = [signAdmission(session.validatorSeed, body)];
  await session.ledger.submit(encodeTransaction(body, { admissions }));
}

/** Vouches that a tombstone ended and the restored ledger still shows: their hospital ends them again. */
async function revokeAgain(session: OwnSession, unknown: readonly Tombstone[]): Promise<void> {
  for (const tombstone of unknown) {
    if (tombstone.kind !== "revoked") continue;
    const account = fromHex(tombstone.account, 20);
    for (const attribute of tombstone.attributes) {
      if (!(await isVouched(session.ledger, account, attribute))) continue;
      const service = await session.namespace(namespaceOf(attribute));
      await service?.revoke(account, [attribute]);
    }
  }
}
