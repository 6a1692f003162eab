/** CONTRACT "Locking", `serve`: commands on a home go through its server, several at once; what a killed server leaves. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  copyHome,
  type Done,
  fails,
  finished,
  homeIn,
  json,
  lines,
  run,
  sha256,
  start,
  workFolder,
} from "./support.ts";

const folder = workFolder();
const note = join(folder, "note.txt");
writeFileSync(note, "a note");
const passphraseOf = (text: string) => ({ CHARTSEAL_PASSPHRASE: text });
let home: string;
const children: ChildProcess[] = [];

interface Server {
  readonly child: ChildProcess;
  readonly end: Promise<Done>;
  readonly address: string;
}

/** Starts a server and waits for its one value. */
async function serve(target: string, ...more: string[]): Promise<Server> {
  const child = start(["serve", "--json", ...more], { home: target });
  children.push(child);
  const end = finished(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (bytes: Buffer) => resolve(bytes.toString()));
    end.then((done) => reject(new Error(`the server ended: ${done.stderr}`)));
  });
  expect(JSON.parse(line)).toMatchObject({
    address: expect.stringMatching(/^http:/),
    roles: expect.any(Array),
  });
  return { child, end, address: JSON.parse(line).address };
}

async function stop(server: Server): Promise<Done> {
  server.child.kill("SIGTERM");
  return await server.end;
}

const serverFile = (target: string) => join(target, "run", "server.json");

beforeAll(async () => {
  home = await homeIn(folder);
});
afterAll(() => {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
});

test("the whole journey through a server, and the same home without it afterwards", async () => {
  const server = await serve(home);
  const { address, token } = JSON.parse(readFileSync(serverFile(home), "utf8"));
  expect(address).toBe(server.address);
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(statSync(serverFile(home)).mode & 0o777).toBe(0o600);
  const health = await (await fetch(`${address}/health`)).json();
  expect(health).toMatchObject({ ok: true, roles: { ledger: { ok: true }, provider: { ok: true } } });

  await json(["namespace", "add", "lakeside"], { home });
  await json(["member", "add", "erin"], { home });
  expect(
    await json(["attributes", "grant", "erin", "doctor@cedars", "cardiology@cedars"], { home }),
  ).toMatchObject({
    attributes: ["cardiology@cedars", "doctor@cedars"],
  });
  await json(["settings", "set", "--recovery-delay", "3d"], { home });
  await json(["rule", "set", "--owner", "erin", "--namespace", "lakeside", "--policy", "doctor@lakeside"], {
    home,
  });
  const sealed = await json(["seal", note, "--owner", "alice", "--as", "bob"], { home });
  expect(await json(["open", sealed.recordId, "--as", "erin"], { home })).toMatchObject({
    sha256: sha256(Buffer.from("a note")).toString("hex"),
    author: { verified: true },
  });
  const { requestId } = await json(["request", sealed.recordId, "--as", "erin"], { home });
  await json(["transform", requestId, "--as", "erin"], { home });
  await fails("policy-unsatisfied", ["open", sealed.recordId, "--as", "dave"], { home });
  await json(["rekey", sealed.recordId, "--as", "alice", "--payload"], { home });
  await json(["keys", "full", "erin"], { home });
  const portable = join(folder, "portable");
  await json(["export", sealed.recordId, "--out", portable, "--as", "erin"], { home });
  await json(["attributes", "revoke", "erin", "doctor@cedars"], { home });
  await fails("revoked", ["open", sealed.recordId, "--as", "erin"], { home });
  const log = await lines(["access-log", sealed.recordId, "--as", "alice"], { home });
  expect(log.at(-1)).toMatchObject({ complete: true });
  expect(log.filter(({ reader }) => reader === "erin").length).toBeGreaterThan(1);
  await json(["erase", sealed.recordId, "--as", "alice"], { home });
  await fails("erased", ["open", sealed.recordId, "--as", "bob"], { home });
  expect(await json(["verify"], { home })).toMatchObject({ ok: true, findings: [] });

  expect((await stop(server)).code).toBe(0);
  expect(existsSync(serverFile(home))).toBe(false);
  const alone = await json(["seal", note, "--owner", "alice", "--as", "bob"], { home });
  await json(["open", alone.recordId, "--as", "bob"], { home });
  expect(await json(["verify"], { home })).toMatchObject({ ok: true, findings: [] });
});

test("several commands at once, of several members and of one; the chain holds them all", async () => {
  const copy = copyHome(home, join(folder, "several"));
  const server = await serve(copy);
  const before = (await lines(["records"], { home: copy })).length;
  const seals = [
    ["seal", note, "--owner", "alice", "--as", "bob"],
    ["seal", note, "--owner", "alice", "--as", "bob"],
    ["seal", note, "--owner", "alice"],
    ["seal", note, "--owner", "dave"],
    ["attributes", "grant", "dave", "nurse@mercy"],
    ["namespace", "add", "seaside"],
  ];
  const done = await Promise.all(seals.map((args) => run([...args, "--json"], { home: copy })));
  expect(done.map(({ code, stderr }) => [code, stderr.replace(/^chartseal: warning.*\n/gm, "")])).toEqual(
    seals.map(() => [0, ""]),
  );
  expect((await lines(["records"], { home: copy })).length).toBe(before + 4);
  await stop(server);
  expect(await json(["verify"], { home: copy })).toMatchObject({ ok: true, findings: [] });
});

test("what needs the home for itself says home-busy at once, with a hint; so does a second server", async () => {
  const copy = copyHome(home, join(folder, "busy"));
  const server = await serve(copy);
  const started = Date.now();
  for (const args of [
    ["gc"],
    ["backup", "--out", join(folder, "backup")],
    ["forensics", "--repair"],
    ["serve"],
  ]) {
    const error = await fails("home-busy", args, { home: copy });
    expect(error.hint).toMatch(/serve/);
  }
  const change = ["passphrase", "change"];
  await fails("home-busy", change, { home: copy, env: { CHARTSEAL_NEW_PASSPHRASE: "another one" } });
  expect(Date.now() - started).toBeLessThan(25_000);
  await fails("passphrase-wrong", ["namespace", "add", "new"], { home: copy, env: passphraseOf("wrong") });
  await fails("passphrase-missing", ["namespace", "add", "new"], { home: copy, passphrase: null });
  await stop(server);
  await json(["gc"], { home: copy });
});

test("kill -9 of the server in the middle of a seal: the command says so, nothing is lost, the next one replaces it", async () => {
  const copy = copyHome(home, join(folder, "killed"));
  const server = await serve(copy);
  const sealing = start(["seal", "-", "--owner", "alice", "--json"], { home: copy, input: "" });
  const end = finished(sealing);
  sealing.stdin?.on("error", () => {});
  sealing.stdin?.write(Buffer.alloc(3_000_000, 1));
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  server.child.kill("SIGKILL");
  await server.end;
  sealing.stdin?.end(Buffer.alloc(3_000_000, 2));
  const done = await end;
  expect([done.code, JSON.parse(done.text).error.code]).toEqual([
    5,
    expect.stringMatching(/^(provider|ledger)-unreachable$/),
  ]);
  expect(existsSync(serverFile(copy))).toBe(true);
  expect(await json(["verify"], { home: copy })).toMatchObject({ ok: true, findings: [] });
  await json(["seal", note, "--owner", "alice", "--as", "bob"], { home: copy });
  const stale = readFileSync(serverFile(copy), "utf8");
  const next = await serve(copy);
  expect(readFileSync(serverFile(copy), "utf8")).not.toBe(stale);
  await json(["seal", note, "--owner", "alice", "--as", "bob"], { home: copy });
  expect((await stop(next)).code).toBe(0);
  expect(await json(["verify"], { home: copy })).toMatchObject({ ok: true, findings: [] });
});

test("a program that took a killed server's port is not spoken to", async () => {
  const copy = copyHome(home, join(folder, "taken"));
  const asked: string[] = [];
  const stranger = createServer((request, response) => {
    asked.push(String(request.url));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ proof: "00".repeat(32), anchor: null, value: null }));
  });
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  writeFileSync(serverFile(copy), JSON.stringify({ version: 1, address, token: "11".repeat(32), pid: 1 }));
  await json(["seal", note, "--owner", "alice", "--as", "bob"], { home: copy });
  expect(new Set(asked)).toEqual(new Set(["/v1/home/hello"]));
  stranger.close();
  for (const damage of ["", "{", "{}", '{"address":"x","token":1}']) {
    writeFileSync(serverFile(copy), damage);
    await json(["rule", "list", "--owner", "alice"], { home: copy }).catch(() => {});
    await json(["namespace", "add", `n${damage.length}`], { home: copy });
  }
});

test("a copy of a home whose server runs is a home of its own: its commands do not go to the other's server", async () => {
  const from = copyHome(home, join(folder, "original"));
  const server = await serve(from);
  const copy = copyHome(from, join(folder, "copied"));
  const before = (await lines(["records"], { home: from })).length;
  await json(["seal", note, "--owner", "alice", "--as", "bob"], { home: copy });
  expect((await lines(["records"], { home: copy })).length).toBe(before + 1);
  expect((await lines(["records"], { home: from })).length).toBe(before);
  await stop(server);
});

test("what serve is told wrongly is input-invalid, and it plays the roles it is told", async () => {
  const copy = copyHome(home, join(folder, "roles"));
  await fails("input-invalid", ["serve", "--port", "70000"], { home: copy });
  await fails("input-invalid", ["serve", "--port", "x"], { home: copy });
  await fails("input-invalid", ["serve", "--roles", "king"], { home: copy });
  await fails("input-invalid", ["serve", "--roles", "ledger,ledger"], { home: copy });
  await fails("input-invalid", ["serve", "--config", join(folder, "none.json")], { home: copy });
  await fails("home-missing", ["serve", "--port", "x"], { home: join(folder, "nowhere") });
  const config = join(folder, "config.json");
  writeFileSync(
    config,
    JSON.stringify({ roles: ["ledger", "provider"], limits: { connectionsMax: 7, shutdownMs: 100 } }),
  );
  const server = await serve(copy, "--config", config, "--roles", "ledger");
  const { roles } = (await (await fetch(`${server.address}/health`)).json()) as { roles: object };
  expect(Object.keys(roles).sort()).toEqual(["home", "ledger"]);
  await stop(server);
});
