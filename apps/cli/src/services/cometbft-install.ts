/**
 * Puts CometBFT into the user's cache folder: from the project's release archive, whose SHA-256 the operator gives or this
 * file knows, else built by Go, which checks the sources against its own checksum database. It appears there whole or not
 * at all.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Release archives by platform, such as `linux_amd64`. */
export interface Release {
  /** Folder that the archives lie in. */
  readonly url: string;
  /** SHA-256 of each archive, hex. A platform without one is built by Go. */
  readonly sha256: Readonly<Record<string, string>>;
}

/**
 * A checksum is written here only as the project published it, checked by whoever writes it. None is known for this version
 * yet, so that all platforms build.
 */
const release: Release = {
  url: "https://github.com/cometbft/cometbft/releases/download",
  sha256: {},
};

const archiveBytesMax = 64 * 1024 * 1024;
const downloadMsMax = 300_000;
const buildMsMax = 1_800_000;
const unpackMsMax = 60_000;

export interface InstallOptions {
  /** The program's path to be. */
  readonly target: string;
  readonly version: string;
  /** What `go install` takes. */
  readonly module: string;
  /** The Go program, where there is one. */
  readonly go: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
  readonly progress: (line: string) => void;
  readonly release?: Release;
  /** SHA-256 of this platform's archive, hex, as whoever runs this read it at the project's release. */
  readonly sha256?: string | undefined;
}

/** @returns the reason where it was not installed */
export async function installCometbft(options: InstallOptions): Promise<{ readonly reason?: string }> {
  const folder = dirname(options.target);
  let work: string;
  try {
    mkdirSync(folder, { recursive: true });
    work = mkdtempSync(join(folder, "install-"));
  } catch (error) {
    return { reason: messageOf(error) };
  }
  try {
    const fetched = await fromArchive(options, work);
    // A wrong checksum is no reason to look elsewhere in silence: somebody should hear of it.
    if ("refused" in fetched) return { reason: fetched.refused };
    const reason = "reason" in fetched ? await withGo(options, work, fetched.reason) : undefined;
    if (reason !== undefined) return { reason };
    renameSync(join(work, "cometbft"), options.target);
    options.progress(`chartseal: installed ${options.target}`);
    return {};
  } catch (error) {
    return { reason: messageOf(error) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

type Fetched = { readonly done: true } | { readonly reason: string } | { readonly refused: string };

async function fromArchive(options: InstallOptions, work: string): Promise<Fetched> {
  const { version, environment, progress } = options;
  const { url: base, sha256 } = options.release ?? release;
  const expected = options.sha256 ?? sha256[platformName()];
  if (expected === undefined) return { reason: `no checksum of a release for ${platformName()} is known` };
  const name = archiveName(version);
  const url = `${base}/v${version}/${name}`;
  progress(`chartseal: getting ${url}`);
  let archive: Buffer;
  try {
    archive = await download(url);
  } catch (error) {
    return { reason: `${url}: ${messageOf(error)}` };
  }
  const found = createHash("sha256").update(archive).digest("hex");
  if (found !== expected) return { refused: `${url} has SHA-256 ${found}, not ${expected}` };
  const path = join(work, name);
  writeFileSync(path, archive);
  const failed = await run("tar", ["-xzf", path, "-C", work, "cometbft"], {
    environment,
    msMax: unpackMsMax,
  });
  if (failed !== undefined) return { reason: failed };
  return { done: true };
}

/** The release's archive for this platform. */
export function archiveName(version: string): string {
  return `cometbft_${version}_${platformName()}.tar.gz`;
}

/** In the words of the release's archives. */
export function platformName(): string {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return `${process.platform}_${architecture}`;
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(downloadMsMax) });
  if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.length;
    if (bytes > archiveBytesMax) throw new Error(`it is larger than ${archiveBytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** @returns the reasons where neither way worked */
async function withGo(options: InstallOptions, work: string, earlier: string): Promise<string | undefined> {
  const { go, module, environment, progress } = options;
  if (go === undefined) return `${earlier}; and there is no Go to build it`;
  progress(`chartseal: ${earlier}`);
  progress(`chartseal: building with Go, which takes some minutes: go install ${module}`);
  // Without cgo it needs no C compiler and runs on every system of its kind.
  const env = { CGO_ENABLED: "0", ...environment, GOBIN: work };
  const failed = await run(go, ["install", module], { environment: env, msMax: buildMsMax });
  if (failed !== undefined) return `${earlier}; ${failed}`;
  return existsSync(join(work, "cometbft")) ? undefined : `${earlier}; go install ${module} made no cometbft`;
}

/** @returns the last line of what a failed program said, undefined where it worked */
function run(
  program: string,
  args: readonly string[],
  { environment, msMax }: { readonly environment: NodeJS.ProcessEnv; readonly msMax: number },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = "";
    const child = spawn(program, args, {
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
      timeout: msMax,
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4096);
    });
    child.once("error", (error) => resolve(`${program}: ${error.message}`));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else
        resolve(`${program} ${args[0]}: ${said.trim().split("\n").at(-1) || `ended by ${signal ?? code}`}`);
    });
  });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch hides what went wrong behind "fetch failed".
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
