/** The command line's shape: global options, and one file in commands/ for each group of commands. */
import { Command, InvalidArgumentError, Option } from "commander";
import { commandGroups } from "./commands/groups.ts";
import { programVersion } from "./program-version.ts";

/** Takes what help pages and the version say. */
export type Show = (text: string) => void;

/** The whole command line. Every subcommand inherits the global options and throws its failures. */
export function createProgram(show: Show = (text) => void process.stdout.write(text)): Command {
  const program = new Command("chartseal")
    .description(
      "Share medical records that no cloud, no single authority and no single hospital can read or alter.",
    )
    .version(programVersion(), "--version", "print the version")
    .option("--home <dir>", "the consortium's folder (default: $CHARTSEAL_HOME, else .chartseal)")
    .option("--json", "print exactly one JSON value on standard output")
    .option("--passphrase-file <file>", "read the passphrase from a file instead of CHARTSEAL_PASSPHRASE")
    .option(
      "--member-passphrase-file <file>",
      "the member's, where it is another than the home's, instead of CHARTSEAL_MEMBER_PASSPHRASE",
    )
    .option("--wait <seconds>", "how long to wait for a home in use", parseSeconds, 30)
    .helpOption("--help", "show help")
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({ writeOut: show, writeErr: () => {}, outputError: () => {} });
  for (const add of commandGroups) add(program);
  for (const command of allCommands(program)) inherit(command, program, show);
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}

/** Global options may stand before or after the command's name. */
function inherit(command: Command, program: Command, show: Show): void {
  command.exitOverride().configureOutput({ writeOut: show, writeErr: () => {}, outputError: () => {} });
  command.helpOption("--help", "show help");
  if (command.commands.length > 0) return;
  for (const option of program.options) {
    if (option.long !== "--version") command.addOption(new Option(option.flags).hideHelp());
  }
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || seconds > 86_400) {
    throw new InvalidArgumentError("a number of seconds from 0 to 86400.");
  }
  return seconds;
}
