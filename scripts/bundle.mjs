// The command's bundle: apps/cli/dist/main.js with everything of ours that it loads, and those packages of others that
// every start needs, in a few files instead of some 640 (docs/decisions/command-bundle.md). apps/cli/bin/bundle.js takes
// it where it is of the build that lies there.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isFresh, readBundle, stateOf } from "../apps/cli/bin/bundle.js";

const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Packages of others that go into the bundle: those that every start or nearly every command loads, without native parts
 * or files beside them. Nothing that stays outside may load one of them too (apps/cli/test/bundle.test.ts).
 */
export const inlined = [
  "@hpke/common",
  "@hpke/core",
  "@noble/hashes",
  "@scure/base",
  "@scure/bip39",
  "cborg",
  "commander",
  "mcl-wasm",
];

/** The package that a specifier names: `@a/b/c` is of `@a/b`. */
export const packageOf = (specifier) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

const isOurs = (specifier) => specifier.startsWith("@chartseal/") || specifier.startsWith("#");

/** Ours all go in and stay lazy where they were, so that no class or state of ours exists twice. */
function isExternal(specifier) {
  if (specifier.startsWith(".") || specifier.startsWith("/") || /^[A-Za-z]:/.test(specifier)) return false;
  return isBuiltin(specifier) || !(isOurs(specifier) || inlined.includes(packageOf(specifier)));
}

/** Our packages: name → folder, with symlinks resolved as module resolution does. */
function workspaces(root) {
  const patterns = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).workspaces;
  const folders = patterns.flatMap((pattern) => {
    if (!pattern.endsWith("/*")) return [join(root, pattern)];
    const parent = join(root, pattern.slice(0, -2));
    return readdirSync(parent).map((name) => join(parent, name));
  });
  return new Map(
    folders
      .filter((folder) => existsSync(join(folder, "package.json")))
      .map((folder) => [
        JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name,
        realpathSync(folder),
      ]),
  );
}

const posix = (path) => path.split(sep).join("/");

/**
 * Each module of ours keeps the address that it had before it went into the bundle: beside the bundle for the command's
 * own, else where Node finds the package, which is another place in an installed one than here.
 */
function addresses(packages, cli) {
  return (code, id) => {
    const owner = [...packages].find(([, folder]) => id.startsWith(folder + sep));
    if (owner === undefined || !code.includes("import.meta.url")) return null;
    const [name, folder] = owner;
    const path = posix(relative(join(folder, "dist"), id));
    const from = folder === cli ? "import.meta.url" : `import.meta.resolve(${JSON.stringify(name)})`;
    const address = JSON.stringify(`${folder === cli ? "../../" : "./"}${path}`);
    return {
      code: code.replaceAll(/\bimport\.meta\.url\b/g, `new URL(${address}, ${from}).href`),
      map: null,
    };
  };
}

/**
 * mcl-wasm turns its WebAssembly module from base64 into bytes one character at a time, in 80 ms of the 100 that a command
 * waits for the pairing; Node's own decoder gives the same bytes in one.
 */
const slowDecoding = "Uint8Array.from(atob(wasmBase64), function (c) { return c.charCodeAt(0); })";

function withNodesDecoder(id) {
  const code = readFileSync(id, "utf8");
  if (!code.includes(slowDecoding)) throw new Error(`${id} is not the one that scripts/bundle.mjs knows`);
  return code.replace(slowDecoding, () => 'Buffer.from(wasmBase64, "base64")');
}

/** The plug-in that reads our modules: with their source maps, so that a trace leads to the sources, and addresses. */
function reading(packages, cli) {
  const transform = addresses(packages, cli);
  return {
    name: "chartseal",
    load(id) {
      if (/[\\/]mcl-wasm[\\/]dist[\\/]mcl_c\.js$/.test(id)) return { code: withNodesDecoder(id), map: null };
      if (!existsSync(`${id}.map`)) return null;
      const code = readFileSync(id, "utf8").replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
      return { code, map: readFileSync(`${id}.map`, "utf8") };
    },
    transform,
  };
}

/** Loaded at once whatever is imported lazily elsewhere: no defect, and every other warning is one. */
const harmless = new Set(["INEFFECTIVE_DYNAMIC_IMPORT"]);

function onLog(_level, log) {
  if (!harmless.has(log.code)) throw new Error(`the bundler warns: ${log.message}`);
}

/** The modules that every start loads. */
function startOf(output) {
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]));
  const loaded = new Set(["main.js"]);
  for (const name of loaded) {
    for (const other of chunks.get(name).imports) if (chunks.has(other)) loaded.add(other);
  }
  return new Set([...loaded].flatMap((name) => chunks.get(name).moduleIds));
}

/** A text of ASCII is read in half the memory and less time; in raw templates alone an escape is something else. */
function ascii(code) {
  if (code.includes("String.raw")) return code;
  return code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * The bundle's chunks and source maps; nothing is written. Twice, since the first tells what a start loads: that becomes
 * one file, and what is loaded later stays apart.
 */
export async function bundleOf(root = projectRoot) {
  const { rolldown } = await import("rolldown");
  const cli = realpathSync(join(root, "apps", "cli"));
  const made = await rolldown({
    input: { main: join(cli, "dist", "main.js") },
    cwd: root,
    platform: "node",
    external: isExternal,
    plugins: [reading(workspaces(root), cli)],
    // How long ours takes beside the bundler's own work hangs on what else the machine does: no defect of the bundle.
    checks: { bundlerTimings: false },
    onLog,
  });
  try {
    const start = startOf((await made.generate({ format: "esm" })).output);
    const { output } = await made.generate({
      // As deep as it will lie, for the paths in the source maps.
      dir: join(cli, "dist", "bundle", "made"),
      format: "esm",
      comments: false,
      sourcemap: true,
      chunkFileNames: "[name]-[hash].js",
      codeSplitting: { groups: [{ name: "start", test: (id) => start.has(id) }] },
    });
    return output;
  } finally {
    await made.close();
  }
}

/** The folders of packages of others that are in the chunks. */
function foreign(chunks) {
  const found = chunks
    .flatMap(({ moduleIds = [] }) => moduleIds)
    .map((id) => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0]);
  return [...new Set(found)].filter((folder) => folder !== undefined).sort();
}

/** Their licences ask that they go where the code goes. */
function licences(folders) {
  const texts = folders.map((folder) => {
    const { name, version, license, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    const text =
      file === undefined
        ? `${license}, ${author?.name ?? author}`
        : readFileSync(join(folder, file), "utf8").trim();
    return `${name} ${version}\n\n${text}\n`;
  });
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}

function filesOf(output) {
  const files = output.map((file) => [file.fileName, file.type === "chunk" ? ascii(file.code) : file.source]);
  return new Map([...files, ["licences.txt", licences(foreign(output))]]);
}

/** A folder of this name is being filled; after an hour, it was left by a build that was killed. */
const unfinished = ".new-";
const hourMs = 3_600_000;

/** Writes a file that is never seen half. */
function replaceFile(path, text) {
  const made = join(dirname(path), `${unfinished}${process.pid}.json`);
  writeFileSync(made, text);
  renameSync(made, path);
}

/** Writes the files under their own hash as a name: a folder of that name is whole, or was damaged and is put aside. */
function writeFiles(parent, files) {
  const hash = createHash("sha256");
  for (const [name, text] of files) hash.update(`${name}\0${text}\0`);
  const folder = hash.digest("hex").slice(0, 16);
  const place = join(parent, folder);
  if (![...files.keys()].every((name) => existsSync(join(place, name)))) {
    const made = join(parent, `${unfinished}${process.pid}`);
    mkdirSync(made);
    for (const [name, text] of files) writeFileSync(join(made, name), text);
    rmSync(place, { recursive: true, force: true });
    renameSync(made, place);
  }
  return folder;
}

/** What the bundle is made of, as it lies before it is read: TypeScript's notes of its builds, packages of others, this. */
function statesOf(root, cli) {
  const notes = [...workspaces(root).values()].map((folder) => join(folder, "tsconfig.tsbuildinfo"));
  const manifests = inlined.map((name) => join(root, "node_modules", name, "package.json"));
  const script = join(root, "scripts", "bundle.mjs");
  const states = [...notes, ...manifests, script].map((path) => [posix(relative(cli, path)), stateOf(path)]);
  return Object.fromEntries(states.filter(([, state]) => state !== null));
}

/**
 * Makes the bundle where that of the last time is not of this build any more. A command that starts meanwhile takes the
 * old one or the build: the new one is written beside it and then named in one file, which is replaced at once. The one
 * before stays, for commands that run and have yet to load a part of it.
 */
export async function bundle(root = projectRoot) {
  const cli = realpathSync(join(root, "apps", "cli"));
  const home = pathToFileURL(cli + sep);
  const parent = join(cli, "dist", "bundle");
  const before = readBundle(home);
  const isWhole = before?.files.every((name) => existsSync(join(parent, before.folder, name)));
  if (isWhole && isFresh(before, home)) return false;
  const madeOf = statesOf(root, cli);
  const files = filesOf(await bundleOf(root));
  mkdirSync(parent, { recursive: true });
  const folder = writeFiles(parent, files);
  replaceFile(join(parent, "current.json"), JSON.stringify({ folder, madeOf, files: [...files.keys()] }));
  tidyUp(parent, new Set(["current.json", folder, before?.folder]));
  return true;
}

function tidyUp(parent, kept) {
  for (const name of readdirSync(parent).filter((one) => !kept.has(one))) {
    const path = join(parent, name);
    const [timeMs] = stateOf(path) ?? [Date.now()];
    if (name.startsWith(".") && Date.now() - timeMs < hourMs) continue;
    rmSync(path, { recursive: true, force: true });
  }
}
