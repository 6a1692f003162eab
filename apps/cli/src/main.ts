/** The command line's entry: parses, runs one command, turns every failure into one line and an exit code. */

import { ChartsealError } from "@chartseal/crypto";
import { CommanderError } from "commander";
import { reportFailure } from "./output.ts";
import { createProgram } from "./program.ts";

/** True where the arguments ask for JSON, before they were parsed: failures of parsing honour it too. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}

/** Runs a command line; sets the process' exit code and never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // The reader of a pipe went away: nothing more can be said to it.
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
  });
  try {
    await createProgram().parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return;
      const message = error.message.replace(/^error: /, "");
      const usage = new ChartsealError("input-invalid", message, { hint: "Run chartseal --help." });
      process.exitCode = reportFailure(usage, wantsJson(argv));
      return;
    }
    process.exitCode = reportFailure(error, wantsJson(argv));
  }
}
