// The root tasks, once dependencies are there and Node is ours (with-install.mjs). What the tools of a build print goes to
// standard error; standard output belongs to the task.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";
import { playFaults } from "./faults.mjs";
import { findTool } from "./tools.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, "node_modules", ".bin", name);
const chartseal = join(root, "apps", "cli", "bin", "chartseal.js");

/** The exit status; a tool that cannot start is a defect and throws. */
function status(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

function run(command, args, options) {
  const code = status(command, args, options);
  if (code !== 0) process.exit(code);
}

/** Incremental: nothing to do takes about a second. The command's bundle is made where the build is newer than it. */
async function build() {
  run(bin("tsc"), ["-b"], { stdio: ["ignore", 2, 2] });
  await bundle();
}

/** Every test file whose rounds CHARTSEAL_FUZZ sets (test/fuzz-rounds.ts), by path. */
function fuzzFiles() {
  const parents = ["packages", "apps", "bench", "test"];
  return parents
    .flatMap((parent) =>
      readdirSync(join(root, parent), { recursive: true }).map((path) => join(parent, path)),
    )
    .filter((path) => /^(?!.*node_modules).*\.test\.ts$/.test(path))
    .filter((path) => readFileSync(join(root, path), "utf8").includes("fuzz-rounds.ts"))
    .sort();
}

const dayMs = 86_400_000;

/** One file after the other, each in a runner of its own, so that hours of work show where they are. */
function fuzz(filters) {
  const rounds = process.env.CHARTSEAL_FUZZ ?? "1000000";
  const env = { ...process.env, CHARTSEAL_FUZZ: rounds };
  const files = fuzzFiles().filter(
    (path) => filters.length === 0 || filters.some((filter) => path.includes(filter)),
  );
  const failed = [];
  const started = Date.now();
  const minutes = () => ((Date.now() - started) / 60_000).toFixed(1);
  process.stderr.write(`fuzz: ${files.length} files, ${rounds} rounds a decoder\n`);
  for (const [index, path] of files.entries()) {
    process.stderr.write(`fuzz: ${index + 1} of ${files.length}, after ${minutes()} min: ${path}\n`);
    if (status(bin("vitest"), ["run", "--reporter=verbose", `--testTimeout=${dayMs}`, path], { env }) !== 0)
      failed.push(path);
  }
  const names = failed.map((path) => `: ${path}`).join("");
  process.stdout.write(
    `fuzz: ${files.length - failed.length} passed, ${failed.length} failed, ${minutes()} min${names}\n`,
  );
  process.exitCode = files.length === 0 || failed.length > 0 ? 1 : 0;
}

/** The environment with the paths of those tools, brought if need be (scripts/tools.mjs, lab/src/programs.ts). */
function withTools(...names) {
  const env = { ...process.env };
  for (const name of names) {
    const tool = findTool(name);
    if (tool.path === undefined) process.stderr.write(`chartseal: ${tool.reason}\n`);
    else env[`CHARTSEAL_TOOL_${name.toUpperCase()}`] = tool.path;
  }
  return env;
}

const [task, ...rest] = process.argv.slice(2);
const tasks = {
  build,
  demo: async () => {
    await build();
    const env = rest.includes("--clouds") ? withTools("versitygw", "ftps") : { ...process.env };
    if (rest.some((one) => one.endsWith("comet")) && env.CHARTSEAL_COMETBFT === undefined) {
      const found = withTools("cometbft").CHARTSEAL_TOOL_COMETBFT;
      if (found !== undefined) env.CHARTSEAL_COMETBFT = found;
    }
    run(process.execPath, [chartseal, "demo", ...rest], { env });
  },
  // Transcripts and acceptance tests run the command line as users do, from its build.
  test: async () => {
    await build();
    run(bin("vitest"), ["run", ...rest]);
  },
  check: async () => {
    await build();
    run(bin("tsc"), ["-p", "tsconfig.tests.json"]);
    run(bin("biome"), ["check", "."]);
  },
  bench: async () => {
    await build();
    const needed = { provider: "versitygw", consortium: "cometbft" };
    const names = rest.filter((name) => Object.hasOwn(needed, name)).map((name) => needed[name]);
    const env = names.length > 0 ? withTools(...names) : process.env;
    run(process.execPath, [chartseal, "bench", ...rest], { env });
  },
  fuzz: () => fuzz(rest),
  // Long: faults of the CometBFT engine, with a result that is kept (scripts/faults.mjs).
  "test:faults": () => playFaults(rest),
};
if (!Object.hasOwn(tasks, task)) {
  process.stderr.write(`chartseal: no task ${task}; one of ${Object.keys(tasks).join(", ")}\n`);
  process.exit(2);
}
await tasks[task]();
