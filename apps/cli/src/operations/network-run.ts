/**
 * The institutions of a network that lies on this machine, as processes: each `chartseal serve` on its home, begun apart
 * from this process, so that they outlive it; found again by DIR/run/server.json alone.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ChartsealError, fromHex, hasCode, loadPairing, type Pairing } from "@chartseal/crypto";
import { accountOf, type Ledger } from "@chartseal/ledger";
import { readAccount, readCommittee } from "@chartseal/sharing";
import { makeFolder } from "../home/files.ts";
import { openHome } from "../home/home.ts";
import { readNetworkFile } from "../home/network-file.ts";
import { homePaths } from "../home/paths.ts";
import { openLedgerForReading } from "../services/home-ledger.ts";
import { isAlive } from "../services/process-life.ts";
import { findServer, readServerFile } from "../services/server-file.ts";
import { institutionsIn } from "./network.ts";

const program = fileURLToPath(new URL("../../bin/chartseal.js", import.meta.url));
const pollMs = 100;
/** How long those that are behind the others are waited for. */
const catchUpMsMax = 60_000;

export interface InstitutionStatus {
  readonly name: string;
  readonly home: string;
  readonly url: string;
  /** The server's process; null where none answers. */
  readonly pid: number | null;
  readonly height: number | null;
  readonly hash: string | null;
  /** Nodes that its own is connected to. */
  readonly peers: number | null;
  readonly catchingUp: boolean | null;
}

/** What each says of itself; one that does not answer is down. */
export async function networkStatus(folder: string): Promise<InstitutionStatus[]> {
  return await Promise.all(institutionsIn(folder).map(({ name, home }) => statusOf(name, home)));
}

async function statusOf(name: string, home: string): Promise<InstitutionStatus> {
  const paths = homePaths(home);
  const { listen, serverPort } = readNetworkFile(paths);
  const down = { pid: null, height: null, hash: null, peers: null, catchingUp: null };
  const url = `http://${listen === "0.0.0.0" ? "127.0.0.1" : listen}:${serverPort}`;
  const server = await findServer(paths);
  if (server === undefined) return { name, home, url, ...down };
  server.close();
  const found = readServerFile(paths);
  const address = found?.address ?? url;
  const health = await healthAt(address);
  const ledger = health?.roles?.ledger ?? {};
  return {
    name,
    home,
    url: address,
    pid: found?.pid ?? null,
    height: numberOr(ledger.height),
    hash: typeof ledger.hash === "string" ? ledger.hash : null,
    peers: numberOr(ledger.peers),
    catchingUp: typeof ledger.catchingUp === "boolean" ? ledger.catchingUp : null,
  };
}

export const numberOr = (value: unknown): number | null => (typeof value === "number" ? value : null);

/** GET /health of a server; undefined where it does not answer. */
export async function healthAt(
  url: string,
): Promise<{ readonly roles?: Readonly<Record<string, Readonly<Record<string, unknown>>>> } | undefined> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) });
    return (await response.json()) as object;
  } catch {
    return undefined;
  }
}

export interface UpOptions {
  readonly passphrase: string;
  /** Names of those that are started; default all. */
  readonly only?: readonly string[];
  readonly timeoutMs: number;
  readonly note: (text: string) => void;
}

/**
 * Starts those that do not run, and waits until each answers, has caught up with the others (a minute at most) and, with all
 * of them up, the committee has its keys.
 * @throws ChartsealError `ledger-unreachable` where one does not come up in time: its log is named
 */
export async function networkUp(folder: string, options: UpOptions): Promise<InstitutionStatus[]> {
  const { only, note, passphrase, timeoutMs } = options;
  const all = institutionsIn(folder);
  const wanted = only === undefined ? all : chosen(all, only);
  demandDistinct(wanted);
  const untilMs = performance.now() + timeoutMs;
  await Promise.all(
    wanted.map(async ({ name, home }) => {
      const running = await findServer(homePaths(home));
      running?.close();
      if (running !== undefined) return;
      note(`${name} starts`);
      const child = startInstitution(home, passphrase);
      await answering(home, { name, child, untilMs });
      note(`${name} answers`);
    }),
  );
  await caughtUp(folder, { names: new Set(wanted.map(({ name }) => name)), untilMs, note });
  const statuses = await networkStatus(folder);
  const [first] = statuses.filter(({ pid }) => pid !== null);
  if (first !== undefined && statuses.every(({ pid }) => pid !== null)) {
    note("the authority's nodes make their keys");
    await consortiumReady(first.home, untilMs);
  }
  return await networkStatus(folder);
}

/** Waits for those that came up behind the others; not for ever, since a long chain is caught up with for hours. */
async function caughtUp(
  folder: string,
  {
    names,
    note,
    ...until
  }: Pick<UpOptions, "note"> & { readonly names: Set<string>; readonly untilMs: number },
): Promise<void> {
  const untilMs = Math.min(until.untilMs, performance.now() + catchUpMsMax);
  const told = new Set<string>();
  while (performance.now() < untilMs) {
    const running = (await networkStatus(folder)).filter(({ pid }) => pid !== null);
    const behind = running.filter(({ name, catchingUp }) => names.has(name) && catchingUp === true);
    // One alone has nobody to catch up with.
    if (behind.length === 0 || running.length === 1) return;
    for (const { name } of behind) {
      if (!told.has(name)) note(`${name} catches up`);
      told.add(name);
    }
    await sleep(pollMs);
  }
}

/** @throws ChartsealError `input-invalid` where two homes are one institution's: its validator would vote twice */
function demandDistinct(homes: readonly { readonly name: string; readonly home: string }[]): void {
  const seen = new Map<string, string>();
  for (const { name, home } of homes) {
    const institution = readNetworkFile(homePaths(home)).name;
    const other = seen.get(institution);
    if (other !== undefined) {
      throw new ChartsealError("input-invalid", `${other} and ${name} are both the home of ${institution}`, {
        hint: "Two validators with one key cost stake: move the copy elsewhere, or start one with --only.",
      });
    }
    seen.set(institution, name);
  }
}

function chosen(
  all: readonly { readonly name: string; readonly home: string }[],
  names: readonly string[],
): { readonly name: string; readonly home: string }[] {
  return names.map((wanted) => {
    const found = all.find(({ name }) => name === wanted);
    if (found !== undefined) return found;
    throw new ChartsealError("input-invalid", `there is no institution ${JSON.stringify(wanted)}`, {
      hint: `There are: ${all.map(({ name }) => name).join(", ")}.`,
    });
  });
}

const logOf = (home: string): string => join(homePaths(home).run, "server.log");

/** The passphrase goes by the environment, which others of this machine cannot read. */
function startInstitution(home: string, passphrase: string): ChildProcess {
  makeFolder(homePaths(home).run);
  const log = openSync(logOf(home), "a", 0o600);
  const child = spawn(process.execPath, [program, "--home", home, "serve"], {
    stdio: ["ignore", log, log],
    detached: true,
    env: { ...process.env, CHARTSEAL_PASSPHRASE: passphrase },
  });
  closeSync(log);
  child.unref();
  return child;
}

async function answering(
  home: string,
  wait: { readonly name: string; readonly child: ChildProcess; readonly untilMs: number },
): Promise<void> {
  const { name, child, untilMs } = wait;
  for (;;) {
    const server = await findServer(homePaths(home));
    server?.close();
    if (server !== undefined) return;
    const isGone = child.exitCode !== null || child.signalCode !== null;
    if (isGone || performance.now() > untilMs) {
      const reason = isGone ? `ended: ${lastLine(logOf(home))}` : "does not answer in time";
      throw new ChartsealError("ledger-unreachable", `${name} ${reason}`, {
        data: { institution: name },
        hint: `See ${logOf(home)}.`,
      });
    }
    await sleep(pollMs);
  }
}

function lastLine(path: string): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").at(-1)?.slice(0, 300) ?? "";
}

/** Until the provider that members use is registered and the committee has made its keys. */
async function consortiumReady(folder: string, untilMs: number): Promise<void> {
  const home = openHome(folder);
  const pairing = await loadPairing();
  const { provider, institutions } = readNetworkFile(home.paths);
  const key = institutions.find(({ name }) => name === provider)!.provider;
  const { ledger, close } = await openLedgerForReading(home, pairing);
  try {
    for (;;) {
      const account = await readAccount(ledger, accountOf(fromHex(key, 32)));
      if (account !== undefined && account.hpkeKey !== null && (await hasKeys(ledger, pairing))) return;
      if (performance.now() > untilMs) {
        throw new ChartsealError(
          "ledger-unreachable",
          "the authority's nodes have not made their keys in time",
          {
            hint: "They go on; see chartseal network status, and each institution's run/server.log.",
          },
        );
      }
      await sleep(pollMs);
    }
  } finally {
    await close();
  }
}

async function hasKeys(ledger: Ledger, pairing: Pairing): Promise<boolean> {
  try {
    await readCommittee(ledger, pairing);
    return true;
  } catch (error) {
    if (hasCode(error, "issue-refused")) return false;
    throw error;
  }
}

/** Asks those that run to stop, and waits for their end. @returns the names of those that were stopped */
export async function networkDown(
  folder: string,
  options: { readonly only?: readonly string[]; readonly timeoutMs: number },
): Promise<string[]> {
  const all = institutionsIn(folder);
  const wanted = options.only === undefined ? all : chosen(all, options.only);
  const stopped = await Promise.all(
    wanted.map(async ({ name, home }) => {
      const server = await findServer(homePaths(home));
      server?.close();
      const pid = server === undefined ? undefined : readServerFile(homePaths(home))?.pid;
      if (pid === undefined) return [];
      if (isAlive(pid)) process.kill(pid, "SIGTERM");
      const untilMs = performance.now() + options.timeoutMs;
      while (isAlive(pid)) {
        if (performance.now() > untilMs) {
          throw new ChartsealError("home-busy", `${name} does not stop in time`, { data: { pid } });
        }
        await sleep(pollMs);
      }
      return [name];
    }),
  );
  return stopped.flat();
}
