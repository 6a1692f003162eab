/**
 * The chain for strangers (CONTRACT, Blocks): genesis, export, inclusion receipts and their check. Everything here reads:
 * no passphrase, no byte of a home changed. A check needs no home at all; where one is there, its genesis is the one
 * that counts, and its blocks are compared with the receipt's.
 */
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { ChartsealError, equalBytes, fromHex, fromUtf8, toHex } from "@chartseal/crypto";
import { type Block, chainIdOf, decodeHeader, exportLine, type Ledger } from "@chartseal/ledger";
import {
  type Evidence,
  type EvidenceFault,
  parseCommitted,
  parseRecordProof,
  type RecordProof,
  recordProofFaults,
  type Trust,
} from "@chartseal/sharing";

/** Largest inclusion receipt or genesis file that is read: 16 MiB. */
const receiptBytesMax = 16 * 1024 * 1024;
/** Longest line of an export: a block of 64 MiB in hex. */
const lineLengthMax = 160 * 1024 * 1024;

function unreadable(path: string, what: string, cause?: unknown): ChartsealError {
  return new ChartsealError("input-invalid", `${path} is not ${what}`, { data: { file: path }, cause });
}

/** A whole small file that a user named. @throws ChartsealError `input-invalid` */
export function readGiven(path: string, what: string): Uint8Array {
  try {
    const stats = statSync(path);
    if (!stats.isFile() || stats.size > receiptBytesMax) throw unreadable(path, what);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof ChartsealError) throw error;
    throw new ChartsealError("input-invalid", `the file ${path} cannot be read`, {
      data: { file: path },
      cause: error,
    });
  }
}

/**
 * A genesis as somebody keeps it: genesis.cbor itself, its hex, or what `ledger genesis --json` printed.
 * @throws ChartsealError `input-invalid`
 */
export function readGenesisFile(path: string): Uint8Array {
  const bytes = readGiven(path, "a genesis");
  const text = textOf(bytes)?.trim();
  if (text === undefined) return bytes;
  if (/^([0-9a-f]{2})+$/.test(text)) return fromHex(text);
  const value = jsonOf(text);
  if (isObject(value) && typeof value.genesis === "string" && /^([0-9a-f]{2})+$/.test(value.genesis)) {
    return fromHex(value.genesis);
  }
  throw unreadable(path, "a genesis");
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = fromUtf8(bytes);
    return /^[\t\n\r\x20-\x7e]*$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One JSON line a block, written no faster than they are read. */
export async function exportChain(
  ledger: Ledger,
  write: (line: string) => Promise<void>,
  range: { readonly from: number; readonly to?: number } = { from: 1 },
): Promise<void> {
  for await (const block of ledger.blocks(range.from, range.to)) {
    await write(`${JSON.stringify(exportLine(block))}\n`);
  }
}

/** A line on standard output, resolved when it may be followed by another. */
export function writeLine(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(line, (error) => (error ? reject(error) : resolve()));
  });
}

/**
 * The lines of a `ledger export`, parsed and not checked, one at a time.
 * @throws ChartsealError `input-invalid` for a file that cannot be read or a line that is no JSON
 */
export async function* exportLines(path: string): AsyncIterable<unknown> {
  readableFile(path);
  const lines = createInterface({
    input: createReadStream(path, "utf8"),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    if (line.trim() === "") continue;
    const value = line.length > lineLengthMax ? undefined : jsonOf(line);
    if (!isObject(value)) throw unreadable(path, "the lines of a ledger export");
    yield value;
  }
}

function readableFile(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) throw new ChartsealError("input-invalid", `the file ${path} cannot be read`);
}

/** What `check-proof` is given: receipts, and blocks of exports to compare them with. */
interface Given {
  readonly proofs: RecordProof[];
  readonly blocks: Evidence["blocks"][number][];
}

/** @throws ChartsealError `input-invalid` */
async function readGivenProofs(paths: readonly string[]): Promise<Given> {
  const given: Given = { proofs: [], blocks: [] };
  for (const path of paths) {
    const value = await firstValue(path);
    if (isObject(value) && "states" in value) given.proofs.push(parseRecordProof(value));
    else for await (const line of exportLines(path)) given.blocks.push(committed(path, line));
  }
  if (given.proofs.length === 0) throw unreadable(paths.join(", "), "an inclusion receipt");
  return given;
}

async function firstValue(path: string): Promise<unknown> {
  readableFile(path);
  if (statSync(path).size <= receiptBytesMax) {
    const whole = jsonOf(textOf(readGiven(path, "an inclusion receipt")) ?? "");
    if (whole !== undefined) return whole;
  }
  for await (const line of exportLines(path)) return line;
  return undefined;
}

function committed(path: string, line: unknown): Evidence["blocks"][number] {
  try {
    return parseCommitted(line);
  } catch (cause) {
    throw unreadable(path, "the lines of a ledger export", cause);
  }
}

export interface ProofReport {
  readonly ok: boolean;
  readonly chainId: string;
  readonly recordId: string;
  /** The block after which the record's leaf is proved. */
  readonly height: number;
  /** Whose genesis it was checked against: `receipt` says only that the receipt agrees with itself. */
  readonly genesis: "given" | "home" | "receipt";
  readonly findings: readonly EvidenceFault[];
}

/**
 * Checks one or more receipts, alone and against each other's blocks, those of exports, and those of a ledger at hand.
 * @throws ChartsealError `input-invalid` for what is no receipt
 */
export async function checkProof(
  paths: readonly string[],
  trusted: {
    readonly genesis?: Uint8Array;
    readonly home?: { readonly genesis: Uint8Array; readonly ledger?: Ledger };
    readonly trust?: Trust;
  },
): Promise<ProofReport> {
  const { proofs, blocks } = await readGivenProofs(paths);
  const genesis = trusted.genesis ?? trusted.home?.genesis;
  const source = trusted.genesis !== undefined ? "given" : trusted.home !== undefined ? "home" : "receipt";
  const findings: EvidenceFault[] = [];
  for (const proof of proofs) {
    const others = [...blocks, ...proofs.flatMap((other) => (other === proof ? [] : other.evidence.blocks))];
    const own = trusted.home?.ledger === undefined ? [] : await sameHeights(trusted.home.ledger, proof);
    const heights = new Set(proof.evidence.blocks.map(({ header }) => decodeHeader(header).height));
    const beside = [...others, ...own].filter(({ header }) => heights.has(decodeHeader(header).height));
    const evidence = { ...proof.evidence, blocks: [...proof.evidence.blocks, ...beside] };
    findings.push(...recordProofFaults({ ...proof, evidence }, genesis, trusted.trust));
  }
  const [{ chainId, recordId, height }] = proofs as [RecordProof];
  const ids = { chainId: toHex(chainId), recordId: toHex(recordId) };
  return { ok: findings.length === 0, ...ids, height, genesis: source, findings: distinct(findings) };
}

/** The failure of a check that found something: the exit code alone says nothing to who reads standard error. */
export function doesNotHold(
  what: string,
  { findings }: { readonly findings: readonly { readonly detail: string }[] },
): ChartsealError | undefined {
  const [first] = findings;
  if (first === undefined) return undefined;
  const more = findings.length === 1 ? "" : ` (and ${findings.length - 1} more)`;
  return new ChartsealError("chain-altered", `the ${what} does not hold: ${first.detail}${more}`);
}

/** The blocks that a ledger holds at the receipt's heights, where it is of the same chain. */
async function sameHeights(ledger: Ledger, { genesis, evidence }: RecordProof): Promise<Evidence["blocks"]> {
  if (!equalBytes(chainIdOf(genesis), ledger.chainId)) return [];
  const found: Evidence["blocks"][number][] = [];
  for (const { header } of evidence.blocks) {
    const block: Block | undefined = await ledger.block(decodeHeader(header).height);
    if (block !== undefined) found.push(committed("the ledger", exportLine(block)));
  }
  return found;
}

function distinct(findings: readonly EvidenceFault[]): EvidenceFault[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}
