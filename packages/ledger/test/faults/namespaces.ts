/**
 * Network namespaces of Linux, one for each member of a network, joined by a bridge; a second bridge takes those that are cut
 * off from the others. Made and removed with `ip`, as root. Neither bridge has an address: nothing outside reaches them.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const prefixBits = 24;

function ip(...args: string[]): void {
  const { status, stderr, error } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

export class Namespaces {
  readonly count: number;
  /** Of this process alone, so that two runs do not meet. */
  readonly #prefix = `cs${process.pid}`;
  readonly #removeAtExit = () => this.remove();

  constructor(count: number) {
    this.count = count;
    removeLeftOver();
    process.once("exit", this.#removeAtExit);
    try {
      for (const side of ["a", "b"]) {
        ip("link", "add", this.#bridge(side), "type", "bridge", "forward_delay", "0");
        ip("link", "set", this.#bridge(side), "up");
      }
      for (let at = 0; at < count; at++) this.#add(at);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #bridge(side: string): string {
    return `${this.#prefix}${side}`;
  }

  /** The end of a member's cable that is in its bridge. */
  #plug(at: number): string {
    return `${this.#prefix}p${at}`;
  }

  name(at: number): string {
    return `${this.#prefix}n${at}`;
  }

  address(at: number): string {
    return `10.213.0.${at + 1}`;
  }

  #add(at: number): void {
    const name = this.name(at);
    ip("netns", "add", name);
    ip("link", "add", this.#plug(at), "type", "veth", "peer", "name", "eth0", "netns", name);
    ip("link", "set", this.#plug(at), "master", this.#bridge("a"), "up");
    ip("-n", name, "addr", "add", `${this.address(at)}/${prefixBits}`, "dev", "eth0");
    for (const device of ["lo", "eth0"]) ip("-n", name, "link", "set", device, "up");
  }

  /** From now on no packet goes between these members and the others; connections are not closed, they hear nothing. */
  cut(members: readonly number[]): void {
    for (let at = 0; at < this.count; at++) {
      ip("link", "set", this.#plug(at), "master", this.#bridge(members.includes(at) ? "b" : "a"));
    }
  }

  heal(): void {
    this.cut([]);
  }

  /** Also what is left of a half made one. */
  remove(): void {
    process.off("exit", this.#removeAtExit);
    for (let at = 0; at < this.count; at++) {
      spawnSync("ip", ["link", "del", this.#plug(at)]);
      spawnSync("ip", ["netns", "del", this.name(at)]);
    }
    for (const side of ["a", "b"]) spawnSync("ip", ["link", "del", this.#bridge(side)]);
  }
}

/** What a process left that was killed before it could remove its own. */
function removeLeftOver(): void {
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  for (const [name, pid, at] of stdout.matchAll(/^cs(\d+)n(\d+)/gm)) {
    if (existsSync(`/proc/${pid}`)) continue;
    spawnSync("ip", ["link", "del", `cs${pid}p${at}`]);
    spawnSync("ip", ["netns", "del", name]);
    for (const side of ["a", "b"]) spawnSync("ip", ["link", "del", `cs${pid}${side}`]);
  }
}
