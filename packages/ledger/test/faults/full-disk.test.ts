/**
 * The disk of one of four nodes is full: its folder lies on a small file system of its own, which is filled up while
 * transactions go on. That node stops and does not answer as if nothing were; the others go on; with room again it comes back.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { CometNetwork } from "../comet-network.ts";
import { testFault } from "./play.ts";
import { draw, faultRules, ToyNetwork } from "./toy-network.ts";

const victim = 3;
const diskMegabytes = 64;
const endMsMax = 30_000;

function system(program: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
}

class SmallDiskNetwork extends ToyNetwork {
  static override async make(program: string): Promise<SmallDiskNetwork> {
    const root = mkdtempSync(join(tmpdir(), "chartseal-disk-"));
    const disk = join(root, `node-${victim}`);
    mkdirSync(disk);
    system("mount", "-t", "tmpfs", "-o", `size=${diskMegabytes}m`, "chartseal-test", disk);
    const network = new SmallDiskNetwork(await CometNetwork.make({ program, root, ...faultRules() }));
    try {
      await network.comet.allUp();
      return network;
    } catch (error) {
      await network.dispose();
      throw error;
    }
  }

  get #filler(): string {
    return join(this.comet.members[victim]!.directory, "filler");
  }

  /** Takes what room there is, to the last byte. */
  fill(): void {
    const file = openSync(this.#filler, "w");
    try {
      for (const size of [1 << 20, 1 << 12, 1]) {
        const block = new Uint8Array(size);
        try {
          for (;;) writeSync(file, block);
        } catch (error) {
          expect(error).toMatchObject({ code: "ENOSPC" });
        }
      }
    } finally {
      closeSync(file);
    }
  }

  clear(): void {
    rmSync(this.#filler, { force: true });
  }

  override async dispose(): Promise<void> {
    this.clear();
    const { directory } = this.comet.members[victim]!;
    for (const at of this.comet.members.keys()) await this.comet.down(at);
    system("umount", directory);
    await this.comet.dispose();
  }
}

testFault({
  name: "full-disk",
  what: "a node's disk is full",
  needsRoot: true,
  make: (program: string) => SmallDiskNetwork.make(program),
  async round(network, random, _, sent) {
    const { comet } = network;
    const member = comet.members[victim]!;
    const other = draw(random, victim);
    const submits = sent.submitMany(network.ledger(other), 3);
    await sleep(random() * 150);
    network.fill();
    expect(await submits).toBe(3);
    const blocks = async () => {
      for (let block = 0; block < 4; block++) expect(await sent.submit(network.ledger(other))).toBe(true);
    };
    await blocks();
    expect(await Promise.race([member.node!.ended, sleep(endMsMax)])).toBeDefined();
    // It says why, and what it holds is no more than it held; the others go on without it.
    expect(member.failures.length).toBeGreaterThan(0);
    for (const failure of member.failures) expect(failure).toMatchObject({ code: "ledger-unreachable" });
    await blocks();
    network.clear();
    await comet.down(victim);
    await comet.up(victim);
    await comet.ready(victim);
    member.failures.length = 0;
  },
});
