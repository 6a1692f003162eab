/** The transcripts of apps/cli/test/transcripts, played against the built command; the player against planted faults. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ErrorCode, errorCodes, fromHex, parsePolicy, toHex, utf8 } from "@chartseal/crypto";
import { takeHomeLock } from "@chartseal/ledger/embedded";
import { setRule } from "@chartseal/sharing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../../../test/tidy/tree.ts";
import { openHome, requireMember } from "../src/home/home.ts";
import { init } from "../src/operations/init.ts";
import { addMember, addNamespace, grantAttributes } from "../src/operations/members.ts";
import { planSeal, seal } from "../src/operations/seal.ts";
import { exitCodes } from "../src/output.ts";
import { createProgram } from "../src/program.ts";
import { openSession, type Session } from "../src/services/session.ts";
import { chartsealLines, leaves, shellWords } from "./command-lines.ts";
import { compareLines, parseTranscript, patternOf, playTranscript } from "./transcript.ts";

const pages = join(dirname(fileURLToPath(import.meta.url)), "transcripts");
const names = readdirSync(pages).filter((page) => page.endsWith(".txt"));
const passphrase = "correct horse";
const workspace = mkdtempSync(join(tmpdir(), "chartseal-transcripts-"));
const variables: Record<string, string> = {
  CHARTSEAL_PASSPHRASE: passphrase,
  RECORDS: join(root, "examples", "records"),
  CROOKED: `node --conditions=chartseal-source ${join(dirname(pages), "crooked-child.ts")}`,
  KEPT: join(dirname(pages), "formats", "1"),
  KEPT_RECORD: "8ec8c9f261d6fdbcdb64c8f4221d1c5b9374760c2074e7e4a91f541485cb30b1",
  KEPT_PASSPHRASE: "a passphrase of the tests",
};

/** The home that most pages start from, made once. */
async function makeHome(): Promise<void> {
  const folder = join(workspace, "start", "home");
  mkdirSync(dirname(folder));
  await init(folder, { name: "metro", nodes: 3, threshold: 2, passphrase, now: Date.now });
  const opened = await openSession(openHome(folder), { passphrase, waitMs: 0 });
  try {
    for (const name of ["cedars", "mercy"]) await addNamespace(opened, name);
    const members = [];
    for (const name of ["alice", "bob", "carol"]) {
      members.push((await addMember(opened, { name, passphrase })).keys);
    }
    const session: Session = { ...opened, members };
    const [alice, bob, carol] = members;
    await grantAttributes(session, bob!, ["doctor@cedars", "cardiology@cedars"]);
    await grantAttributes(session, carol!, ["doctor@cedars"]);
    const policy = parsePolicy("doctor@cedars and cardiology@cedars");
    await setRule(session, { owner: alice!.keys, namespace: "cedars", policy });
    variables.RECORD = await sealSample(session);
  } finally {
    await opened.close();
  }
}

async function sealSample(session: Session): Promise<string> {
  const [owner, author] = ["alice", "bob"].map((name) => requireMember(session.home, name));
  const request = { owner: owner!, author: author!, requireValid: false };
  async function* stream(): AsyncIterable<Uint8Array> {
    yield utf8("0123456789".repeat(1000));
  }
  const plan = await planSeal(session, request);
  const made = await seal(session, { ...request, plan, input: { stream: stream(), name: "digits.txt" } });
  return toHex(made.recordId);
}

/** A home whose validator has weight enough that more can be put behind it. */
async function makeStakedHome(): Promise<void> {
  const folder = join(workspace, "staked", "home");
  mkdirSync(dirname(folder));
  await init(folder, { name: "metro", nodes: 1, threshold: 1, passphrase, now: Date.now, stake: 100 });
  const opened = await openSession(openHome(folder), { passphrase, waitMs: 0 });
  try {
    await addMember(opened, { name: "carol", passphrase });
  } finally {
    await opened.close();
  }
}

/** Pages that start without a home. */
const bare = new Set(["init.txt"]);
/** Pages that start from another home than most. */
const staked = new Set(["stake.txt"]);

/** Pages of commands that go through a server where one runs: the same page, the same output. */
const served = ["people", "open", "records", "recovery", "emergency", "proxies"];

/** A server on the home of a folder; how to stop it. */
async function serveHome(folder: string): Promise<() => Promise<void>> {
  const server = spawn(process.execPath, [join(root, "apps/cli/bin/chartseal.js"), "serve", "--json"], {
    cwd: folder,
    env: { ...process.env, CHARTSEAL_HOME: "home", CHARTSEAL_PASSPHRASE: passphrase },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  const started = new Promise<void>((resolve) => server.stdout.once("data", () => resolve()));
  await Promise.race([started, ended]);
  return async () => {
    server.kill("SIGTERM");
    await ended;
    expect(server.exitCode).toBe(0);
  };
}

async function playedServed(page: string): Promise<string[]> {
  const folder = join(workspace, `${page}-served`);
  cpSync(join(workspace, "start"), folder, { recursive: true });
  const stop = await serveHome(folder);
  try {
    return playTranscript(
      parseTranscript(readFileSync(join(pages, `${page}.txt`), "utf8")),
      folder,
      variables,
    );
  } finally {
    await stop();
  }
}

async function played(page: string): Promise<string[]> {
  const folder = join(workspace, page.replace(/\.txt$/, ""));
  if (bare.has(page)) mkdirSync(folder);
  else cpSync(join(workspace, staked.has(page) ? "staked" : "start"), folder, { recursive: true });
  const commands = parseTranscript(readFileSync(join(pages, page), "utf8"));
  const lock = page === "busy.txt" ? await takeHomeLock(join(folder, "home"), 0) : undefined;
  try {
    return playTranscript(commands, folder, variables);
  } finally {
    lock?.release();
  }
}

describe("the built command line does what its transcripts say:", () => {
  beforeAll(async () => {
    const built = spawnSync(process.execPath, [join(root, "node_modules/.bin/tsc"), "-b", "apps/cli"], {
      cwd: root,
      encoding: "utf8",
    });
    expect(built.stdout).toBe("");
    await Promise.all([makeHome(), makeStakedHome()]);
  });
  afterAll(() => rmSync(workspace, { recursive: true, force: true }));

  it.each(names)("%s", { timeout: 600_000 }, async (page) => {
    expect((await played(page)).join("\n\n")).toBe("");
  });

  it.each(served)("%s.txt, through a server on the home", { timeout: 600_000 }, async (page) => {
    expect((await playedServed(page)).join("\n\n")).toBe("");
  });
});

describe("together the pages", () => {
  const texts = names.map((page) => readFileSync(join(pages, page), "utf8"));
  const shown = texts.flatMap((text) => parseTranscript(text).flatMap(({ shell }) => chartsealLines(shell)));

  it("show every command but those that have tests of their own", () => {
    const elsewhere = ["bench", "completion", "demo", "network"];
    const ways = leaves(createProgram()).map(({ way }) => way);
    const words = shown.map((line) => shellWords(line).filter((word) => !word.startsWith("--")));
    const missing = ways.filter((way) => !words.some((each) => ` ${each.join(" ")} `.includes(` ${way} `)));
    expect(missing.filter((way) => !elsewhere.includes(way.split(" ")[0]!))).toEqual([]);
  });

  it("show every code that a hand can reach", () => {
    // What only a faulty party sends, the network alone has, or our own defect is: tests of the packages provoke them.
    const unreached = ["defect", "encoding-invalid", "issue-refused"];
    unreached.push("signature-invalid", "transform-invalid", "issue-invalid");
    unreached.push("identity-refused", "ledger-unreachable", "rate-limited", "peer-unknown");
    // What the machine has or has not is cometbft.test.ts's to vary.
    unreached.push("tool-missing");
    const codes = Object.keys(errorCodes).filter((code) => !unreached.includes(code));
    const all = texts.join("\n");
    expect(codes.filter((code) => !all.includes(`chartseal: ${code}: `))).toEqual([]);
  });

  it("expect of each code the exit code of its family", () => {
    const wrong = texts.flatMap((text) =>
      parseTranscript(text).filter(({ errors, exitCode }) => {
        const code = /^chartseal: (?!warning)([a-z-]+): /m.exec(errors.join("\n"))?.[1];
        if (code === undefined || code === "…") return false;
        return exitCode !== exitCodes[errorCodes[code as ErrorCode][0]];
      }),
    );
    expect(wrong).toEqual([]);
  });
});

describe("the player", () => {
  it("keeps what placeholders match, and lets only their kind pass", () => {
    const id = toHex(fromHex("ab".repeat(32)));
    expect(
      patternOf('{"recordId":"<RECORD:id>","n":<n>,…}').exec(`{"recordId":"${id}","n":3,"x":0}`)?.groups,
    ).toEqual({
      RECORD: id,
    });
    expect(patternOf("<id>").test("ab")).toBe(false);
    expect(patternOf("a.c (x)").test("abc (x)")).toBe(false);
  });

  it("lets a line of dots stand for any lines, and nothing else", () => {
    expect(compareLines(["a", "…", "z"], ["a", "b", "c", "z"]).same).toBe(true);
    expect(compareLines(["a", "…", "z"], ["a", "z"]).same).toBe(true);
    expect(compareLines(["a", "z"], ["a", "b", "z"]).same).toBe(false);
    expect(compareLines([], ["a"]).same).toBe(false);
  });

  it("sees another output, another exit code, a missing error and an error that no page shows", () => {
    const differences = (text: string): number => playTranscript(parseTranscript(text), tmpdir(), {}).length;
    expect(differences("$ echo one\none\n$ exit 3\n= 3\n$ echo bad >&2; exit 1\n! bad\n= 1")).toBe(0);
    expect(differences("$ echo one\ntwo")).toBe(1);
    expect(differences("$ exit 3\n= 2")).toBe(1);
    expect(differences("$ exit 1\n! bad\n= 1")).toBe(1);
    expect(differences("$ echo chartseal: defect: oh >&2")).toBe(1);
    expect(differences("$ echo chartseal: warning: oh >&2")).toBe(0);
  });

  it("hands what was kept to the commands below", () => {
    expect(playTranscript(parseTranscript("$ echo 7\n<SEVEN:n>\n$ echo $SEVEN\n7"), tmpdir(), {})).toEqual(
      [],
    );
  });
});
