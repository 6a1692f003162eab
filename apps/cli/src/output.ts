/**
 * What a command shows. With `--json` standard output is exactly one JSON value (or one a line for lists) and nothing
 * else; without it, sentences for people. Progress and notes always go to standard error (CONTRACT, Command line).
 */
import { isatty } from "node:tty";
import { ChartsealError, type ErrorFamily, errorCodes } from "@chartseal/crypto";

/** Exit code of each family of errors (CONTRACT, Exit codes). */
export const exitCodes: Readonly<Record<ErrorFamily, number>> = {
  defect: 1,
  usage: 2,
  refused: 3,
  integrity: 4,
  unavailable: 5,
};

function replaceBytes(_key: string, value: unknown): unknown {
  if (typeof value === "bigint")
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return value;
}

export interface Output {
  readonly json: boolean;
  /** The command's one value; `text` is what a person sees instead. */
  value(value: unknown, text: string): void;
  /** A list: one JSON value a line, or one line of text each. */
  line(value: unknown, text: string): void;
  /** A remark for people, on standard error; silent with --json unless it is a warning. */
  note(text: string): void;
  warn(text: string): void;
  /** What must be seen whatever the form of the output is: on standard error. */
  notice(text: string): void;
}

export function createOutput(json: boolean): Output {
  const out = (text: string): void => void process.stdout.write(`${text}\n`);
  return {
    json,
    value: (value, text) => out(json ? JSON.stringify(value, replaceBytes) : text),
    line: (value, text) => out(json ? JSON.stringify(value, replaceBytes) : text),
    note: (text) => {
      if (!json) process.stderr.write(`${text}\n`);
    },
    notice: (text) => void process.stderr.write(`${text}\n`),
    warn: (text) => void process.stderr.write(`chartseal: warning: ${text}\n`),
  };
}

/** "1 record", "2 records". */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** True where colour and moving progress suit: a terminal that did not ask for plain text. */
export function isLively(): boolean {
  return isatty(2) && process.env.NO_COLOR === undefined && process.env.TERM !== "dumb";
}

/** What the system says of a name or a place that it cannot use, and what that means. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "This user may not.",
  EPERM: "This user may not.",
  EROFS: "What it lies on is read-only.",
  ENAMETOOLONG: "The name is too long.",
  ELOOP: "Its links lead round in a circle.",
  EISDIR: "It is a folder.",
  ENOTDIR: "A part of the path is no folder.",
  EFBIG: "It would become larger than a file may here.",
};

/** Any thrown thing as a Chartseal error; what is not ours is a defect, or the system's refusal of a file. */
export function asChartsealError(error: unknown): ChartsealError {
  if (error instanceof ChartsealError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new ChartsealError("provider-unreachable", "no space is left on the device", { cause: error });
  }
  const hint = reasons[code];
  if (hint !== undefined) {
    return new ChartsealError("input-invalid", "a file or folder cannot be read or written", {
      hint,
      cause: error,
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ChartsealError("defect", `unexpected: ${message}`, { cause: error });
}

/** The failure's line on standard error, which also a command prints that has a value of its own. @returns the exit code */
export function failureLine(error: ChartsealError): number {
  const sentence = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
  process.stderr.write(`chartseal: ${error.code}: ${sentence.replaceAll(/\s*\n\s*/g, " ")}\n`);
  if (process.env.CHARTSEAL_DEBUG === "1")
    process.stderr.write(`${error.stack}\n${String((error.cause as Error)?.stack ?? "")}\n`);
  return exitCodes[errorCodes[error.code][0]];
}

/** A failure as JSON has it, under `error`. */
export function failureBody({ code, message, data, hint }: ChartsealError): Record<string, unknown> {
  return { ...data, ...(hint === undefined ? {} : { hint }), code, message };
}

/** Prints a failure as CONTRACT asks and returns the exit code. */
export function reportFailure(thrown: unknown, json: boolean): number {
  const error = asChartsealError(thrown);
  const exitCode = failureLine(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: failureBody(error) }, replaceBytes)}\n`);
  return exitCode;
}
