/**
 * Disputes as people have them: a provider that answers one transform wrongly in a process of its own, the command line,
 * the home's own nodes as judges, and a server in between or none.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { fromBigInt, fromHex, toHex } from "@chartseal/crypto";
import {
  AccountWriter,
  askTransform,
  decodeKept,
  disputeTransform,
  encodeKept,
  failedAnswer,
  request,
} from "@chartseal/sharing";
import { describe, expect, test, vi } from "vitest";
import { openHome } from "../src/home/home.ts";
import { saveKept } from "../src/services/kept-answers.ts";
import { memberOf, openSession, type Session } from "../src/services/session.ts";
import { openForWriting } from "../src/services/writing-session.ts";
import { cases, passphrase, plaintext } from "./care-home.ts";

// Every command here derives keys from passphrases, some in processes of their own.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const { place, at, cli } = cases();
const child = fileURLToPath(new URL("./crooked-child.ts", import.meta.url));
const source = "--conditions=chartseal-source";
const environment = () => ({
  ...process.env,
  CHARTSEAL_HOME: place.home,
  CHARTSEAL_PASSPHRASE: passphrase,
});

interface Failed {
  readonly code: string;
  readonly hint: string;
  readonly evidence: string;
}

/** A command in a process whose provider answers its first transform wrongly; what it fails with. */
function crookedly(...argv: string[]): Failed {
  const options = { encoding: "utf8", env: environment() } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [source, child, ...argv, "--json"], options);
  expect([status, stderr.replaceAll(/^chartseal: [a-z-]+: .*\n/gm, "")]).toEqual([4, ""]);
  return JSON.parse(stdout).error as Failed;
}

const openAs = (name: string, ...more: string[]) =>
  cli("open", place.record, "--as", name, "--out", at(`${name}-out`), ...more);

/** What the session of a member gives, in this process: through a server where one runs. */
async function withMember<T>(name: string, work: (session: Session) => Promise<T>): Promise<T> {
  const home = openHome(place.home);
  const session = await openForWriting(home, { passphrase, members: [name], waitMs: 0 });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** An honest answer, as the member's client has it. */
async function honestAnswer(session: Session, name: string) {
  const member = memberOf(session, name).keys;
  const recordId = fromHex(place.record, 32);
  const granted = await request(session, { member, recordId });
  return failedAnswer(granted, member, await askTransform(session, { member, granted }));
}

test("a transform that does not open is kept, disputed and judged; then the reader reads again", async () => {
  const failed = crookedly("open", place.record, "--as", "bob", "--out", at("none"));
  expect(failed.code).toBe("transform-invalid");
  expect(failed.hint).toContain(
    `chartseal dispute open ${place.record} --as bob --evidence ${failed.evidence}`,
  );
  expect(statSync(failed.evidence).mode & 0o777).toBe(0o600);
  expect(failed.evidence).toContain(join("members", "bob", "disputes"));

  const opened = await cli("dispute", "open", place.record, "--as", "bob", "--evidence", failed.evidence);
  const line = opened.json();
  expect(line).toMatchObject({
    status: "settled",
    atFault: "provider",
    reader: "bob",
    recordId: place.record,
    providerAnswered: true,
    readerAnswered: true,
    threshold: 2,
  });
  // The third node need not say anything any more.
  expect(line.verdicts.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
    "provider",
    "provider",
    null,
  ]);
  expect(line.keyRetiredHeight).toBe(line.settledHeight);

  expect((await cli("dispute", "show", line.disputeId)).json()).toEqual(line);
  expect((await cli("dispute", "list", "--record", place.record)).json()).toEqual(line);
  expect((await cli("dispute", "list", "--open")).out).toBe("");
  expect((await cli("status")).json().disputes).toBe(0);
  const log = await cli("access-log", place.record, "--as", "alice");
  const events = log.out
    .trim()
    .split("\n")
    .map((one) => JSON.parse(one));
  expect(events.filter(({ disputeId }) => disputeId === line.disputeId)).toMatchObject([
    { event: "contested", reader: "bob" },
    { event: "judged", reader: "bob", outcome: "provider" },
  ]);

  // Asked again, it is the same dispute; a new one cannot be opened about that answer.
  expect((await cli("dispute", "open", place.record, "--as", "bob")).json()).toEqual(line);
  expect((await openAs("bob")).code).toBe(0);
  expect(readFileSync(at("bob-out"), "utf8")).toBe(plaintext);
});

/** Whoever copies the file has T, the header and who asked; z is what makes a key of them. */
test("what is kept holds none of the reader's secrets", async () => {
  const { evidence } = crookedly("open", place.record, "--as", "bob", "--out", at("none"));
  const bytes = readFileSync(evidence).toString("hex");
  await withMember("bob", async (session) => {
    const { keys } = memberOf(session, "bob");
    expect(bytes).toContain(toHex(keys.transformKeyId!));
    const secrets = [fromBigInt(keys.recoveryKey!, 32), keys.seed, keys.hpkeSecret];
    for (const secret of secrets) expect(bytes).not.toContain(toHex(secret));
  });
});

/** The owner's client cannot tell a wrong transform from a header that was sealed wrongly; the judges can. */
test("an owner whose own row does not open keeps the answer too", async () => {
  const failed = crookedly("open", place.record, "--as", "alice", "--out", at("none"));
  expect(failed.code).toBe("header-altered");
  const { out } = await cli("dispute", "open", place.record, "--as", "alice");
  expect(JSON.parse(out)).toMatchObject({ status: "settled", atFault: "provider", reader: "alice" });
});

test("the steps request and transform keep it as open does", async () => {
  const { requestId } = (await cli("request", place.record, "--as", "bob")).json();
  const failed = crookedly("transform", requestId, "--as", "bob", "--out", at("none"));
  expect(failed.evidence).toContain(requestId);
  expect((await cli("dispute", "open", place.record, "--as", "bob")).json().atFault).toBe("provider");
});

/** The home's nodes have their first shares where `init` put them; judging is no reason to move them. */
test("nodes judge with what init left them, which stays as it is, and after a refresh with what they have", async () => {
  const nodeFiles = () =>
    [1, 2, 3].map((number) =>
      createHash("sha256")
        .update(readFileSync(join(place.home, "service", `node-${number}.sealed`)))
        .digest("hex"),
    );
  const before = nodeFiles();
  crookedly("open", place.record, "--as", "bob", "--out", at("none"));
  const first = (await cli("dispute", "open", place.record, "--as", "bob")).json();
  expect(first.status).toBe("settled");
  expect(nodeFiles()).toEqual(before);
  expect((await cli("authority", "refresh")).code).toBe(0);
  expect(nodeFiles()).not.toEqual(before);
  crookedly("open", place.record, "--as", "bob", "--out", at("none"));
  const second = (await cli("dispute", "open", place.record, "--as", "bob")).json();
  expect([second.status, second.atFault]).toEqual(["settled", "provider"]);
  expect(second.disputeId).not.toBe(first.disputeId);
});

/** What is on the ledger waits for nobody's command in particular. */
test("a dispute that a client left half opened is gone on with, and any command with the passphrase judges", async () => {
  const { evidence } = crookedly("open", place.record, "--as", "bob", "--out", at("none"));
  const { requestId, transformKeyId: keyId, answer } = decodeKept(readFileSync(evidence));
  const answerHash = createHash("sha256").update(answer.transform).digest();
  const claim = { kind: "dispute-transform", requestId, keyId, answerHash, ...answer.statement } as const;
  await withMember("bob", async (session) => {
    await new AccountWriter(session, memberOf(session, "bob").keys).submit(claim);
  });
  const half = (await cli("dispute", "list")).json();
  expect(half).toMatchObject({
    status: "open",
    providerAnswered: false,
    readerAnswered: false,
    outcome: null,
  });
  expect((await cli("status")).json().disputes).toBe(1);
  // Another member's command: the provider opens its part.
  expect((await openAs("alice")).code).toBe(0);
  expect((await cli("dispute", "show", half.disputeId)).json().providerAnswered).toBe(true);
  const whole = (await cli("dispute", "open", place.record, "--as", "bob")).json();
  expect(whole).toMatchObject({ disputeId: half.disputeId, status: "settled", atFault: "provider" });
});

describe("evidence that is none is refused before a passphrase is asked for:", () => {
  const dispute = async (file: string, as = "bob", record = place.record) => {
    const ran = await cli("dispute", "open", record, "--as", as, "--evidence", file);
    expect(ran.err).not.toMatch(/\n\s+at /);
    return { exit: ran.code, ...(ran.json().error as { code: string; message: string }) };
  };

  test("a missing file, a folder, another file, one that was cut or lengthened", async () => {
    const { evidence } = crookedly("open", place.record, "--as", "bob", "--out", at("none"));
    const whole = readFileSync(evidence);
    const files: readonly [string, Uint8Array][] = [
      ["empty", new Uint8Array()],
      ["text", Buffer.from("no evidence")],
      ["cut", whole.subarray(0, whole.length - 1)],
      ["longer", Buffer.concat([whole, Buffer.of(0)])],
      ["huge", new Uint8Array(2_000_000)],
    ];
    for (const [name, bytes] of files) writeFileSync(at(name), bytes);
    for (const name of ["missing", "home", ...files.map(([each]) => each)])
      expect(await dispute(at(name)), name).toMatchObject({ exit: 2, code: "input-invalid" });
    const nothing = await cli("dispute", "open", place.record, "--as", "carol");
    expect([nothing.code, nothing.json().error.code]).toEqual([2, "input-invalid"]);
  });

  test("an answer that was changed, of another member, of another record, of another chain", async () => {
    const { evidence } = crookedly("open", place.record, "--as", "bob", "--out", at("none"));
    const kept = decodeKept(readFileSync(evidence));
    const { answer } = kept;
    const changed = answer.transform.slice();
    changed[100]! ^= 1;
    const write = (one: typeof kept): string => {
      writeFileSync(at("changed"), encodeKept(one));
      return at("changed");
    };
    expect(await dispute(write({ ...kept, answer: { ...answer, transform: changed } }))).toMatchObject({
      exit: 4,
      code: "signature-invalid",
    });
    const header = answer.header.slice(0, -1);
    for (const other of [
      { ...kept, answer: { ...answer, header } },
      { ...kept, chainId: kept.requestId },
      { ...kept, requestId: kept.chainId },
      { ...kept, recordId: kept.chainId },
    ])
      expect(await dispute(write(other))).toMatchObject({ exit: 2, code: "input-invalid" });
    expect(await dispute(evidence, "carol")).toMatchObject({ exit: 2, code: "input-invalid" });
    expect(await dispute(evidence, "bob", "ab".repeat(32))).toMatchObject({ code: "record-unknown" });
  });

  test("an answer that opens, and one whose key was replaced", async () => {
    await withMember("bob", async (session) => {
      const { requestId, transformKeyId, answer } = await honestAnswer(session, "bob");
      const { chainId } = session.ledger;
      const recordId = fromHex(place.record, 32);
      saveKept(session.home, "bob", { chainId, recordId, requestId, transformKeyId, answer });
    });
    const opens = await cli("dispute", "open", place.record, "--as", "bob");
    expect(opens.json().error.message).toContain("its reader would be at fault");
    expect((await cli("dispute", "list")).out).toBe("");
    const { evidence } = crookedly("open", place.record, "--as", "bob", "--out", at("none"));
    expect((await cli("keys", "renew", "bob")).code).toBe(0);
    expect(await dispute(evidence)).toMatchObject({ exit: 2, code: "input-invalid" });
  });
});

/** The server's output up to its first line, then how to stop it. */
async function serveCrookedly(): Promise<{ stop(): Promise<number | null> }> {
  const server = spawn(process.execPath, [source, child, "serve", "--json"], {
    env: environment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  const lines = createInterface({ input: server.stdout });
  await Promise.race([new Promise((resolve) => lines.once("line", resolve)), ended]);
  return {
    async stop() {
      server.kill("SIGTERM");
      await ended;
      return server.exitCode;
    },
  };
}

/** As somebody who waits does. */
async function settledDispute(disputeId: string) {
  for (;;) {
    const line = (await cli("dispute", "show", disputeId)).json();
    if (line.status === "settled") return line;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

test("over HTTP: a provider that answers wrongly is found at fault, and so is a reader who disputes what opens", {
  timeout: 600_000,
}, async () => {
  const server = await serveCrookedly();
  try {
    const failed = await openAs("bob");
    expect([failed.code, failed.json().error.code]).toEqual([4, "transform-invalid"]);
    const opened = await cli("dispute", "open", place.record, "--as", "bob");
    expect(opened.code).toBe(0);
    const { disputeId } = opened.json();
    expect(await settledDispute(disputeId)).toMatchObject({ atFault: "provider", reader: "bob" });
    // The judges know the key: the next use has another one, and the provider answers honestly by now.
    expect((await openAs("bob")).code).toBe(0);
    expect(readFileSync(at("bob-out"), "utf8")).toBe(plaintext);
    const lie = await withMember("bob", async (session) => {
      const member = memberOf(session, "bob").keys;
      const dispute = await disputeTransform(session, { member, failed: await honestAnswer(session, "bob") });
      await session.provider.follow();
      return toHex(dispute.disputeId);
    });
    expect(await settledDispute(lie)).toMatchObject({ atFault: "reader", reader: "bob" });
    const text = await cli("dispute", "list", "--record", place.record);
    const outcomes = text.out
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one).outcome);
    expect(outcomes).toEqual(["provider", "reader"]);
  } finally {
    expect(await server.stop()).toBe(0);
  }
  // What a verdict did stands: the home opens again without the server.
  const session = await openSession(openHome(place.home), { passphrase, waitMs: 0 });
  await session.close();
  expect((await openAs("bob")).code).toBe(0);
});
