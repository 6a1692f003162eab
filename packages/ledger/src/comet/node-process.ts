/**
 * A CometBFT node as a process: begun with its folder, stopped by its id. Its log goes to `node.log` in that folder, past this
 * process: a node whose consensus has failed (a full disk, a block that is invalid to it alone) says so once in its log, and
 * then lives on and answers its last height for ever. Such a node is ended here, and `failed` learns why.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";

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
/** Where its consensus has failed: such a node mostly does not end when it is asked, and has nothing left to write. */
const failedStopMsMax = 1_000;

export function startNode(options: {
  readonly program: string;
  readonly directory: string;
  /** Where its application listens on loopback, or the name of CometBFT's own example, which runs in the node itself. */
  readonly abciPort: number | "kvstore";
  /** Learns why the node's consensus failed, before the node is ended. */
  readonly failed?: (error: ChartsealError) => void;
}): CometNode {
  const log = openSync(join(options.directory, "node.log"), "a", 0o600);
  const { abciPort } = options;
  const application = abciPort === "kvstore" ? abciPort : `tcp://127.0.0.1:${abciPort}`;
  const args = ["start", "--home", options.directory, "--proxy_app", application];
  const child: ChildProcess = spawn(options.program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("error", () => resolve(-1));
    // Not at its exit: the log is whole, and closed, when its streams are.
    child.once("close", (code, signal) => {
      closeSync(log);
      resolve(code ?? signal ?? -1);
    });
  });
  const stop = async (msMax: number): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), msMax);
    await ended;
    clearTimeout(timer);
  };
  const node: CometNode = {
    pid: child.pid ?? 0,
    ended,
    stop: () => stop(stopMsMax),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
  const watch = consensusWatch((reason) => {
    const data = { reason };
    options.failed?.(
      new ChartsealError("ledger-unreachable", "the CometBFT node's consensus has failed", { data }),
    );
    void stop(failedStopMsMax);
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      appendTo(log, chunk);
      watch(chunk);
    });
  }
  return node;
}

/** A log that cannot be written, as on a full disk, is no reason to stop. */
function appendTo(log: number, chunk: Buffer): void {
  try {
    writeSync(log, chunk);
  } catch {}
}

const failureMark = "CONSENSUS FAILURE!!!";
/** A line holds a stack of the program; what is longer is looked at in part. */
const lineBytesMax = 64 * 1024;

/** Takes a log in chunks; `failed` gets the reason that CometBFT gives where its consensus has failed. */
export function consensusWatch(failed: (reason: string) => void): (chunk: Buffer) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = (lines.pop() ?? "").slice(-lineBytesMax);
    for (const line of lines) if (line.includes(failureMark)) failed(reasonOf(line));
  };
}

function reasonOf(line: string): string {
  try {
    const { err } = JSON.parse(Buffer.from(line, "latin1").toString("utf8")) as { err?: unknown };
    return String(err ?? "");
  } catch {
    return line.slice(0, 1_000);
  }
}
