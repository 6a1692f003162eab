/**
 * A place as it is described on a command line: what each kind needs, looked at before anything is changed. Credentials
 * come from the environment or a file, never from the arguments, which other users of the machine can read.
 */
import { lstatSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ChartsealError, randomBytes, toHex } from "@chartseal/crypto";
import { checkRegions } from "@chartseal/sharing";
import { isName, isPlaceName } from "@chartseal/storage";
import { type PlaceAccess, type PlaceEntry, placeKinds } from "../home/places-file.ts";

export interface NewPlace {
  readonly name: string;
  readonly kind: string;
  readonly region: string;
  /** Of a folder; of the folder on an FTPS server. */
  readonly path?: string;
  readonly endpoint?: string;
  readonly s3Region?: string;
  readonly bucket?: string;
  readonly prefix?: string;
  readonly host?: string;
  readonly port?: string;
  /** Of another institution's provider. */
  readonly url?: string;
  readonly ca?: string;
  readonly credentials?: string;
}

/** Where the two parts of a place's credentials are read, unless a file is given. */
export const placeVariables = { id: "CHARTSEAL_PLACE_ID", secret: "CHARTSEAL_PLACE_SECRET" } as const;
const smallBytesMax = 64 * 1024;

/** @throws ChartsealError `input-invalid` */
export function checkNewPlace(place: NewPlace): PlaceEntry {
  const { name, region } = place;
  if (!isPlaceName(name)) {
    throw new ChartsealError("input-invalid", `${JSON.stringify(name)} cannot name a place`, {
      hint: "Lower-case letters, digits and hyphens, up to 32.",
    });
  }
  checkRegions([region]);
  return { name, region, ...accessOf(place) };
}

function accessOf(place: NewPlace): PlaceAccess {
  switch (place.kind) {
    case "folder":
      return folderOf(needed(place, "path"));
    case "s3":
      return bucketOf(place);
    case "ftps":
      return ftpsOf(place);
    case "chartseal":
      return holderOf(needed(place, "url"));
    default:
      throw new ChartsealError("input-invalid", `${JSON.stringify(place.kind)} is no kind of place`, {
        hint: `Kinds: ${placeKinds.join(", ")}.`,
      });
  }
}

function needed(place: NewPlace, option: "path" | "bucket" | "host" | "url"): string {
  const value = place[option];
  if (value !== undefined && value !== "") return value;
  throw new ChartsealError("input-invalid", `a place of kind ${place.kind} needs --${option}`);
}

function folderOf(path: string): PlaceAccess {
  const folder = resolve(path);
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new ChartsealError("input-invalid", `there is no folder ${folder}`, {
      hint: "Make it, or mount the disk, first.",
    });
  }
  return { kind: "folder", path: folder };
}

function bucketOf(place: NewPlace): PlaceAccess {
  const { endpoint, prefix, s3Region = "us-east-1" } = place;
  const bucket = needed(place, "bucket");
  if (endpoint !== undefined && !/^https?:\/\/[^/?#]+\/?$/.test(endpoint)) {
    throw new ChartsealError("input-invalid", "--endpoint takes the server's address, https://HOST[:PORT]");
  }
  if (prefix !== undefined && !isName(prefix)) {
    throw new ChartsealError("input-invalid", `${JSON.stringify(prefix)} cannot stand before names`);
  }
  const { id: accessKeyId, secret: secretAccessKey } = credentialsOf(place);
  return {
    kind: "s3",
    ...(endpoint === undefined ? {} : { endpoint }),
    s3Region,
    bucket,
    ...(prefix === undefined ? {} : { prefix }),
    accessKeyId,
    secretAccessKey,
    ...authorityOf(place),
  };
}

function ftpsOf(place: NewPlace): PlaceAccess {
  const { port, path = "/" } = place;
  const host = needed(place, "host");
  if (port !== undefined && !(/^[0-9]{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65_536)) {
    throw new ChartsealError("input-invalid", `--port takes a number, not ${JSON.stringify(port)}`);
  }
  const { id: user, secret: password } = credentialsOf(place);
  if (/\p{Cc}/u.test(`${host}${path}${user}${password}`)) {
    throw new ChartsealError("input-invalid", "there is a control character in what opens the FTPS server");
  }
  const at = port === undefined ? { host } : { host, port: Number(port) };
  return { kind: "ftps", ...at, folder: path, user, password, ...authorityOf(place) };
}

/** A fresh key: this account speaks to this place and is nobody else's. */
function holderOf(text: string): PlaceAccess {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const near = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url?.hostname ?? "");
  const safe = url?.protocol === "https:" || (url?.protocol === "http:" && near);
  const bare = url?.pathname === "/" && `${url.search}${url.hash}${url.username}${url.password}` === "";
  if (url !== undefined && safe && bare) {
    return { kind: "chartseal", url: url.origin, seed: toHex(randomBytes(32)) };
  }
  throw new ChartsealError("input-invalid", "--url takes the server's address, https://HOST[:PORT]", {
    hint: "Without TLS only a server of this machine is asked: http://127.0.0.1:PORT.",
  });
}

/** Two lines of a file, or two variables of the environment. @throws ChartsealError `input-invalid` */
function credentialsOf({ credentials }: NewPlace): { readonly id: string; readonly secret: string } {
  const given =
    credentials === undefined
      ? [process.env[placeVariables.id], process.env[placeVariables.secret]]
      : readText(credentials).split(/\r?\n/);
  const [id = "", secret = ""] = given;
  if (id !== "" && secret !== "") return { id, secret };
  throw new ChartsealError("input-invalid", "the place's credentials are missing", {
    hint: `Set ${placeVariables.id} and ${placeVariables.secret}, or give --credentials FILE: id and secret, a line each.`,
  });
}

function authorityOf({ ca }: NewPlace): { readonly ca?: string } {
  if (ca === undefined) return {};
  const text = readText(ca);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return { ca: text };
  throw new ChartsealError("input-invalid", `${ca} holds no certificate in PEM`);
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= smallBytesMax) return bytes.toString("utf8");
  } catch {
    // Said below.
  }
  throw new ChartsealError("input-invalid", `the file ${path} cannot be read`, { data: { file: path } });
}

/** What makes two places one, whoever opens them: a disk, a bucket and prefix, a folder of a server. */
export function whereOf(entry: PlaceAccess): string {
  switch (entry.kind) {
    case "folder":
      return JSON.stringify(["folder", entry.path]);
    case "s3":
      return JSON.stringify(["s3", entry.endpoint ?? "", entry.bucket, entry.prefix ?? ""]);
    case "ftps":
      return JSON.stringify(["ftps", entry.host, entry.port ?? 21, entry.folder]);
    case "chartseal":
      return JSON.stringify(["chartseal", entry.url]);
  }
}

export function nounOf({ kind }: PlaceAccess): string {
  return kind === "s3" ? "bucket" : kind === "chartseal" ? "provider" : "folder";
}
