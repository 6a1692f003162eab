/** Migrates a home, and ends itself by SIGKILL at a stage; without one, says that it begins and lets itself be killed. */
import { writeSync } from "node:fs";
import { migrateEmbedded } from "../src/embedded/index.ts";
import { toyRules } from "./toy-rules.ts";

const [directory, last] = process.argv.slice(2) as [string, string | undefined];
writeSync(1, "begins\n");
await migrateEmbedded({
  directory,
  rulesOf: toyRules,
  stage: (stage) => {
    if (stage === last) process.kill(process.pid, "SIGKILL");
  },
});
