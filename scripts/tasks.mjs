// The root tasks, once dependencies are there and Node is ours. Each prints what it runs on standard error.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, "node_modules", ".bin", name);
const run = (command, args, options = {}) => {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
};
const build = () => run(bin("tsc"), ["-b"], { stdio: ["ignore", 2, 2] });
const [task, ...rest] = process.argv.slice(2);
const tasks = {
  build,
  demo: () => {
    build();
    run(process.execPath, [join(root, "apps/cli/bin/chartseal.js"), "demo", ...rest]);
  },
  test: () => {
    build();
    run(bin("vitest"), ["run", ...rest]);
  },
  check: () => {
    build();
    run(bin("tsc"), ["-p", "tsconfig.tests.json"]);
    run(bin("biome"), ["check", "."]);
  },
  bench: () => {
    build();
    run(process.execPath, [join(root, "apps/cli/bin/chartseal.js"), "bench", ...rest]);
  },
  fuzz: () => run(bin("vitest"), ["run", "--dir", "test", "fuzz", ...rest], { env: { ...process.env, CHARTSEAL_FUZZ: "1000000" } }),
};
if (tasks[task] === undefined) {
  process.stderr.write(`chartseal: no task ${task}; one of ${Object.keys(tasks).join(", ")}\n`);
  process.exit(2);
}
tasks[task]();
