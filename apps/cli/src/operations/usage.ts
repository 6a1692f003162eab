/** provider usage, provider quota: what this home's provider keeps for whom, by the ledger, and how much it may be. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { accountOf, decodeGenesis } from "@chartseal/ledger";
import { UsageBook, type Use } from "@chartseal/sharing";
import { type Home, memberNameOf } from "../home/home.ts";
import { quotaOf, readQuotasFile, writeQuotasFile } from "../home/quotas-file.ts";
import type { ReadSession } from "../services/session.ts";

export interface OwnerUse extends Use {
  /** A member's name where it is of this home. */
  readonly owner: string | null;
  readonly ownerAccount: string;
  readonly quotaBytes: number | null;
}

async function bookOf({ ledger, home }: ReadSession): Promise<UsageBook> {
  const [publicKey] = decodeGenesis(home.genesis).providers;
  if (publicKey === undefined) throw new ChartsealError("chain-altered", "the genesis names no provider");
  const book = new UsageBook(ledger, accountOf(publicKey));
  await book.follow();
  return book;
}

/** One line for each owner of a record here; with an account, of that owner alone. */
export async function ownersUse(session: ReadSession, account?: string): Promise<OwnerUse[]> {
  const { home } = session;
  const owners = (await bookOf(session)).owners();
  const quotas = readQuotasFile(home.paths);
  const wanted = account === undefined ? [...owners.keys()].sort() : [account];
  return wanted.map((one) => ({
    owner: memberNameOf(home, one) ?? null,
    ownerAccount: one,
    ...(owners.get(one) ?? { records: 0, bytes: 0 }),
    quotaBytes: quotaOf(quotas, one) ?? null,
  }));
}

export interface RelayUse extends Use {
  /** Null for what owners brought themselves. */
  readonly relay: string | null;
}

export async function relaysUse(session: ReadSession): Promise<RelayUse[]> {
  const relays = [...(await bookOf(session)).relays()].sort();
  return relays.map(([relay, use]) => ({ relay: relay === "" ? null : relay, ...use }));
}

export interface PeerUse {
  readonly peer: string;
  readonly objects: number;
  readonly bytes: number;
}

/** What other providers keep here. Reads; opening a store would clear what a crash left in it. */
export async function peersUse({ home }: ReadSession): Promise<PeerUse[]> {
  const { held } = home.paths;
  const accounts = existsSync(held) ? readdirSync(held).filter((name) => /^[0-9a-f]{40}$/.test(name)) : [];
  return accounts.sort().map((peer) => ({ peer, ...filesOf(join(held, peer)) }));
}

function filesOf(folder: string): { objects: number; bytes: number } {
  let [objects, bytes] = [0, 0];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    objects++;
    bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return { objects, bytes };
}

const units: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `none`, or a whole number of bytes, KiB, MiB, GiB or TiB. @throws ChartsealError `input-invalid` */
export function parseQuota(text: string): number | null {
  if (text === "none") return null;
  const [, count, unit = ""] = /^([0-9]{1,16})(KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
  const bytes = Number(count) * (units[unit] ?? Number.NaN);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new ChartsealError("input-invalid", `a quota is none or like 500MiB, not ${JSON.stringify(text)}`);
}

/** Of one account, or of everybody that has none of its own. */
export function setQuota(home: Home, bytes: number | null, account?: string): void {
  const file = readQuotasFile(home.paths);
  const next =
    account === undefined
      ? { ...file, ownerBytes: bytes }
      : { ...file, owners: { ...file.owners, [account]: bytes } };
  writeQuotasFile(home.paths, next);
}
