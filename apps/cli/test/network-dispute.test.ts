/**
 * A dispute among four institutions, each a server of its own with its own CometBFT node: the provider at institution-1 lies
 * once with its real key, a reader at institution-3 disputes it, and the institutions' servers judge by themselves, one of
 * them being away meanwhile.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { freePorts, networkPlayer } from "./network-player.ts";
import { runShell } from "./transcript.ts";

const folder = mkdtempSync(join(tmpdir(), "chartseal-network-dispute-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const crooked = fileURLToPath(new URL("./crooked-child.ts", import.meta.url));
const all = [1, 2, 3, 4] as const;
/** Seconds, where the machine is idle. */
const judgedMs = 300_000;
const home = (number: number): string => join(folder, `four/institution-${number}`);

interface Line {
  readonly disputeId: string;
  readonly status: string;
  readonly atFault: string | null;
  readonly reader: string;
  readonly readerAccount: string;
  readonly keyId: string;
  readonly keyRetiredHeight: number | null;
  readonly settledHeight: number | null;
  readonly verdicts: readonly { readonly verdict: string | null }[];
}

describeTool("cometbft", "a dispute among institutions", (cometbft) => {
  const environment = { CHARTSEAL_PASSPHRASE: "test", CHARTSEAL_COMETBFT: cometbft };
  const play = networkPlayer(folder, environment);
  /** Institution-1 as `network up` starts it, except that its provider's first answer is another one. */
  function serveCrookedly(): ChildProcess {
    const env = { ...process.env, ...environment, CHARTSEAL_HOME: home(1) };
    return spawn(process.execPath, ["--conditions=chartseal-source", crooked, "serve"], {
      cwd: folder,
      env,
      stdio: "ignore",
    });
  }

  /** What an institution's ledger says, once it says that it is settled. */
  async function settledAt(disputeId: string, number: number): Promise<Line> {
    for (const untilMs = performance.now() + judgedMs; performance.now() < untilMs; ) {
      const line = play(`dispute show ${disputeId}`, number) as unknown as Line;
      if (line.status === "settled") return line;
      await sleep(500);
    }
    throw new Error(`institution-${number} shows no verdict`);
  }

  it("is judged by their servers, stands on every ledger, and the reader goes on with a new key", {
    timeout: 900_000,
  }, async () => {
    play(`network init --validators 4 --out four --base-port ${freePorts()}`);
    const liar = serveCrookedly();
    const ended = new Promise((resolve) => liar.once("close", resolve));
    try {
      play("network up --dir four --only institution-2,institution-3,institution-4");
      while (liar.exitCode === null && !existsSync(join(home(1), "run/server.json"))) await sleep(200);
      const up = play("network up --dir four") as unknown as { institutions: { pid: number }[] };
      expect(up.institutions[0]!.pid).toBe(liar.pid);

      const { proposalId } = play("namespace add cedars", 3);
      for (const voter of [1, 4]) play(`consortium vote ${proposalId}`, voter);
      play("namespace add cedars", 3);
      play("member add amy", 2);
      play("member add clara", 3);
      play("attributes grant clara doctor@cedars", 3);
      writeFileSync(join(folder, "note.txt"), "among four institutions");
      const { recordId } = play("seal note.txt --owner amy --policy doctor@cedars", 2);

      play("network down --dir four --only institution-4");
      const open = `chartseal open ${recordId} --as clara --out read.txt --json`;
      const clara = { ...environment, CHARTSEAL_HOME: home(3) };
      const failed = runShell(open, folder, clara, 300_000);
      expect([failed.exitCode, failed.output]).toEqual([4, expect.stringContaining("transform-invalid")]);
      const opened: Line = play(`dispute open ${recordId} --as clara`, 3) as unknown as Line;
      expect(opened).toMatchObject({ reader: "clara", readerAnswered: true, threshold: 3 });

      // All three that run are needed, the liar's own node among them.
      const line = await settledAt(opened.disputeId, 2);
      expect(line).toMatchObject({ atFault: "provider", providerAnswered: true, reader: line.readerAccount });
      const verdicts = line.verdicts.map(({ verdict }) => verdict);
      expect(verdicts.toSorted()).toEqual([null, "provider", "provider", "provider"]);
      expect(line.keyRetiredHeight).toBe(line.settledHeight);
      // The fourth has caught up when this ends, and knows of the dispute.
      play("network up --dir four");
      // Each has a name for its own members alone; the rest is one and the same.
      for (const number of all) {
        const { reader, ...rest } = await settledAt(opened.disputeId, number);
        expect(reader).toBe(number === 3 ? "clara" : line.readerAccount);
        expect(rest).toEqual({ ...line, reader: undefined });
      }
      const again = runShell(open, folder, clara, 300_000);
      expect([again.exitCode, again.errors]).toEqual([0, ""]);
      expect(readFileSync(join(folder, "read.txt"), "utf8")).toBe("among four institutions");
    } finally {
      // By us, who are its parent: no command sees the end of a process that nobody has waited for.
      liar.kill("SIGTERM");
      await ended;
      play("network down --dir four");
    }
    expect(liar.exitCode).toBe(0);
  });
});
