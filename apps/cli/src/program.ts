/** The command line's shape: global options, and one file in commands/ for each group of commands. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { createOutput, type Output } from "./output.ts";

/** What every command can ask of the global options. */
export interface Globals {
  readonly home: string | undefined;
  readonly passphraseFile: string | undefined;
  /** How long a busy home is waited for, in milliseconds. */
  readonly waitMs: number;
  readonly output: Output;
}

/** The global options as the command sees them. */
export function globalsOf(command: Command): Globals {
  const options = command.optsWithGlobals<{
    home?: string;
    json?: boolean;
    passphraseFile?: string;
    wait: number;
  }>();
  return {
    home: options.home,
    passphraseFile: options.passphraseFile,
    waitMs: options.wait * 1000,
    output: createOutput(options.json === true),
  };
}

export function programVersion(): string {
  const file = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { version: string }).version;
}
