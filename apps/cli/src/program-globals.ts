/** The global options, as every command sees them. */
import type { Command } from "commander";
import { createOutput, type Output } from "./output.ts";

/** What every command can ask of the global options. */
export interface Globals {
  readonly home: string | undefined;
  readonly passphraseFile: string | undefined;
  /** Of the passphrase of a member's keys, where that is another than the home's. */
  readonly memberPassphraseFile: string | undefined;
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
    memberPassphraseFile?: string;
    wait: number;
  }>();
  return {
    home: options.home,
    passphraseFile: options.passphraseFile,
    memberPassphraseFile: options.memberPassphraseFile,
    waitMs: options.wait * 1000,
    output: createOutput(options.json === true),
  };
}
