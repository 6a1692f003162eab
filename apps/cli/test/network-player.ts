/** Plays commands on a network of institutions in `four` of a folder, by the built command line as its operators use it. */
import { expect } from "vitest";
import { runShell } from "./transcript.ts";

const timeoutMs = 300_000;

/** A command that must work, at the home of that institution; its one JSON value. */
export function networkPlayer(
  folder: string,
  environment: Readonly<Record<string, string>>,
): (line: string, home?: number) => Record<string, never> {
  return (line, home) => {
    const at: Record<string, string> =
      home === undefined ? {} : { CHARTSEAL_HOME: `four/institution-${home}` };
    const ran = runShell(`chartseal ${line} --json`, folder, { ...environment, ...at }, timeoutMs);
    expect(`${line}: ${ran.exitCode} ${ran.exitCode === 0 ? "" : ran.errors}`).toBe(`${line}: 0 `);
    return JSON.parse(ran.output) as Record<string, never>;
  };
}

/** The first of 24 ports for this process: below those that the system gives out by itself. */
export function freePorts(): number {
  return 20_000 + (process.pid % 400) * 24;
}
