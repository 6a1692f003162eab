/** The parent's side of a member: a process, asked one thing after another. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Load, Loaded } from "./load.ts";
import type { Answered, Asked } from "./member.ts";
import type { PeerOptions, Side } from "./peers.ts";

const source = fileURLToPath(new URL("./member.ts", import.meta.url));
const closeMsMax = 20_000;
const isSource = import.meta.url.endsWith(".ts");

export class MemberProcess {
  readonly #child: ChildProcess;

  constructor(options: { readonly execArgv?: readonly string[] } = {}) {
    this.#child = fork(isSource ? source : source.replace(/\.ts$/, ".js"), {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [...(isSource ? ["--conditions=chartseal-source"] : []), ...(options.execArgv ?? [])],
    });
  }

  async #ask(asked: Asked): Promise<unknown> {
    this.#child.send(asked);
    const abort = new AbortController();
    const { signal } = abort;
    const ended = once(this.#child, "exit", { signal }).then(() => {
      throw new Error("a member's process ended by itself");
    });
    ended.catch(() => {});
    try {
      const [answered] = (await Promise.race([once(this.#child, "message", { signal }), ended])) as [
        Answered,
      ];
      if ("error" in answered) throw new Error(`a member failed: ${answered.error}`);
      return answered.value;
    } finally {
      abort.abort();
    }
  }

  /** Where its node finds its application. */
  async open(side: Side, options: PeerOptions): Promise<number | "kvstore"> {
    return (await this.#ask({ what: "open", side, options })) as number | "kvstore";
  }

  async connect(): Promise<void> {
    await this.#ask({ what: "connect" });
  }

  async load(load: Load): Promise<Loaded> {
    return (await this.#ask({ what: "load", load })) as Loaded;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    // A ledger waits for what it has under way, which after a failure never comes.
    const late = setTimeout(() => this.#child.kill("SIGKILL"), closeMsMax);
    await this.#ask({ what: "close" }).catch(() => {});
    // It may have ended meanwhile, by itself.
    if (this.#child.connected) this.#child.disconnect();
    await ended;
    clearTimeout(late);
  }
}
