/** A restored institution that is started while the original still runs: kept out by the others, it signs nothing. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { freePorts, networkPlayer } from "./network-player.ts";
import { runShell } from "./transcript.ts";

const folder = mkdtempSync(join(tmpdir(), "chartseal-twice-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Statuses {
  readonly institutions: readonly { readonly height: number; readonly peers: number }[];
}

describeTool("cometbft", "a copy of an institution that runs", (cometbft) => {
  const environment = { CHARTSEAL_PASSPHRASE: "test", CHARTSEAL_COMETBFT: cometbft };
  const play = networkPlayer(folder, environment);
  const statusOf = (dir: string) => play(`network status --dir ${dir}`) as unknown as Statuses;

  it("finds no peers, fetches no block and votes on none", { timeout: 900_000 }, () => {
    play(`network init --validators 4 --out four --base-port ${freePorts()}`);
    mkdirSync(join(folder, "beside"));
    const copy = join(folder, "beside/copy");
    try {
      play("network up --dir four");
      play("network down --dir four --only institution-1");
      play("backup --out kept", 1);
      play("network up --dir four --only institution-1");
      expect(runShell(`chartseal --home ${copy} restore kept`, folder, environment).exitCode).toBe(0);
      // On one machine the two cannot listen at one port.
      const network = JSON.parse(readFileSync(join(copy, "network.json"), "utf8")) as Record<string, number>;
      for (const port of ["serverPort", "p2pPort", "rpcPort", "metricsPort"]) network[port]! += 16;
      writeFileSync(join(copy, "network.json"), JSON.stringify(network));
      const signed = readFileSync(join(copy, "comet/data/priv_validator_state.json"), "utf8");
      // It answers, and waits in vain for the chain.
      const up = runShell("chartseal network up --dir beside --timeout 1m", folder, environment, 300_000);
      expect([up.exitCode, up.errors]).toEqual([5, expect.stringContaining("in time")]);
      play("member add amy", 2);
      expect(statusOf("beside").institutions).toMatchObject([{ height: 0, peers: 0 }]);
      expect(readFileSync(join(copy, "comet/data/priv_validator_state.json"), "utf8")).toBe(signed);
      expect(statusOf("four").institutions.map(({ peers }) => peers)).toEqual([3, 3, 3, 3]);
      const { validators } = play("consortium list", 2) as unknown as { validators: { power: number }[] };
      expect(validators.map(({ power }) => power)).toEqual([10, 10, 10, 10]);
    } finally {
      play("network down --dir beside");
      play("network down --dir four");
    }
  });
});
