/** The command line's entry: parses, runs one command, turns every failure into one line and an exit code. */

import { ChartsealError } from "@chartseal/crypto";
import { CommanderError } from "commander";
import { reportFailure } from "./output.ts";
import { createProgram } from "./program.ts";
import { closePlaces } from "./services/places.ts";

/** True where the arguments ask for JSON, before they were parsed: failures of parsing honour it too. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}

/** Help or the version: with --json one value like everything else on standard output. */
function show(text: string, { code }: CommanderError, json: boolean): void {
  const value = code === "commander.version" ? { version: text.trim() } : { help: text };
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : text);
}

/** Runs a command line; sets the process' exit code and never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  let lost: Error | undefined;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // The reader of a pipe went away: nothing more can be said to it.
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    // What was printed is lost, on a full disk for example: no success, whatever the command did.
    lost ??= error;
    process.exitCode ||= reportFailure(error, false);
  });
  let text = "";
  const program = createProgram((shown) => {
    text += shown;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return show(text, error, wantsJson(argv));
      const message =
        error.code === "commander.help" ? "a command is missing" : error.message.replace(/^error: /, "");
      const usage = new ChartsealError("input-invalid", message, { hint: "Run chartseal --help." });
      process.exitCode = reportFailure(usage, wantsJson(argv));
      return;
    }
    // A writer that waited for its bytes hears of the loss as well: it is told once.
    if (error !== lost) process.exitCode = reportFailure(error, wantsJson(argv));
  } finally {
    closePlaces();
  }
}
