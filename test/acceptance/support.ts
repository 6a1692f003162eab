/**
 * The command line as a stranger drives it: the built `chartseal` as a child process, its two outputs, its exit code and
 * the files that CONTRACT.md names. Nothing here imports the project. One home is made per run of the suite and copied
 * for each test file; the runner's process id keys it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const bin: string = join(root, "apps", "cli", "bin", "chartseal.js");
export const passphrase = "a passphrase that nobody prints 7151";

/** What a finished command left: its outputs as bytes and text, and how it ended. */
export interface Done {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly text: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly home?: string;
  readonly cwd?: string;
  /** Null: no passphrase in the environment. */
  readonly passphrase?: string | null;
  readonly env?: Record<string, string>;
  readonly input?: string | Uint8Array;
}

/** Starts a command; standard input is never a terminal. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const env: Record<string, string> = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/" };
  if (options.home !== undefined) env.CHARTSEAL_HOME = options.home;
  if (options.passphrase !== null) env.CHARTSEAL_PASSPHRASE = options.passphrase ?? passphrase;
  return spawn(process.execPath, [bin, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...env, ...options.env },
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
}

export function finished(child: ChildProcess, input?: string | Uint8Array): Promise<Done> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr?.on("data", (bytes: Buffer) => err.push(bytes));
  if (input !== undefined) {
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const stdout = Buffer.concat(out);
      resolve({ code, signal, stdout, text: stdout.toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

/** Runs a command to its end. On every run: no secret on any output, no stack trace. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Done> {
  const done = await finished(start(args, options), options.input);
  for (const output of [done.text, done.stderr]) {
    expect(output.includes(passphrase), "the passphrase is on no output").toBe(false);
    expect(output, "stack traces only with CHARTSEAL_DEBUG=1").not.toMatch(/^\s+at .*[(:]\d+:\d+/m);
  }
  return done;
}

/** Runs with `--json`, expects exit 0 and exactly one JSON value. */
// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field.
export async function json(args: readonly string[], options: RunOptions = {}): Promise<any> {
  const done = await run([...args, "--json"], options);
  expect(done.stderr.match(/^chartseal: (?!warning)[a-z-]+: .*$/m)?.[0] ?? "", args.join(" ")).toBe("");
  expect(done.code, `${args.join(" ")}\n${done.stderr}`).toBe(0);
  return JSON.parse(done.text);
}

/** Runs with `--json` a command whose output is lines. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export async function lines(args: readonly string[], options: RunOptions = {}): Promise<any[]> {
  const done = await run([...args, "--json"], options);
  expect(done.code, `${args.join(" ")}\n${done.stderr}`).toBe(0);
  return jsonLines(done.text);
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
export function jsonLines(text: string): any[] {
  if (text === "") return [];
  expect(text.endsWith("\n")).toBe(true);
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line));
}

export const exitOf: Readonly<Record<string, number>> = {
  "policy-syntax": 2,
  "policy-limit": 2,
  "attribute-unknown": 2,
  "member-unknown": 2,
  "record-unknown": 2,
  "home-missing": 2,
  "home-exists": 2,
  "input-invalid": 2,
  "passphrase-missing": 2,
  "policy-unsatisfied": 3,
  revoked: 3,
  erased: 3,
  "rule-missing": 3,
  "rule-violated": 3,
  "passphrase-wrong": 3,
  "recovery-missing": 3,
  "grant-missing": 3,
  "issue-refused": 3,
  "transaction-refused": 3,
  "object-missing": 4,
  "object-altered": 4,
  "header-altered": 4,
  "chain-altered": 4,
  "signature-invalid": 4,
  "transform-invalid": 4,
  "provider-unreachable": 5,
  "ledger-unreachable": 5,
  "home-busy": 5,
  "runtime-too-old": 5,
};

/** One line on standard error, one object on standard output, the code's exit. Gives the error object. */
export function expectFailure(done: Done, code: string, what = ""): Record<string, unknown> {
  const told = done.stderr
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("chartseal: warning:"));
  expect(told.length, `${what}\n${done.stderr}\n${done.text}`).toBe(1);
  expect(told[0], what).toMatch(new RegExp(`^chartseal: ${code}: \\S.*$`));
  const value = JSON.parse(done.text);
  expect(Object.keys(value), what).toEqual(["error"]);
  expect(value.error.code, what).toBe(code);
  expect(typeof value.error.message).toBe("string");
  expect(done.code, what).toBe(exitOf[code]);
  return value.error;
}

/** Runs with `--json` and expects that failure. */
export async function fails(
  code: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Record<string, unknown>> {
  return expectFailure(await run([...args, "--json"], options), code, args.join(" ").slice(0, 300));
}

/** A folder of this test file, gone after it. */
export function workFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "chartseal-acceptance-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * The members of every home here: alice owns records; bob is doctor and cardiologist of cedars, carol a nurse of
 * mercy, dave has nothing. alice's rule for cedars: doctors who are cardiologists read and write.
 */
const steps: readonly (readonly string[])[] = [
  ["init", "--name", "metro"],
  ["namespace", "add", "cedars"],
  ["namespace", "add", "mercy"],
  ["member", "add", "alice"],
  ["member", "add", "bob"],
  ["member", "add", "carol"],
  ["member", "add", "dave"],
  ["attributes", "grant", "bob", "doctor@cedars", "cardiology@cedars"],
  ["attributes", "grant", "carol", "nurse@mercy"],
  [
    ...["rule", "set", "--owner", "alice", "--namespace", "cedars"],
    ...["--policy", "doctor@cedars and cardiology@cedars"],
  ],
];

async function makeHome(shared: string): Promise<void> {
  const made = mkdtempSync(`${shared}-`);
  for (const step of steps) {
    const done = await run(step, { home: join(made, "home") });
    expect(done.code, `${step.join(" ")}: ${done.stderr}`).toBe(0);
  }
  renameSync(join(made, "home"), join(shared, "home"));
  rmSync(made, { recursive: true });
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

/** A copy of the home that the run shares; whoever comes first makes it, the others wait. */
export async function homeIn(folder: string, name = "home"): Promise<string> {
  const base = join(tmpdir(), "chartseal-acceptance-home");
  mkdirSync(base, { recursive: true });
  const shared = join(base, String(process.ppid));
  try {
    mkdirSync(shared);
    for (const other of readdirSync(base)) {
      if (/^\d+/.test(other) && !isAlive(Number.parseInt(other, 10)))
        rmSync(join(base, other), { recursive: true, force: true });
    }
    await makeHome(shared);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      writeFileSync(join(shared, "failed"), String(error));
      throw error;
    }
    while (!existsSync(join(shared, "home"))) {
      if (existsSync(join(shared, "failed"))) throw new Error(readFileSync(join(shared, "failed"), "utf8"));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  return copyHome(join(shared, "home"), join(folder, name));
}

export function copyHome(from: string, to: string): string {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
  return to;
}

export const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** Every path below a folder with the hash of its bytes and its mode: what "changes no byte" is compared by. */
export function treeOf(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (path: string): void => {
    const entry = lstatSync(path);
    const name = relative(folder, path);
    if (entry.isDirectory()) {
      found[`${name}/`] = (entry.mode & 0o7777).toString(8);
      for (const child of readdirSync(path).sort()) visit(join(path, child));
    } else found[name] = `${(entry.mode & 0o7777).toString(8)} ${sha256(readFileSync(path)).toString("hex")}`;
  };
  visit(folder);
  return found;
}

/** The files of the sealed objects, anywhere below DIR/provider/objects. */
export function objectFiles(home: string): string[] {
  const folder = join(home, "provider", "objects");
  return readdirSync(folder, { recursive: true })
    .map((path) => join(folder, String(path)))
    .filter((path) => statSync(path).isFile())
    .sort();
}

export function objectOf(home: string, address: string): string {
  const found = objectFiles(home).find((path) => path.endsWith(`/${address}`));
  if (found === undefined) throw new Error(`no object ${address}`);
  return found;
}

export const hex = (digits: number): RegExp => new RegExp(`^[0-9a-f]{${digits}}$`);
