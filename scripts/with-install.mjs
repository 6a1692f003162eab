// Runs a root script on a machine that has only npm: installs what the lockfile names if it is missing, then goes on
// under the project's own Node 24 (node_modules/.bin/node), so that the host's Node version never decides a result.
// Plain JavaScript for any Node >= 20, nothing imported from node_modules.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");
const stamp = join(root, "node_modules", ".chartseal-installed");
const env = { ...process.env, PATH: bin + delimiter + (process.env.PATH ?? "") };
const run = (command, args, options = {}) => {
  const result = spawnSync(command, args, { cwd: root, env, stdio: "inherit", ...options });
  if (result.error) {
    console.error(`chartseal: cannot start ${command}: ${result.error.message}`);
    process.exit(5);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
};

const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
  // `npm ci` refuses a lockfile that lacks an optional package of some other platform, which a registry mirror may not
  // have; `install --no-save` takes the same versions by the same hashes and writes no lockfile. Its output goes to
  // standard error: standard output belongs to the command (`demo -- --json`).
  const quiet = ["--no-fund", "--no-audit", "--loglevel=error"];
  run("npm", ["install", "--no-save", "--ignore-scripts", ...quiet], { stdio: ["ignore", 2, 2] });
  writeFileSync(stamp, lock);
}
const [task, ...rest] = process.argv.slice(2);
if (task !== undefined) run("node", [join(root, "scripts", "tasks.mjs"), task, ...rest]);
