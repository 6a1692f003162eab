/**
 * CometBFT for a consortium of several machines: the program in the one version that the ledger runs over, found on the
 * machine or put into the user's cache folder (cometbft-install.ts), once for all homes.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { archiveName, installCometbft, type Release } from "./cometbft-install.ts";

/** The consortium's validators run one version; another one's blocks may differ. */
export const cometbftVersion = "0.38.25";
export const cometbftModule = `github.com/cometbft/cometbft/cmd/cometbft@v${cometbftVersion}`;

const askMsMax = 10_000;

export interface FindOptions {
  /** Installs it into the cache folder where it is nowhere. */
  readonly install?: boolean;
  /** Default: the process's own. Read: PATH, CHARTSEAL_COMETBFT, CHARTSEAL_COMETBFT_SHA256, XDG_CACHE_HOME, HOME. */
  readonly environment?: NodeJS.ProcessEnv;
  /** A line of progress; default: standard error. */
  readonly progress?: (line: string) => void;
  /** Where release archives are got; default: the project's own page. */
  readonly release?: Release;
}

/**
 * The path of a CometBFT of the pinned version: CHARTSEAL_COMETBFT, else on PATH, else in the cache folder.
 * @throws ChartsealError `tool-missing` where there is none, or another version where one is named or on PATH;
 * `input-invalid` for a CHARTSEAL_COMETBFT_SHA256 that is none
 */
export async function findCometbft(options: FindOptions = {}): Promise<string> {
  const environment = options.environment ?? process.env;
  const cached = cachedCometbft(environment);
  const named = environment.CHARTSEAL_COMETBFT ?? "";
  if (named !== "") return demandVersion(named, { cached, what: "CHARTSEAL_COMETBFT names " });
  const onPath = programOnPath("cometbft", environment);
  if (onPath !== undefined) return demandVersion(onPath, { cached, what: "on PATH is " });
  // What an earlier attempt left there broken is put there again.
  if (isProgram(cached) && versionOf(cached) === cometbftVersion) return cached;
  if (options.install !== true) throw missing("cometbft is not on this machine", cached);
  const sha256 = checksumOf(environment);
  const progress = options.progress ?? ((line) => void process.stderr.write(`${line}\n`));
  const { reason } = await installCometbft({
    target: cached,
    version: cometbftVersion,
    module: cometbftModule,
    go: programOnPath("go", environment),
    // A passphrase of ours is none of their business.
    environment: Object.fromEntries(
      Object.entries(environment).filter(([name]) => !name.startsWith("CHARTSEAL_")),
    ),
    progress,
    sha256,
    ...(options.release && { release: options.release }),
  });
  if (reason !== undefined) throw missing(`cometbft was not installed: ${reason}`, cached);
  return demandVersion(cached, { cached, what: "what was installed is " });
}

function checksumOf({ CHARTSEAL_COMETBFT_SHA256: given = "" }: NodeJS.ProcessEnv): string | undefined {
  if (given === "") return undefined;
  if (/^[0-9a-f]{64}$/i.test(given)) return given.toLowerCase();
  throw new ChartsealError("input-invalid", "CHARTSEAL_COMETBFT_SHA256 is no SHA-256 in hexadecimal", {
    hint: `Give the 64 digits that the project's release shows for ${archiveName(cometbftVersion)}.`,
  });
}

/** Where it is installed for this user. */
export function cachedCometbft(environment: NodeJS.ProcessEnv): string {
  const wanted = environment.XDG_CACHE_HOME ?? "";
  // A relative one is to be ignored (XDG Base Directory Specification).
  const cache = isAbsolute(wanted) ? wanted : join(environment.HOME ?? homedir(), ".cache");
  return join(cache, "chartseal", `cometbft-v${cometbftVersion}`, "cometbft");
}

/** What a program says that its version is, such as `0.38.25`; undefined where it says nothing of the kind. */
export function versionOf(path: string): string | undefined {
  const { PATH, HOME } = process.env;
  const { stdout, status } = spawnSync(path, ["version"], {
    env: { PATH, HOME },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: askMsMax,
  });
  if (status !== 0) return undefined;
  // A build from the sources adds `+` and its commit.
  return /^v?(\d+\.\d+\.\d+[^\s+]*)(\+\S*)?\s*$/.exec(stdout)?.[1];
}

function demandVersion(
  path: string,
  { cached, what }: { readonly cached: string; readonly what: string },
): string {
  if (!isProgram(path)) throw missing(`${what}${path}, which is no program`, cached);
  const version = versionOf(path);
  if (version === cometbftVersion) return path;
  const said = version === undefined ? "which does not tell its version" : `version ${version}`;
  throw missing(`${what}${path}, ${said}; v${cometbftVersion} is needed`, cached);
}

function missing(message: string, cached: string): ChartsealError {
  const folder = cached.replace(/[/\\]cometbft$/, "");
  return new ChartsealError("tool-missing", message, {
    data: { tool: "cometbft", version: cometbftVersion },
    hint:
      `With Go: GOBIN=${folder} go install ${cometbftModule} && export CHARTSEAL_COMETBFT=${cached}. ` +
      `Without: set CHARTSEAL_COMETBFT_SHA256 to what the project's release says of ${archiveName(cometbftVersion)}.`,
  });
}

export function programOnPath(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
