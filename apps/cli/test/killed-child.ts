/**
 * A command in a process of its own, which kills itself just before the KILL_AT-th rename: every small file appears by
 * one, keys and folders too, so that is also just after each block and each file that came before.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

let left = Number(process.env.KILL_AT);
const { renameSync } = fs;
fs.renameSync = (from, to) => {
  left--;
  if (left === 0) process.kill(process.pid, "SIGKILL");
  renameSync(from, to);
};
syncBuiltinESMExports();

const { main } = await import("../src/main.ts");
await main(process.argv.slice(2));
