/** A small clinic for tests of commands: a home in a temporary folder, and commands run in this process as a shell does. */
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromHex, parsePolicy, toHex, utf8 } from "@chartseal/crypto";
import { type Action, decodeTransaction } from "@chartseal/ledger";
import { deposit, setRule } from "@chartseal/sharing";
import { afterEach, beforeAll, beforeEach } from "vitest";
import { openHome } from "../src/home/home.ts";
import { main } from "../src/main.ts";
import { init } from "../src/operations/init.ts";
import { addMember, addNamespace, grantAttributes } from "../src/operations/members.ts";
import { openSession, type Session, type SessionMember } from "../src/services/session.ts";

export const passphrase = "a passphrase of the tests";
export const policyText = "doctor@cedars and cardiology@cedars";
export const plaintext = "the quick brown fox, once more\n".repeat(20_000);

export interface Clinic {
  /** A temporary folder; the home is `home` in it. */
  readonly folder: string;
  readonly home: string;
  /** By bob the doctor, for alice, under her rule. */
  readonly record: string;
  remove(): void;
}

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield utf8(text);
}

/** bob's deposit of a text for alice. */
export async function depositFor(
  session: Session,
  alice: SessionMember,
  bob: SessionMember,
  text: string,
): Promise<string> {
  const policy = parsePolicy(policyText);
  const { recordId } = await deposit(session, {
    by: bob.keys,
    owner: alice.keys.account,
    namespace: "cedars",
    policy,
    authorPolicy: policy,
    source: once(text),
    metadata: async () => ({ name: "fox.txt", mediaType: "text/plain", validation: "not-checked" }),
  });
  return toHex(recordId);
}

/** alice, bob (a cardiologist at cedars), carol (nobody), alice's rule, one record of bob's. */
export async function clinic(): Promise<Clinic> {
  const folder = mkdtempSync(join(tmpdir(), "chartseal-care-"));
  const home = join(folder, "home");
  await init(home, { name: "clinic", nodes: 3, threshold: 2, passphrase, now: Date.now });
  const session = await openSession(openHome(home), { passphrase, waitMs: 0 });
  try {
    await addNamespace(session, "cedars");
    const { keys: alice } = await addMember(session, { name: "alice", passphrase });
    const { keys: bob } = await addMember(session, { name: "bob", passphrase });
    await addMember(session, { name: "carol", passphrase });
    await grantAttributes(session, bob, ["doctor@cedars", "cardiology@cedars"]);
    await setRule(session, { owner: alice.keys, namespace: "cedars", policy: parsePolicy(policyText) });
    const record = await depositFor(session, alice, bob, plaintext);
    return { folder, home, record, remove: () => rmSync(folder, { recursive: true, force: true }) };
  } finally {
    await session.close();
  }
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The one JSON value on standard output. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  json(): any;
}

/** Runs a command line as a shell would, with CHARTSEAL_PASSPHRASE set unless `env` says otherwise. */
export async function run(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Ran> {
  const before = { ...process.env };
  const { stdout, stderr } = process;
  const written = { out: "", err: "" };
  const [out, err] = [stdout.write, stderr.write];
  const listeners = stdout.listeners("error");
  const capture = (stream: "out" | "err") =>
    ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      written[stream] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      const done = rest.find((one) => typeof one === "function") as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof stdout.write;
  Object.assign(process.env, { CHARTSEAL_PASSPHRASE: passphrase, CHARTSEAL_HOME: undefined });
  for (const [name, value] of Object.entries({ CHARTSEAL_HOME: undefined, ...env })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  stdout.write = capture("out");
  stderr.write = capture("err");
  try {
    process.exitCode = 0;
    await main(argv);
    return { code: Number(process.exitCode ?? 0), ...written, json: () => JSON.parse(written.out) };
  } finally {
    stdout.write = out;
    stderr.write = err;
    process.exitCode = 0;
    process.env = before;
    for (const listener of stdout.listeners("error")) {
      if (!listeners.includes(listener)) stdout.removeListener("error", listener as () => void);
    }
  }
}

/** SHA-256 over every file's path and bytes: what "no byte changed" means. */
export function treeHash(folder: string): string {
  const hash = createHash("sha256");
  const walk = (path: string): void => {
    for (const name of readdirSync(path).sort()) {
      const at = join(path, name);
      hash.update(`${at}\n`);
      if (statSync(at).isDirectory()) walk(at);
      else hash.update(readFileSync(at)).update("\n");
    }
  };
  walk(folder);
  return hash.digest("hex");
}

export function copyHome(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  return to;
}

/** A copy of the clinic for each test of a file. */
export function cases(): {
  readonly place: { readonly folder: string; readonly home: string; readonly record: string };
  at(name: string): string;
  cli(...argv: string[]): Promise<Ran>;
} {
  let template: Clinic;
  let number = 0;
  const place = { folder: "", home: "", record: "" };
  beforeAll(async () => {
    template = await clinic();
    place.record = template.record;
    return () => template.remove();
  });
  beforeEach(() => {
    place.folder = join(template.folder, `case-${number++}`);
    place.home = copyHome(template.home, join(place.folder, "home"));
  });
  afterEach(() => rmSync(place.folder, { recursive: true, force: true }));
  const at = (name: string): string => join(place.folder, name);
  return { place, at, cli: (...argv) => run(["--home", place.home, ...argv, "--json"]) };
}

/** Names of the files below a home's objects. */
export function objectsIn(home: string): string[] {
  const entries = readdirSync(join(home, "provider", "objects"), { recursive: true, withFileTypes: true });
  return entries.flatMap((one) => (one.isFile() ? [one.name] : []));
}

/** The actions of an exported chain. */
export function actionsOf(exported: string): Action[] {
  return exported
    .trim()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as { transactions: string[] }).transactions)
    .map((bytes) => decodeTransaction(fromHex(bytes)).body.action);
}
