/**
 * The bundle that the command starts from (scripts/bundle.mjs, bin/bundle.js): it is taken when it is of the build that
 * lies there and never else, nothing of it is ever seen half, and no module is loaded from it and from elsewhere too. The
 * rules are tried on a small project of the same shape, with the real bin and the real bundler.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BundleFile, bundle, bundleOf, inlined, packageOf } from "../../../scripts/bundle.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "chartseal-bundle-"));
  folders.push(folder);
  return folder;
}

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A package with everything that it may load, by the lockfile. */
function withDependencies(name: string, found: Set<string>): Set<string> {
  if (found.has(name)) return found;
  found.add(name);
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, Locked>;
  };
  for (const [path, locked] of Object.entries(packages)) {
    if (!path.endsWith(`node_modules/${name}`)) continue;
    const all = { ...locked.dependencies, ...locked.optionalDependencies, ...locked.peerDependencies };
    for (const other of Object.keys(all)) withDependencies(other, found);
  }
  return found;
}

describe("the command's bundle", () => {
  let chunks: readonly BundleFile[] = [];
  beforeAll(async () => {
    chunks = (await bundleOf()).filter(({ type }) => type === "chunk");
  });
  const importsOf = (some: readonly BundleFile[]) =>
    new Set(some.flatMap(({ imports = [], dynamicImports = [] }) => [...imports, ...dynamicImports]));
  const names = () => new Set(chunks.map(({ fileName }) => fileName));
  const outside = (some: readonly BundleFile[]) =>
    [...importsOf(some)].filter((one) => !names().has(one) && !isBuiltin(one));

  test("has each module once, and loads none of ours from outside", () => {
    const modules = chunks.flatMap(({ moduleIds = [] }) => moduleIds);
    expect(modules.length).toBeGreaterThan(500);
    expect(new Set(modules).size).toBe(modules.length);
    for (const name of outside(chunks)) expect(name).toMatch(/^(?!@chartseal\/)[@a-z]/);
  });

  test("leaves no package outside that loads one that is inside", () => {
    const left = new Set(outside(chunks).map(packageOf));
    expect(left).toContain("fastify");
    const loaded = new Set<string>();
    for (const name of left) withDependencies(name, loaded);
    expect(loaded).toContain("pino");
    expect(inlined.filter((name) => loaded.has(name))).toEqual([]);
  });

  test("loads at a start what every command needs, in three files, and servers, clouds and benchmarks later", () => {
    const start = new Set(["main.js"]);
    for (const name of start) {
      const chunk = chunks.find(({ fileName }) => fileName === name);
      for (const one of chunk?.imports ?? []) if (names().has(one)) start.add(one);
    }
    const started = chunks.filter(({ fileName }) => start.has(fileName));
    expect(started.length).toBeLessThanOrEqual(3);
    const atOnce = started.flatMap(({ imports = [] }) => imports);
    expect(atOnce.filter((one) => !names().has(one) && !isBuiltin(one))).toEqual(["better-sqlite3"]);
    expect(started.flatMap(({ moduleIds = [] }) => moduleIds).join()).not.toMatch(
      /apps\/cli\/dist\/demo|\/bench\/dist|apps\/server\/dist\/(?!client)/,
    );
  });

  test("has the pairing's module with Node's decoder, and with it alone", () => {
    const code = chunks.map((chunk) => chunk.code ?? "").join("");
    expect(code.match(/wasmBytes = .{12}/g)).toEqual(["wasmBytes = Buffer.from("]);
  });

  test("is what the built command runs, and then no module of ours is loaded from a package", async () => {
    await bundle();
    const home = join(temporary(), "home");
    const hooks = `import { registerHooks } from "node:module";
      registerHooks({ load(url, context, next) { process._rawDebug("loaded " + url); return next(url, context); } });`;
    const run = (...args: string[]) => {
      const done = spawnSync(
        process.execPath,
        [
          `--import=data:text/javascript,${encodeURIComponent(hooks)}`,
          join(root, "apps/cli/bin/chartseal.js"),
          ...args,
        ],
        { encoding: "utf8", env: { ...process.env, CHARTSEAL_HOME: home, CHARTSEAL_PASSPHRASE: "a b c d" } },
      );
      expect(`${done.status} ${done.stderr.replaceAll(/^loaded .*\n/gm, "")}`).toMatch(/^0 /);
      return [...done.stderr.matchAll(/^loaded file:(.*)$/gm)].map((match) => match[1]!);
    };
    const loaded = [...run("init"), ...run("doctor"), ...run("verify"), ...run("bench", "--help")];
    expect(loaded.some((path) => path.includes("/dist/bundle/"))).toBe(true);
    const ours = loaded.filter((path) => !path.includes("/node_modules/") && !path.includes("/dist/bundle/"));
    expect([...new Set(ours.map((path) => path.replace(/^.*\/apps\//, "apps/")))].sort()).toEqual([
      "apps/cli/bin/bundle.js",
      "apps/cli/bin/chartseal.js",
    ]);
  });
});

/** A project with a command, a package of ours and one of others, built as `text`. */
class Project {
  readonly root = temporary();
  readonly cli = join(this.root, "apps", "cli");
  readonly bin = join(this.cli, "bin", "chartseal.js");
  readonly bundles = join(this.cli, "dist", "bundle");
  readonly #library = join(this.root, "packages", "crypto");
  #builds = 0;

  constructor() {
    this.#write("package.json", { workspaces: ["packages/*", "apps/*"] });
    this.#write("apps/cli/package.json", { name: "@chartseal/cli", type: "module", sideEffects: false });
    this.#write("packages/crypto/package.json", {
      name: "@chartseal/crypto",
      type: "module",
      exports: "./dist/index.js",
    });
    for (const name of ["@chartseal", "cborg"])
      mkdirSync(join(this.root, "node_modules", name), { recursive: true });
    symlinkSync(this.#library, join(this.root, "node_modules/@chartseal/crypto"), "dir");
    cpSync(join(root, "apps/cli/bin"), join(this.cli, "bin"), { recursive: true });
    this.install("foreign 1");
    this.compile("first");
  }

  #write(path: string, content: object | string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), typeof content === "string" ? content : JSON.stringify(content));
  }

  /** As a package manager does: a new version with a new manifest. */
  install(text: string): void {
    this.#write("node_modules/cborg/package.json", {
      name: "cborg",
      version: text,
      type: "module",
      exports: "./index.js",
    });
    this.#write("node_modules/cborg/index.js", `export const foreign = ${JSON.stringify(text)};`);
  }

  /** The files of a build alone, without TypeScript's note of it. */
  emit(text: string): void {
    this.#write(
      "packages/crypto/dist/index.js",
      `export const where = () => import.meta.url; export const text = ${JSON.stringify(text)};`,
    );
    this.#write(
      "apps/cli/dist/later.js",
      'import { text } from "@chartseal/crypto"; export const later = text;',
    );
    this.#write(
      "apps/cli/dist/main.js",
      `import { text, where } from "@chartseal/crypto";
       import { foreign } from "cborg";
       const here = import.meta.url;
       export async function main() {
         if (process.argv[2] === "wait") {
           process.stderr.write("here");
           for await (const _ of process.stdin);
         }
         const { later } = await import("./later.js");
         console.log(JSON.stringify({ text, later, foreign, here, where: where() }));
       }`,
    );
  }

  /** As `tsc -b` does: the package's and the command's note are written last. */
  compile(text: string): void {
    this.emit(text);
    this.touch("packages/crypto");
    this.touch("apps/cli");
  }

  touch(folder: string): void {
    const note = join(this.root, folder, "tsconfig.tsbuildinfo");
    writeFileSync(note, "{}");
    this.#builds++;
    utimesSync(note, 1_700_000_000, 1_700_000_000 + this.#builds);
  }

  run(bin = this.bin): Record<string, string> {
    const { stdout, stderr } = spawnSync(process.execPath, [bin], { encoding: "utf8" });
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  }

  /** Where the bundle lies that is named. */
  current(): string {
    return join(this.bundles, JSON.parse(readFileSync(join(this.bundles, "current.json"), "utf8")).folder);
  }
}

describe("a command", () => {
  test("runs the bundle while it is of the build, and the build after one without a bundle", async () => {
    const project = new Project();
    expect(project.run().text).toBe("first");
    expect(await bundle(project.root)).toBe(true);
    expect(await bundle(project.root)).toBe(false);
    // Nobody changes files of a build like this: it shows which of the two runs.
    project.emit("second");
    expect(project.run()).toMatchObject({ text: "first", later: "first" });
    for (const folder of ["packages/crypto", "apps/cli"]) {
      project.touch(folder);
      expect(project.run()).toMatchObject({ text: "second", later: "second" });
      expect(await bundle(project.root)).toBe(true);
      project.emit("third");
      expect(project.run().text).toBe("second");
      project.emit("second");
    }
    rmSync(join(project.root, "packages/crypto/tsconfig.tsbuildinfo"));
    project.emit("third");
    expect(project.run().text).toBe("third");
  });

  test("runs the build after a package that is in the bundle was installed again", async () => {
    const project = new Project();
    await bundle(project.root);
    expect(project.run().foreign).toBe("foreign 1");
    project.install("foreign 20");
    expect(project.run().foreign).toBe("foreign 20");
    expect(await bundle(project.root)).toBe(true);
    expect(project.run().foreign).toBe("foreign 20");
  });

  test("finds modules of the bundle at the addresses that they have outside it", async () => {
    const project = new Project();
    const without = project.run();
    expect(without.here).toMatch(/dist\/main\.js$/);
    await bundle(project.root);
    project.emit("second");
    expect(project.run()).toEqual({ ...without, text: "first" });
  });

  test("as it is published, without notes of a build, is the bundle", async () => {
    const project = new Project();
    await bundle(project.root);
    const scope = join(temporary(), "node_modules", "@chartseal");
    for (const [from, name] of [
      ["apps/cli", "cli"],
      ["packages/crypto", "crypto"],
    ] as const) {
      cpSync(join(project.root, from), join(scope, name), { recursive: true });
      rmSync(join(scope, name, "tsconfig.tsbuildinfo"));
    }
    rmSync(join(scope, "cli", "dist", "later.js"));
    const found = project.run(join(scope, "cli", "bin", "chartseal.js"));
    expect(found).toMatchObject({
      text: "first",
      later: "first",
      here: pathToFileURL(join(scope, "cli", "dist", "main.js")).href,
      where: pathToFileURL(join(scope, "crypto", "dist", "index.js")).href,
    });
    const { files } = JSON.parse(readFileSync(join(root, "apps/cli/package.json"), "utf8"));
    expect(files).toEqual(["bin", "dist"]);
  });
});

describe("a bundle that is not whole", () => {
  test("is not taken where it is not named yet, and is made again where a part of it is gone", async () => {
    const project = new Project();
    await bundle(project.root);
    project.emit("second");
    const named = join(project.bundles, "current.json");
    renameSync(named, `${named}.away`);
    expect(project.run().text).toBe("second");
    writeFileSync(named, readFileSync(`${named}.away`, "utf8").slice(0, 30));
    expect(project.run().text).toBe("second");
    renameSync(`${named}.away`, named);
    project.emit("first");
    const [part] = readdirSync(project.current()).filter((name) => name.startsWith("later-"));
    rmSync(join(project.current(), part!));
    expect(await bundle(project.root)).toBe(true);
    expect(existsSync(join(project.current(), part!))).toBe(true);
    expect(project.run()).toMatchObject({ text: "first", later: "first" });
  });

  test("is never met by commands that start while others are made, nor by one that still runs", async () => {
    const project = new Project();
    await bundle(project.root);
    const running = spawn(process.execPath, [project.bin, "wait"]);
    const said = textOf(running);
    await once(running.stderr, "data");
    project.compile("second");
    const stop = new AbortController();
    const loop = (async () => {
      const seen: Record<string, string>[] = [];
      while (!stop.signal.aborted) seen.push(await textOf(spawn(process.execPath, [project.bin])));
      return seen;
    })();
    await bundle(project.root);
    stop.abort();
    running.stdin.end();
    expect(await said).toMatchObject({ text: "first", later: "first" });
    for (const { text, later } of await loop) expect([text, later]).toEqual(["second", "second"]);
    project.compile("third");
    await bundle(project.root);
    expect(readdirSync(project.bundles).filter((name) => name !== "current.json")).toHaveLength(2);
  });
});

/** What a command says that runs beside this process. */
async function textOf(child: ChildProcess): Promise<Record<string, string>> {
  const parts: Buffer[] = [];
  child.stdout?.on("data", (data: Buffer) => parts.push(data));
  await once(child, "close");
  return JSON.parse(Buffer.concat(parts).toString());
}
