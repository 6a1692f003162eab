/** A server's process: its end is awaited, and it never outlives this one. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";

export class Child {
  readonly #process: ChildProcess;
  readonly #onExit = (): void => void this.#process.kill("SIGKILL");

  /** What it says goes to the file. */
  constructor(program: string, args: readonly string[], options: SpawnOptions & { readonly log: string }) {
    const { log, ...rest } = options;
    const file = openSync(log, "a");
    this.#process = spawn(program, args, { ...rest, stdio: ["ignore", file, file] });
    closeSync(file);
    // An error here is a program that cannot be started: `hasEnded` says so.
    this.#process.on("error", () => {});
    process.once("exit", this.#onExit);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get hasEnded(): boolean {
    return (
      this.#process.pid === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null
    );
  }

  /** Resolves when it has ended. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    process.off("exit", this.#onExit);
    if (this.hasEnded) return;
    const ended = once(this.#process, "exit");
    this.#process.kill(signal);
    await ended;
  }
}
