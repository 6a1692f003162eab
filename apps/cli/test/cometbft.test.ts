/** Finding CometBFT and putting it in the cache folder: made-up programs on a PATH of the test's own, archives over loopback. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { root } from "../../../test/tidy/tree.ts";
import { describeTool } from "../../../test/tools.ts";
import {
  cachedCometbft,
  cometbftModule,
  cometbftVersion,
  type FindOptions,
  findCometbft,
  versionOf,
} from "../src/services/cometbft.ts";
import { platformName } from "../src/services/cometbft-install.ts";

let folder: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chartseal-cometbft-"));
  for (const name of ["bin", "elsewhere"]) mkdirSync(join(folder, name));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...parts: string[]): string => join(folder, ...parts);
const saying = (version: string): string => `#!/bin/sh\n[ "$1" = version ] && echo "${version}"\n`;

function program(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** A machine of which this is all: `sh`, `tar` and what they need stand in the system's folders. */
function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: `${at("bin")}:/usr/bin:/bin`, HOME: at("home"), XDG_CACHE_HOME: at("cache"), ...more };
}

function find(options: FindOptions = {}, more: NodeJS.ProcessEnv = {}): Promise<string> {
  return findCometbft({ environment: environment(more), progress: (line) => said.push(line), ...options });
}

const missing = (message: RegExp) =>
  expect.objectContaining({
    code: "tool-missing",
    family: "unavailable",
    message: expect.stringMatching(message),
    hint: expect.stringContaining(`go install ${cometbftModule}`),
  });

const cached = (): string => cachedCometbft(environment());

describe("CometBFT on the machine", () => {
  test("is found on PATH in the version that is needed", async () => {
    const path = program(at("bin", "cometbft"), saying(cometbftVersion));
    expect(await find()).toBe(path);
    program(path, saying(`v${cometbftVersion}+1a2b3c4`));
    expect(await find()).toBe(path);
  });

  test("is refused in another version, though the right one is in the cache folder, unless that one is named", async () => {
    program(at("bin", "cometbft"), saying("0.38.17"));
    program(cached(), saying(cometbftVersion));
    await expect(find({ install: true })).rejects.toThrow(missing(/version 0\.38\.17; v0\.38\.25 is needed/));
    expect(await find({}, { CHARTSEAL_COMETBFT: cached() })).toBe(cached());
  });

  test.each([
    ["another version", saying("1.0.1"), /version 1\.0\.1/],
    ["a longer version", saying(`${cometbftVersion}-rc1`), /version 0\.38\.25-rc1/],
    ["no version", "#!/bin/sh\nexit 1\n", /does not tell its version/],
    ["something else", saying("usage: cometbft"), /does not tell its version/],
  ])("is refused where what is named has %s", async (_, text, message) => {
    program(at("bin", "cometbft"), saying(cometbftVersion));
    const named = program(at("elsewhere", "comet"), text);
    await expect(find({ install: true }, { CHARTSEAL_COMETBFT: named })).rejects.toThrow(missing(message));
  });

  test("is refused where what is named is no program", async () => {
    await expect(find({}, { CHARTSEAL_COMETBFT: at("nothing") })).rejects.toThrow(missing(/no program/));
    await expect(find({}, { CHARTSEAL_COMETBFT: at("elsewhere") })).rejects.toThrow(missing(/no program/));
  });

  test("is found in the cache folder, which is below HOME where nothing else is said", async () => {
    await expect(find()).rejects.toThrow(missing(/not on this machine/));
    program(cached(), saying(cometbftVersion));
    expect(await find()).toBe(cached());
    const below = at("home", ".cache", "chartseal", `cometbft-v${cometbftVersion}`, "cometbft");
    expect(cachedCometbft({ HOME: at("home") })).toBe(below);
    expect(cachedCometbft({ HOME: at("home"), XDG_CACHE_HOME: "relative" })).toBe(below);
  });
});

/** A Go program that makes a cometbft of some version and keeps what it was called with. */
function fakeGo(version: string): void {
  const made = saying(version).replaceAll("\n", "\\n").replaceAll("$", "\\$").replaceAll('"', '\\"');
  const lines = [
    `echo "$@" $CHARTSEAL_PASSPHRASE >> ${at("go-calls")}`,
    `printf "${made}" > "$GOBIN/cometbft"`,
    'chmod +x "$GOBIN/cometbft"',
  ];
  program(at("bin", "go"), `#!/bin/sh\n${lines.join("\n")}\n`);
}

describe("installing by Go", () => {
  test("puts the pinned version into the cache folder, once, with nothing left beside it", async () => {
    fakeGo(cometbftVersion);
    const secret = { CHARTSEAL_PASSPHRASE: "correct horse" };
    expect(await find({ install: true }, secret)).toBe(cached());
    expect(await find({ install: true }, secret)).toBe(cached());
    expect(readFileSync(at("go-calls"), "utf8")).toBe(`install ${cometbftModule}\n`);
    expect(readdirSync(dirname(cached()))).toEqual(["cometbft"]);
    expect(said.join("\n")).toContain("no checksum of a release");
    expect(said.at(-1)).toBe(`chartseal: installed ${cached()}`);
  });

  test("puts a working one in the place of a broken one", async () => {
    fakeGo(cometbftVersion);
    program(cached(), "half a pro");
    expect(await find({ install: true })).toBe(cached());
    expect(versionOf(cached())).toBe(cometbftVersion);
  });

  test("happens only where it is asked for", async () => {
    fakeGo(cometbftVersion);
    await expect(find()).rejects.toThrow(missing(/not on this machine/));
    expect(existsSync(at("go-calls"))).toBe(false);
    expect(existsSync(at("cache"))).toBe(false);
  });

  test("that fails says with which words, and leaves nothing", async () => {
    program(at("bin", "go"), "#!/bin/sh\necho first >&2\necho no such module >&2\nexit 1\n");
    await expect(find({ install: true })).rejects.toThrow(missing(/install: no such module$/));
    program(at("bin", "go"), "#!/bin/sh\nexit 0\n");
    await expect(find({ install: true })).rejects.toThrow(missing(/made no cometbft/));
    expect(readdirSync(dirname(cached()))).toEqual([]);
  });

  test("without Go says how, where the cache folder is no folder too", async () => {
    await expect(find({ install: true })).rejects.toThrow(missing(/no Go to build it/));
    writeFileSync(at("file"), "");
    fakeGo(cometbftVersion);
    await expect(find({ install: true }, { XDG_CACHE_HOME: at("file") })).rejects.toThrow(missing(/ENOTDIR/));
  });
});

describe("installing the release archive", () => {
  const name = `cometbft_${cometbftVersion}_${platformName()}.tar.gz`;
  let server: Server;
  let archive: Buffer;
  let asked: string[];
  beforeEach(async () => {
    program(at("packed", "cometbft"), saying(cometbftVersion));
    writeFileSync(at("packed", "LICENSE"), "a licence");
    archive = packed("packed");
    asked = [];
    server = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(request.url === `/v${cometbftVersion}/${name}` ? 200 : 404).end(archive);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  function packed(from: string): Buffer {
    const { stdout } = spawnSync("tar", ["-czf", "-", "-C", at(from), ...readdirSync(at(from))]);
    return stdout;
  }
  const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const release = (checksum: string, path = "") => ({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    sha256: { [platformName()]: checksum },
  });

  test("with the checksum that is known puts it into the cache folder, with no Go", async () => {
    expect(await find({ install: true, release: release(sha256(archive)) })).toBe(cached());
    expect(asked).toEqual([`/v${cometbftVersion}/${name}`]);
    expect(readdirSync(dirname(cached()))).toEqual(["cometbft"]);
    expect(said[0]).toMatch(/^chartseal: getting http:/);
  });

  test("with the checksum that its operator gives is taken by that, whatever is known here", async () => {
    const other = release(sha256(Buffer.from("another")));
    const given = { CHARTSEAL_COMETBFT_SHA256: sha256(archive).toUpperCase() };
    expect(await find({ install: true, release: other }, given)).toBe(cached());
    rmSync(cached());
    const wrong = { CHARTSEAL_COMETBFT_SHA256: "ab".repeat(32) };
    const known = release(sha256(archive));
    await expect(find({ install: true, release: known }, wrong)).rejects.toThrow(missing(/not (ab){32}/));
    for (const none of ["ab", "g".repeat(64), `${"ab".repeat(32)}\n`]) {
      await expect(
        find({ install: true, release: known }, { CHARTSEAL_COMETBFT_SHA256: none }),
      ).rejects.toThrow(expect.objectContaining({ code: "input-invalid" }));
    }
    expect(existsSync(cached())).toBe(false);
  });

  test("with another checksum unpacks nothing and asks no Go", async () => {
    fakeGo(cometbftVersion);
    const other = release(sha256(Buffer.from("another")));
    await expect(find({ install: true, release: other })).rejects.toThrow(
      missing(new RegExp(`has SHA-256 ${sha256(archive)}, not ${sha256(Buffer.from("another"))}`)),
    );
    expect(existsSync(at("go-calls"))).toBe(false);
    expect(readdirSync(dirname(cached()))).toEqual([]);
  });

  test("that is not there, or cannot be reached, leaves it to Go", async () => {
    fakeGo(cometbftVersion);
    expect(await find({ install: true, release: release(sha256(archive), "/nowhere") })).toBe(cached());
    expect(said.join("\n")).toContain("HTTP 404");
    rmSync(cached());
    const gone = release(sha256(archive));
    await new Promise((resolve) => server.close(resolve));
    expect(await find({ install: true, release: gone })).toBe(cached());
    expect(said.join("\n")).toContain("fetch failed (");
    expect(readFileSync(at("go-calls"), "utf8").split("\n")).toHaveLength(3);
  });

  test("with a program of another version in it leaves that to be refused", async () => {
    program(at("packed", "cometbft"), saying("0.38.24"));
    archive = packed("packed");
    await expect(find({ install: true, release: release(sha256(archive)) })).rejects.toThrow(
      missing(/version 0\.38\.24/),
    );
  });
});

test("all that brings CometBFT brings the same version", () => {
  for (const path of ["scripts/tools.mjs", "deploy/Dockerfile"]) {
    const versions = readFileSync(join(root, path), "utf8").match(/cmd\/cometbft@v[\d.]+/g);
    expect(versions).toEqual([`cmd/cometbft@v${cometbftVersion}`]);
  }
});

describeTool("cometbft", "CometBFT itself", (path) => {
  test("tells the version that is looked for", async () => {
    expect(await find({}, { CHARTSEAL_COMETBFT: path })).toBe(path);
  });
});
