/** Whether a process is seen to run, to have ended, and to have ended while its parent does not wait for it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { isAlive } from "../src/services/process-life.ts";

describe("a process", () => {
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill("SIGKILL");
  });

  function run(...command: readonly [string, ...string[]]): ChildProcess {
    const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "ignore"] });
    started.push(child);
    return child;
  }

  it("runs until it has ended", async () => {
    const child = run(process.execPath, "-e", "setTimeout(() => {}, 60000)");
    await once(child, "spawn");
    expect(isAlive(child.pid!)).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isAlive(child.pid!)).toBe(false);
  });

  it("has ended though its parent never asks for it, where the system tells", async () => {
    // The shell's child ends; what the shell becomes never waits for it.
    const parent = run("sh", "-c", "sleep 1 & echo $!; exec sleep 60");
    const [line] = (await once(parent.stdout!, "data")) as [Buffer];
    const pid = Number(String(line));
    expect(isAlive(pid)).toBe(true);
    const told = process.platform === "linux";
    await expect.poll(() => isAlive(pid), { timeout: 30_000 }).toBe(!told);
    // It is still in the table of processes, which is what it is about.
    expect(() => process.kill(pid, 0)).not.toThrow();
  });
});
