/** A CometBFT node as a process: begun with its folder, stopped by its id. Its log goes to `node.log` in that folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

export interface CometNode {
  readonly pid: number;
  /** Resolves when the process has ended, with what ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Asks it to end, and makes it after a time. */
  stop(): Promise<void>;
  /** Ends it at once, as a power cut would. */
  kill(): Promise<void>;
}

const stopMsMax = 10_000;

export function startNode(options: {
  readonly program: string;
  readonly directory: string;
  readonly abciPort: number;
}): CometNode {
  const log = openSync(join(options.directory, "node.log"), "a", 0o600);
  const args = ["start", "--home", options.directory, "--proxy_app", `tcp://127.0.0.1:${options.abciPort}`];
  const child: ChildProcess = spawn(options.program, args, { stdio: ["ignore", log, log] });
  closeSync(log);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("error", () => resolve(-1));
    child.once("exit", (code, signal) => resolve(code ?? signal ?? -1));
  });
  return {
    pid: child.pid ?? 0,
    ended,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
      await ended;
      clearTimeout(timer);
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
