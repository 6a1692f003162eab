/** CONTRACT "Set-up" and the ground rules of the command line: the bin, the runtime, --json, exit codes, odd terminals. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import {
  bin,
  expectFailure,
  fails,
  finished,
  homeIn,
  json,
  passphrase,
  run,
  start,
  workFolder,
} from "./support.ts";

const folder = workFolder();

/** A Node older than the project's, where the machine has one. */
function oldNode(): string | undefined {
  const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
  const found = spawnSync("/usr/bin/env", ["node", "--version"], { env });
  return /^v(?:[0-9]|1[0-9]|2[01])\./.test(found.stdout?.toString() ?? "") ? env.PATH : undefined;
}

test("the bin is a committed plain-JavaScript file, apps/cli/bin/chartseal.js", () => {
  const root = dirname(dirname(dirname(dirname(bin))));
  const listed = spawnSync("git", ["ls-files", "-s", "apps/cli/bin/chartseal.js"], { cwd: root });
  if (listed.status === 0) expect(listed.stdout.toString()).toMatch(/^100755 /);
  expect(readFileSync(bin, "utf8").startsWith("#!/usr/bin/env node\n")).toBe(true);
  expect(statSync(bin).mode & 0o111).not.toBe(0);
});

test("on an older Node the bin says runtime-too-old, exit 5, with --json one object", ({ skip }) => {
  const path = oldNode();
  if (path === undefined) return skip("the machine has no Node older than 22.18 to start it with");
  const child = spawnSync(bin, ["records", "--json"], { env: { PATH: path } });
  expectFailure(
    {
      code: child.status,
      signal: child.signal,
      stdout: child.stdout,
      text: child.stdout.toString(),
      stderr: child.stderr.toString(),
    },
    "runtime-too-old",
  );
  expect(spawnSync(bin, ["records"], { env: { PATH: path } }).stdout.length).toBe(0);
});

test("--version prints the version; with --json standard output is exactly one JSON value", async () => {
  expect((await run(["--version"])).text).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(JSON.parse((await run(["--version", "--json"])).text).version).toMatch(/^\d+\.\d+\.\d+$/);
  JSON.parse((await run(["--help", "--json"])).text);
  JSON.parse((await run(["member", "--json", "--help"])).text);
});

test("wrong usage is exit 2 with one line that names what is wrong", async () => {
  for (const args of [
    [],
    ["member"],
    ["frobnicate"],
    ["member", "frobnicate"],
    ["open"],
    ["records", "--bogus"],
    ["records", "--wait", "x"],
    ["--home"],
  ]) {
    const error = await fails("input-invalid", args, { cwd: folder });
    expect(String(error.message)).not.toMatch(/^\(|outputHelp/);
  }
});

test("--home defaults to CHARTSEAL_HOME, else .chartseal, and may stand before or after the command", async () => {
  const home = await homeIn(folder, ".chartseal");
  const names = (value: { member: string }[]) => value.map(({ member }) => member);
  const expected = ["alice", "bob", "carol", "dave"];
  expect(names(await json(["member", "list"], { cwd: folder }))).toEqual(expected);
  expect(names(await json(["member", "list"], { home }))).toEqual(expected);
  expect(names(await json(["--home", home, "member", "list"], { home: "/nowhere" }))).toEqual(expected);
  expect(names(await json(["member", "list", `--home=${home}`], { home: "/nowhere" }))).toEqual(expected);
  await fails("home-missing", ["member", "list"], { home: "/nowhere" });
});

test("init makes an embedded consortium: {consortium, chainId, height}, the folders of CONTRACT, and home-exists after", async () => {
  const home = join(folder, "deep", "er", "home");
  const made = await json(["init", "--name", "Klinik Süd", "--authority-nodes", "4", "--threshold", "3"], {
    home,
  });
  expect(made.consortium).toBe("Klinik Süd");
  expect(made.chainId).toMatch(/^[0-9a-f]{64}$/);
  expect(Number.isInteger(made.height)).toBe(true);
  for (const part of ["provider/objects", "provider/leaves", "ledger"])
    expect(existsSync(join(home, part))).toBe(true);
  await fails("home-exists", ["init"], { home });
  await fails("home-exists", ["init", "--threshold", "9"], { home });
  expect((await json(["ledger", "genesis"], { home })).chainId).toBe(made.chainId);
});

test("init takes 1 to n nodes and a threshold of 1 to that, and changes nothing where it fails", async () => {
  const home = join(folder, "none");
  for (const options of [
    ["--authority-nodes", "2", "--threshold", "3"],
    ["--threshold", "0"],
    ["--authority-nodes", "x"],
    ["--name", ""],
  ])
    await fails("input-invalid", ["init", ...options], { home });
  await fails("passphrase-missing", ["init"], { home, passphrase: null });
  await fails("passphrase-missing", ["init"], { home, passphrase: "" });
  await fails("input-invalid", ["init", "--passphrase-file", "/nowhere"], { home });
  expect(existsSync(home)).toBe(false);
});

test("a home that is a file, a filled folder, or cannot be made there is refused by name, never a defect", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "x");
  const filled = join(folder, "filled");
  mkdirSync(filled);
  writeFileSync(join(filled, "mine"), "x");
  await fails("home-missing", ["records"], { home: file });
  await fails("home-missing", ["records"], { home: filled });
  await fails("home-exists", ["init"], { home: file });
  await fails("home-exists", ["init"], { home: filled });
  for (const home of ["/dev/null/x", "/proc/x"]) await fails("input-invalid", ["init"], { home });
  expect(readdirSync(filled)).toEqual(["mine"]);
});

test("no question is asked where standard input is no terminal, and a passphrase file serves as well", async () => {
  const home = join(folder, ".chartseal");
  const file = join(folder, "passphrase");
  writeFileSync(file, `${passphrase}\n`);
  await fails("passphrase-missing", ["member", "add", "zoe"], { home, passphrase: null });
  await fails("passphrase-missing", ["member", "add", "zoe"], { home, passphrase: null, input: "y\ny\n" });
  expect(existsSync(join(home, "members", "zoe"))).toBe(false);
  const added = await json(["member", "add", "zoe", "--passphrase-file", file], { home, passphrase: null });
  expect(added).toMatchObject({ member: "zoe", account: expect.stringMatching(/^[0-9a-f]{40}$/) });
  expect(existsSync(join(home, "members", "zoe"))).toBe(true);
});

test("a reader of the output that goes away is no defect; a full disk at standard output is no success", async () => {
  const home = join(folder, ".chartseal");
  const child = start(["ledger", "export"], { home });
  child.stdout?.destroy();
  const done = await finished(child);
  expect(done.stderr).toBe("");
  expect(done.code === 0 || done.signal === "SIGPIPE" || done.code === 141).toBe(true);
  if (!existsSync("/dev/full")) return;
  const shell = (command: string) =>
    spawnSync("/bin/sh", ["-c", command], { env: { ...process.env, CHARTSEAL_HOME: home } });
  const full = shell(`"${process.execPath}" "${bin}" ledger export > /dev/full`);
  expect(full.status).not.toBe(0);
  expect(full.stderr.toString()).toMatch(/^chartseal: [a-z-]+: .*\n$/);
});
