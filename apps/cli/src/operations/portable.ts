/**
 * The portable form at the command line (CRYPTO §4): `export` writes a file through a proved request, `open --file`
 * opens one with the member's vault alone: no ledger, no provider, no lock, no byte of the home changed.
 */
import { closeSync, existsSync, fstatSync, openSync, read } from "node:fs";
import { promisify } from "node:util";
import { ChartsealError, loadPairing, toHex } from "@chartseal/crypto";
import { type OpenedFile, openPortable, type PortableFile, readPortable } from "@chartseal/sharing";
import { readSmallFile } from "../home/files.ts";
import { type Home, homeFolder, requireMember } from "../home/home.ts";
import { readMemberPassphrase } from "../home/passphrase.ts";
import { homePaths } from "../home/paths.ts";
import { counted } from "../output.ts";
import type { Globals } from "../program-globals.ts";
import { passphraseOption } from "../run.ts";
import { openMemberVault } from "../services/vaults.ts";
import { loadFullKeys } from "./full-key.ts";
import { readGenesisFile } from "./ledger.ts";
import { authorValue, destinationOf, parseRange } from "./opened.ts";
import { checkDestination, deliver } from "./output-file.ts";

const pieceBytes = 256 * 1024;
const readAt = promisify(read);

/** A file that is read from any offset; close it when done. @throws ChartsealError `input-invalid` */
export function openPortableFile(path: string): PortableFile & { close(): void } {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    throw new ChartsealError("input-invalid", `the file ${path} cannot be read`, {
      data: { file: path },
      cause,
    });
  }
  const stats = fstatSync(descriptor);
  const close = (): void => closeSync(descriptor);
  if (!stats.isFile()) {
    close();
    throw new ChartsealError("input-invalid", `${path} is not a file`, { data: { file: path } });
  }
  async function* bytes(offset: number, length: number): AsyncIterable<Uint8Array> {
    for (let at = offset; at < offset + length; ) {
      const piece = new Uint8Array(Math.min(pieceBytes, offset + length - at));
      const { bytesRead } = await readAt(descriptor, piece, 0, piece.length, at);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
      at += bytesRead;
    }
  }
  return { size: stats.size, read: bytes, close };
}

export interface OpenFileOptions {
  readonly file: string;
  readonly as: string;
  readonly genesis?: string;
  readonly out?: string;
  readonly range?: string;
}

/**
 * A home of which only the member's folder is needed: it may be all that is left of a consortium.
 * @throws ChartsealError `home-missing`
 */
function homeForVaults(folder: string): Home {
  const paths = homePaths(folder);
  if (!existsSync(paths.members)) {
    throw new ChartsealError("home-missing", `there is no consortium in ${folder}`, {
      hint: "Run chartseal init, or give --home.",
    });
  }
  const config = { version: 1, consortium: "", chainId: "", nodes: 0, threshold: 0 } as const;
  return { paths, config, genesis: readSmallFile(paths.genesis) ?? new Uint8Array(0) };
}

/** `open --file`: opens, checks and delivers. @throws ChartsealError as `openPortable`; `passphrase-wrong`, … */
export async function openFile(globals: Globals, options: OpenFileOptions): Promise<void> {
  const home = homeForVaults(homeFolder(globals.home));
  const range = options.range === undefined ? undefined : parseRange(options.range);
  const destination = destinationOf(globals, options.out);
  checkDestination(destination);
  const given = options.genesis === undefined ? undefined : readGenesisFile(options.genesis);
  const held = given ?? (home.genesis.length === 0 ? undefined : home.genesis);
  const file = openPortableFile(options.file);
  try {
    requireMember(home, options.as);
    await readPortable(file);
    const passphrase = await readMemberPassphrase(passphraseOption(globals), options.as);
    const vault = openMemberVault(home, options.as, passphrase);
    const [pairing, opened] = await Promise.all([loadPairing(), vault]);
    const keys = await loadFullKeys(opened, pairing);
    const genesis = held === undefined ? {} : { genesis: held };
    const record = await openPortable(pairing, { file, keys, ...genesis });
    checkRange(record, range);
    const { bytes, sha256 } = await deliver(record.read(range), destination);
    const shown = destination !== "standard-output";
    report(globals, { record, bytes, sha256, shown, given: given !== undefined });
  } finally {
    file.close();
  }
}

function checkRange({ length }: OpenedFile, range: { readonly to: number } | undefined): void {
  if (range === undefined || range.to < length) return;
  throw new ChartsealError("input-invalid", `the record has ${counted(length, "byte")}`, {
    data: { length },
  });
}

function report(
  { output }: Globals,
  parts: {
    readonly record: OpenedFile;
    readonly bytes: number;
    readonly sha256: string;
    readonly shown: boolean;
    /** Whether the user gave a genesis. */
    readonly given: boolean;
  },
): void {
  const { record, bytes, sha256, shown, given } = parts;
  const { mediaType, name, validation } = record.metadata;
  const author = record.author === undefined ? { verified: false } : authorValue(record.author);
  const recordId = toHex(record.recordId);
  if (record.author === undefined) {
    const genesis = given
      ? "the genesis given is not the one of this record's chain"
      : "the genesis of this record's chain is not at hand";
    output.warn(`${genesis}: who wrote it is not verified`);
  }
  if (output.json) output.value({ recordId, bytes, sha256, mediaType, author, name, validation }, "");
  else if (shown) output.note(`${counted(bytes, "byte")} of ${mediaType}, SHA-256 ${sha256}`);
}
