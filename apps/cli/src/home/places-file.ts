/**
 * DIR/provider/places.json: the places among which this home's provider divides what it stores, with what opens them, and
 * the placement secret. A keyring of mode 0600 (CRYPTO §6), so that `verify` needs no passphrase; one that others may
 * read is refused. A home without the file keeps its objects in DIR/provider/objects.
 */
import { statSync } from "node:fs";
import { ChartsealError, fromHex, randomBytes, toHex } from "@chartseal/crypto";
import { isPlacement, isPlaceName, isRegion, type Placement } from "@chartseal/storage";
import { readJson, writeJson } from "./files.ts";
import type { HomePaths } from "./paths.ts";

/** A folder of this machine, or of a disk or share that it has mounted. */
export interface FolderPlace {
  readonly kind: "folder";
  /** Absolute. */
  readonly path: string;
}

/** A bucket of an S3 server. `s3Region` is the server's word for where it is, and says nothing of law. */
export interface S3Place {
  readonly kind: "s3";
  /** Absent for AWS itself. */
  readonly endpoint?: string;
  readonly s3Region: string;
  readonly bucket: string;
  readonly prefix?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** PEM certificates of a private authority. */
  readonly ca?: string;
  /** Objects lie here whole, and no shard does. */
  readonly whole?: true;
}

/** A folder of an FTPS server. */
export interface FtpsPlace {
  readonly kind: "ftps";
  readonly host: string;
  readonly port?: number;
  readonly folder: string;
  readonly user: string;
  readonly password: string;
  readonly ca?: string;
}

/** Another institution's provider that keeps objects for its peers. */
export interface HolderPlace {
  readonly kind: "chartseal";
  /** An origin, by TLS unless it is this machine. */
  readonly url: string;
  /** 32 bytes in hex: of the account that signs to this place and does nothing else. */
  readonly seed: string;
}

/** How a place is opened, by kind. */
export type PlaceAccess = FolderPlace | S3Place | FtpsPlace | HolderPlace;
export const placeKinds = ["folder", "s3", "ftps", "chartseal"] as const;

export type PlaceEntry = { readonly name: string; readonly region: string } & PlaceAccess;

export interface PlacesFile {
  readonly version: 1;
  /** 32 bytes in hex, from which the names and keys of shards are made; whoever loses it loses every divided object. */
  readonly secret: string;
  /** How a record is divided that says nothing; else by the number of places. */
  readonly defaultPlacement?: Placement;
  /** The bucket where records that say nothing go whole; it is among the places, and marked. */
  readonly wholeAt?: string;
  readonly places: readonly PlaceEntry[];
}

/** Most places of a home. */
export const placesMax = 64;

/** Undefined where the home has none. @throws ChartsealError `input-invalid` where others may read it; `chain-altered` */
export function readPlacesFile({ places }: Pick<HomePaths, "places">): PlacesFile | undefined {
  const value = readJson(places) as PlacesFile | undefined;
  if (value === undefined) return undefined;
  // Windows has no such modes.
  if (process.platform !== "win32" && (statSync(places).mode & 0o077) !== 0) {
    throw new ChartsealError("input-invalid", "provider/places.json may be read by others than its owner", {
      hint: "It holds credentials: chmod 600 it, and change what others may have read.",
    });
  }
  if (!isSound(value)) {
    throw new ChartsealError("chain-altered", "provider/places.json is damaged", {
      hint: "Restore it from a backup: without its secret no divided object can be read.",
    });
  }
  return value;
}

function isSound(value: PlacesFile | null): value is PlacesFile {
  if (typeof value !== "object" || value === null || value.version !== 1) return false;
  if (!/^[0-9a-f]{64}$/.test(value.secret) || !Array.isArray(value.places)) return false;
  if (value.defaultPlacement !== undefined && !isPlacement(value.defaultPlacement)) return false;
  const names = value.places.map(({ name }) => name);
  if (value.wholeAt !== undefined && !value.places.filter(isWhole).some(({ name }) => name === value.wholeAt))
    return false;
  return value.places.every(isEntry) && new Set(names).size === names.length && names.length <= placesMax;
}

function isEntry(entry: PlaceEntry): boolean {
  const fields = entry as unknown as Readonly<Record<string, unknown>>;
  const needed = textFields[entry.kind];
  const known = needed?.every((field) => typeof fields[field] === "string") ?? false;
  const sound = entry.kind !== "chartseal" || (/^[0-9a-f]{64}$/.test(entry.seed) && URL.canParse(entry.url));
  return known && sound && isPlaceName(entry.name) && isRegion(entry.region);
}

/** True of a bucket in which objects lie whole: no shard goes there. */
export function isWhole(place: PlaceEntry): place is PlaceEntry & S3Place {
  return place.kind === "s3" && place.whole === true;
}

/** The places among which records are divided. */
export function dividingPlaces(file: Pick<PlacesFile, "places"> | undefined): readonly PlaceEntry[] {
  return (file?.places ?? []).filter((place) => !isWhole(place));
}

/** What each kind must have. */
const textFields: Readonly<Record<string, readonly string[] | undefined>> = {
  folder: ["path"],
  s3: ["s3Region", "bucket", "accessKeyId", "secretAccessKey"],
  ftps: ["host", "folder", "user", "password"],
  chartseal: ["url", "seed"],
};

export function writePlacesFile({ places }: Pick<HomePaths, "places">, file: PlacesFile): void {
  writeJson(places, file);
}

/** The file as it is, or that of a home which gets its first place. */
export function placesFileOrNew(paths: Pick<HomePaths, "places">): PlacesFile {
  return readPlacesFile(paths) ?? { version: 1, secret: toHex(randomBytes(32)), places: [] };
}

export function placementSecret({ secret }: PlacesFile): Uint8Array {
  return fromHex(secret, 32);
}
