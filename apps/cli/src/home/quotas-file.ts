/**
 * DIR/provider/quotas.json: how many sealed bytes an owner may have stored with this home's provider, for everybody and
 * for some. A home without the file has no bounds. Read at each deposit, so that a running server follows a change.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import type { Quotas } from "@chartseal/sharing";
import { readJson, writeJson } from "./files.ts";
import type { HomePaths } from "./paths.ts";

export interface QuotasFile {
  readonly version: 1;
  /** Of every owner that is not named; null for no bound. */
  readonly ownerBytes: number | null;
  /** By account, 40 hex; null for no bound. */
  readonly owners: Readonly<Record<string, number | null>>;
}

const empty: QuotasFile = { version: 1, ownerBytes: null, owners: {} };

/** @throws ChartsealError `chain-altered` for a damaged file: no bound is not what it may have said */
export function readQuotasFile({ quotas }: Pick<HomePaths, "quotas">): QuotasFile {
  const value = readJson(quotas) as QuotasFile | undefined;
  if (value === undefined) return empty;
  if (isSound(value)) return value;
  throw new ChartsealError("chain-altered", "provider/quotas.json is damaged", {
    hint: "Remove it and set the quotas again with chartseal provider quota set.",
  });
}

export function writeQuotasFile({ quotas }: Pick<HomePaths, "quotas">, value: QuotasFile): void {
  writeJson(quotas, value);
}

function isSound(value: unknown): value is QuotasFile {
  if (typeof value !== "object" || value === null) return false;
  const { version, ownerBytes, owners } = value as Record<string, unknown>;
  if (version !== 1 || !isBytes(ownerBytes) || typeof owners !== "object" || owners === null) return false;
  return Object.entries(owners).every(([account, bytes]) => /^[0-9a-f]{40}$/.test(account) && isBytes(bytes));
}

function isBytes(value: unknown): value is number | null {
  return value === null || (Number.isSafeInteger(value) && (value as number) >= 0);
}

/** What the file says of an account in hex; undefined for no bound. */
export function quotaOf({ ownerBytes, owners }: QuotasFile, account: string): number | undefined {
  return (Object.hasOwn(owners, account) ? owners[account] : ownerBytes) ?? undefined;
}

export function quotasOf(paths: Pick<HomePaths, "quotas">): Quotas {
  return { of: (owner) => quotaOf(readQuotasFile(paths), toHex(owner)) };
}
