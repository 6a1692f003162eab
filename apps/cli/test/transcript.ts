/**
 * Transcripts of the command line (apps/cli/test/transcripts/*.txt), read, run and compared. A transcript is a page that
 * anyone can read:
 *
 *   # a remark
 *   $ chartseal records --json        a line of shell; the next lines are its standard output, exactly
 *   ! chartseal: home-missing: …      a line of standard error, where the page shows any
 *   = 2                               the exit code, where it is not 0
 *
 * In expected lines `<id>` stands for 64 hex digits, `<account>` for 40, `<n>` for a whole number, `…` for anything on
 * that line; `<NAME:id>` keeps what it matched as the shell variable NAME for the commands below. A line `…` alone stands
 * for any number of lines. Standard error is compared where the page shows it, or else must hold no failure.
 */
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { root } from "../../../test/tidy/tree.ts";

export interface Command {
  readonly line: number;
  readonly shell: string;
  readonly output: readonly string[];
  readonly errors: readonly string[];
  readonly exitCode: number;
}

export interface Ran {
  readonly output: string;
  readonly errors: string;
  readonly exitCode: number | null;
}

export function parseTranscript(text: string): Command[] {
  const commands: Command[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.startsWith("#") || (line === "" && commands.length === 0)) continue;
    if (line.startsWith("$ ")) {
      commands.push({ line: at + 1, shell: line.slice(2), output: [], errors: [], exitCode: 0 });
      continue;
    }
    const last = commands.pop();
    if (last === undefined) throw new Error(`line ${at + 1}: output before the first command`);
    if (line.startsWith("! ")) commands.push({ ...last, errors: [...last.errors, line.slice(2)] });
    else if (/^= \d+$/.test(line)) commands.push({ ...last, exitCode: Number(line.slice(2)) });
    else if (line === "") commands.push(last);
    else commands.push({ ...last, output: [...last.output, line] });
  }
  return commands;
}

const kinds: Readonly<Record<string, string>> = {
  id: "[0-9a-f]{64}",
  account: "[0-9a-f]{40}",
  n: "\\d+",
};

/** An expected line as a pattern; names of what it keeps are its groups. */
export function patternOf(expected: string): RegExp {
  const source = expected.split(/(<(?:[A-Z]+:)?(?:id|account|n)>|…)/).map((part) => {
    if (part === "…") return ".*";
    const placeholder = /^<(?:([A-Z]+):)?(id|account|n)>$/.exec(part);
    if (placeholder === null) return part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const [, name, kind] = placeholder;
    return name === undefined ? kinds[kind!]! : `(?<${name}>${kinds[kind!]!})`;
  });
  return new RegExp(`^${source.join("")}$`);
}

/** Whether the lines are as expected; what the placeholders kept. */
export function compareLines(
  expected: readonly string[],
  lines: readonly string[],
): { readonly same: boolean; readonly kept: Readonly<Record<string, string>> } {
  const kept: Record<string, string> = {};
  const from = (e: number, l: number): boolean => {
    if (e === expected.length) return l === lines.length;
    if (expected[e] === "…") return from(e + 1, l) || (l < lines.length && from(e, l + 1));
    const found = l < lines.length ? patternOf(expected[e]!).exec(lines[l]!) : null;
    if (found === null || !from(e + 1, l + 1)) return false;
    Object.assign(kept, found.groups);
    return true;
  };
  return { same: from(0, 0), kept };
}

/** Hundreds of short processes load the same program. */
const cache = join(tmpdir(), "chartseal-compile-cache");

const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** Runs a line of shell in a folder, with the built `chartseal` first on PATH and this Node.js. */
export function runShell(
  shell: string,
  folder: string,
  environment: Readonly<Record<string, string>> = {},
  /** How long the command may take. */
  timeoutMs = 60_000,
): Ran {
  const path = [join(root, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter);
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("CHARTSEAL_"));
  const { stdout, stderr, status } = spawnSync("bash", ["-c", shell], {
    cwd: folder,
    encoding: "utf8",
    env: {
      ...Object.fromEntries(kept),
      PATH: path,
      CHARTSEAL_HOME: "home",
      NODE_COMPILE_CACHE: cache,
      ...environment,
    },
    input: "",
    maxBuffer: 64 * 1024 * 1024,
    timeout: timeoutMs,
  });
  return { output: stdout, errors: stderr, exitCode: status };
}

/** Plays a transcript; the differences, each with its line. */
export function playTranscript(
  commands: readonly Command[],
  folder: string,
  environment: Readonly<Record<string, string>>,
): string[] {
  const differences: string[] = [];
  const variables: Record<string, string> = { ...environment };
  for (const command of commands) {
    const ran = runShell(command.shell, folder, variables);
    const output = compareLines(command.output, linesOf(ran.output));
    const errors =
      command.errors.length === 0
        ? { same: command.exitCode !== 0 || !/^chartseal: (?!warning)/m.test(ran.errors), kept: {} }
        : compareLines(command.errors, linesOf(ran.errors));
    Object.assign(variables, output.kept, errors.kept);
    if (output.same && errors.same && ran.exitCode === command.exitCode) continue;
    const shown = [`line ${command.line}: ${command.shell}`, ran.output, ran.errors, `= ${ran.exitCode}`];
    differences.push(shown.map((part) => part.replace(/\n$/, "")).join("\n"));
  }
  return differences;
}
