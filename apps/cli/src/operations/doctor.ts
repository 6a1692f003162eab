/**
 * doctor: what is installed and what is missing, and whether the home at hand opens. Programs that only some tests and
 * roles need are optional; each says what is done without it.
 */
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { ChartsealError, type ErrorCode, hasCode, loadPairing, platform, utf8 } from "@chartseal/crypto";
import { type Place, StorageError, withPatience } from "@chartseal/storage";
import { homeExists, homeFolder, listMembers } from "../home/home.ts";
import { homePaths } from "../home/paths.ts";
import { counted } from "../output.ts";
import { findCometbft } from "../services/cometbft.ts";
import { openPlaces } from "../services/places.ts";
import { openForReading } from "../services/session.ts";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** Nothing works without it. */
  readonly required: boolean;
  readonly detail: string;
  /** What it failed with. */
  readonly code?: ErrorCode;
}

export interface DoctorReport {
  /** Every required thing is there, and the home, where there is one, opens. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly missing: readonly string[];
}

const nodeWanted = [22, 18] as const;

/** Programs that npm does not bring: any one name of a row is enough. */
const programs: readonly {
  readonly name: string;
  readonly files: readonly string[];
  readonly without: string;
}[] = [
  {
    name: "chromium",
    files: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    without: "the portal's browser tests are skipped",
  },
  { name: "versitygw", files: ["versitygw"], without: "the tests of S3 storage are skipped" },
  {
    name: "ftps server",
    files: ["vsftpd", "pure-ftpd", "proftpd"],
    without: "the tests of FTPS storage are skipped",
  },
];

export async function doctor(homeOption: string | undefined): Promise<DoctorReport> {
  const checks = [
    nodeCheck(),
    await tried("sqlite", async () => {
      await import("@chartseal/ledger/embedded");
      return "the embedded ledger's database loads";
    }),
    await tried("wasm", async () => {
      const pairing = await loadPairing();
      const { g1, g2, gt } = pairing;
      const one = pairing.multiPairing([
        [g1.generator, g2.generator],
        [g1.negate(g1.generator), g2.generator],
      ]);
      if (!gt.isOne(one)) throw new Error("a pairing gives a wrong result");
      return "the pairing backend (mcl, WebAssembly) computes";
    }),
    await tried("scrypt", async () => {
      const started = performance.now();
      await platform.scrypt(utf8("doctor"), new Uint8Array(32), { N: 2 ** 15, r: 8, p: 3, size: 32 });
      return `a passphrase takes ${Math.round(performance.now() - started)} ms`;
    }),
    await cometbftCheck(),
    ...programs.map(programCheck),
    ...(await homeChecks(homeOption)),
  ];
  const missing = checks.filter(({ ok }) => !ok).map(({ name }) => name);
  return { ok: checks.every(({ ok, required }) => ok || !required), checks, missing };
}

function nodeCheck(): Check {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > nodeWanted[0] || (major === nodeWanted[0] && minor >= nodeWanted[1]);
  return {
    name: "node",
    ok,
    required: true,
    detail: `${process.versions.node}, ${nodeWanted.join(".")} is needed`,
  };
}

async function tried(name: string, work: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, required: true, detail: await work() };
  } catch (error) {
    const { message, hint, code } =
      error instanceof ChartsealError
        ? error
        : {
            message: error instanceof Error ? error.message : String(error),
            hint: undefined,
            code: undefined,
          };
    const detail = hint === undefined ? message : `${message}. ${hint}`;
    return { name, ok: false, required: true, detail, ...(code !== undefined && { code }) };
  }
}

function programCheck({ name, files, without }: (typeof programs)[number]): Check {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", join(homedir(), "go", "bin")];
  for (const folder of folders) {
    const found = files.map((file) => join(folder, file)).find((path) => folder !== "" && isProgram(path));
    if (found !== undefined) return { name, ok: true, required: false, detail: found };
  }
  return { name, ok: false, required: false, detail: `not found: ${without}` };
}

/** Another version is as good as none: it cannot be a validator of this consortium. */
async function cometbftCheck(): Promise<Check> {
  const check = { name: "cometbft", required: false };
  const without = "a consortium of several machines cannot run here";
  try {
    return { ...check, ok: true, detail: await findCometbft() };
  } catch (error) {
    if (!hasCode(error, "tool-missing")) throw error;
    const { message, hint, code } = error;
    return { ...check, ok: false, detail: `not found, ${without}: ${message}. ${hint}`, code };
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether the home opens, and has room. The whole chain is `verify`'s to walk. */
async function homeChecks(homeOption: string | undefined): Promise<Check[]> {
  const folder = homeFolder(homeOption);
  if (!homeExists(folder)) {
    return [{ name: "home", ok: true, required: false, detail: `there is no consortium in ${folder}` }];
  }
  const opened = await tried("home", async () => {
    const session = await openForReading(folder);
    try {
      const { height } = await session.ledger.head();
      const { paths } = session.home;
      const absent = [paths.service, paths.objects, paths.leaves].find((path) => !existsSync(path));
      if (absent !== undefined) throw new ChartsealError("chain-altered", `${absent} is missing`);
      return `${session.home.config.consortium}, ${counted(height, "block")}, ${counted(listMembers(session.home).length, "member")}`;
    } finally {
      await session.close();
    }
  });
  return [opened, spaceCheck(folder), ...(await placeChecks(folder))];
}

/** How long a place may take to answer, in ms. */
const placePatienceMs = 10_000;

/** Whether each of the provider's places lets its names be read; what it takes is `provider place check`'s to try. */
async function placeChecks(folder: string): Promise<Check[]> {
  let places: readonly Place[];
  try {
    places = await openPlaces(homePaths(folder), { reading: true });
  } catch (error) {
    if (!(error instanceof ChartsealError)) throw error;
    const { message: detail, code } = error;
    return [{ name: "places", ok: false, required: false, detail, code }];
  }
  const checks = places.map(async ({ name, region, store }): Promise<Check> => {
    const title = `place ${name}`;
    try {
      const first = store.list()[Symbol.asyncIterator]();
      await withPatience(first.next(), { ms: placePatienceMs, place: name });
      await first.return?.();
      return { name: title, ok: true, required: false, detail: `answers, in ${region}` };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return { name: title, ok: false, required: false, detail: error.message, code: "provider-unreachable" };
    }
  });
  return await Promise.all(checks);
}

const spaceWantedBytes = 1024 ** 3;

function spaceCheck(folder: string): Check {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const ok = free >= spaceWantedBytes;
  return { name: "space", ok, required: false, detail: `${Math.floor(free / 1024 ** 2)} MiB are free` };
}
