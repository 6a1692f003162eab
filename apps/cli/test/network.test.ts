/** A network of four institutions on this machine, by the command line as its operators use it. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { freePorts, networkPlayer } from "./network-player.ts";
import { runShell } from "./transcript.ts";

const folder = mkdtempSync(join(tmpdir(), "chartseal-network-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const passphrase = { CHARTSEAL_PASSPHRASE: "test" };

describe("network init", () => {
  it.each([
    ["--validators 0", "1 to 64"],
    ["--validators 4 --stakes 1,2", "one stake for each"],
    ["--validators 2 --stakes 1,0", "stake"],
    ["--validators 2 --threshold 3", "threshold"],
    ["--validators 2 --hosts one", "one host for each"],
    ["--validators 2 --hosts one,tw/o", "names or addresses"],
    ["--validators 4 --base-port 65530", "no room"],
  ])("refuses %s and makes nothing", (options, said) => {
    const ran = runShell(`chartseal network init --out wrong ${options}`, folder, passphrase);
    expect([ran.exitCode, ran.errors]).toEqual([2, expect.stringContaining(said)]);
    expect(readdirSync(folder).filter((name) => name.includes("wrong"))).toEqual([]);
  });

  it("makes a home for each, of one genesis, with no two keys alike", () => {
    const ran = runShell(
      "chartseal network init --out made --validators 3 --stakes 3,2,1 --authority-nodes 2 --threshold 2 --json",
      folder,
      passphrase,
    );
    const made = JSON.parse(ran.output) as {
      chainId: string;
      institutions: { name: string; home: string }[];
    };
    expect(made.institutions.map(({ name }) => name)).toEqual([
      "institution-1",
      "institution-2",
      "institution-3",
    ]);
    const genesis = made.institutions.map(({ home }) => readFileSync(join(home, "genesis.cbor"), "hex"));
    expect(new Set(genesis).size).toBe(1);
    const read = (home: string, file: string): unknown => JSON.parse(readFileSync(join(home, file), "utf8"));
    const networks = made.institutions.map(
      ({ home }) => read(home, "network.json") as { institutions: object[] },
    );
    const keys = Object.values(
      networks[0]!.institutions as { validator: string; authority: string | null }[],
    );
    expect(new Set(keys.map(({ validator }) => validator)).size).toBe(3);
    expect(keys.map(({ authority }) => authority === null)).toEqual([false, false, true]);
    const powers = (
      read(made.institutions[0]!.home, "comet/config/genesis.json") as { validators: { power: string }[] }
    ).validators;
    expect(powers.map(({ power }) => power)).toEqual(["3", "2", "1"]);
    const again = runShell("chartseal network init --out made --validators 3", folder, passphrase);
    expect([again.exitCode, again.errors]).toEqual([2, expect.stringContaining("home-exists")]);
  });

  it("leaves homes of which nothing runs: status says so, and a command says what to start", () => {
    const status = runShell("chartseal network status --dir made --json", folder);
    const { institutions } = JSON.parse(status.output) as { institutions: { pid: number | null }[] };
    expect(institutions.map(({ pid }) => pid)).toEqual([null, null, null]);
    expect(runShell("chartseal network down --dir made", folder).output).toBe("None ran.\n");
    const missing = runShell("chartseal network status --dir nowhere", folder);
    expect([missing.exitCode, missing.errors]).toEqual([2, expect.stringContaining("home-missing")]);
    // A home that restore put aside is none of them; any other copy is named before anything starts.
    cpSync(join(folder, "made", "institution-2"), join(folder, "made", "institution-2.replaced-1"), {
      recursive: true,
    });
    const beside = runShell("chartseal network status --dir made --json", folder);
    expect(JSON.parse(beside.output)).toEqual(JSON.parse(status.output));
    cpSync(join(folder, "made", "institution-2"), join(folder, "made", "copy"), { recursive: true });
    const twice = runShell("chartseal network up --dir made", folder, passphrase);
    expect([twice.exitCode, twice.errors]).toEqual([
      2,
      expect.stringContaining("copy and institution-2 are both the home of institution-2"),
    ]);
    rmSync(join(folder, "made", "copy"), { recursive: true });
    const home = { CHARTSEAL_HOME: "made/institution-1" };
    const write = runShell("chartseal member add amy", folder, { ...passphrase, ...home });
    expect([write.exitCode, write.errors]).toEqual([5, expect.stringContaining("network up")]);
    const only = runShell("chartseal network up --dir made --only institution-9", folder, passphrase);
    expect([only.exitCode, only.errors]).toEqual([2, expect.stringContaining("institution-1")]);
  });
});

describeTool("cometbft", "a network", (cometbft) => {
  const environment = { ...passphrase, CHARTSEAL_COMETBFT: cometbft };
  const play = networkPlayer(folder, environment);

  it("comes up, takes hospitals by vote, serves members of every institution, and goes down", {
    timeout: 900_000,
  }, () => {
    const port = freePorts();
    play(`network init --validators 4 --out four --base-port ${port} --snapshot-blocks 5`);
    try {
      const up = play("network up --dir four") as unknown as { institutions: { peers: number }[] };
      const { institutions } = up;
      expect(institutions.map(({ peers }) => peers)).toEqual([3, 3, 3, 3]);
      const { proposalId } = play("namespace add cedars", 2);
      expect(proposalId).toMatch(/^[0-9a-f]{64}$/);
      expect(play("namespace list", 2)).toEqual([]);
      // Once more before the votes: it waits on the same proposal.
      expect(play("namespace add cedars", 2)).toMatchObject({ registered: false, proposalId });
      for (const voter of [1, 4]) play(`consortium vote ${proposalId}`, voter);
      expect(play("namespace add cedars", 2)).toEqual({ namespace: "cedars" });
      expect(play("namespace list", 3)).toEqual([{ namespace: "cedars" }]);
      // A member of an institution without the provider: keys from three of four nodes, custody at institution-1.
      play("member add amy", 2);
      play("attributes grant amy doctor@cedars", 2);
      // A stranger's member at another institution, whom cedars knows by account alone, gets nothing from here.
      play("member add clara", 3);
      const refused = runShell("chartseal attributes grant clara doctor@cedars", folder, {
        ...environment,
        CHARTSEAL_HOME: "four/institution-3",
      });
      expect([refused.exitCode, refused.errors]).toEqual([2, expect.stringContaining("another institution")]);
      // A fifth institution comes later: a snapshot, checked from the genesis on; then a vote makes it a validator.
      const given = "--network four/institution-1/network.json --genesis four/genesis.cbor";
      const joined = play(`network join ${given} --name oak --out four/oak --base-port ${port + 16}`);
      expect(joined).toMatchObject({ name: "oak", snapshot: true });
      play("network up --dir four --only oak");
      const { proposalId: admission } = play("network add-validator four/oak/network.json --weight 10", 1);
      for (const voter of [2, 3]) play(`consortium vote ${admission}`, voter);
      play(`consortium execute ${admission}`, 2);
      const { validators } = play("consortium list", 4) as unknown as { validators: { power: number }[] };
      expect(validators.map(({ power }) => power)).toEqual([10, 10, 10, 10, 10]);
      const before = runShell("chartseal ledger export", folder, { CHARTSEAL_HOME: "four/oak" });
      expect([before.exitCode, before.errors]).toEqual([2, expect.stringContaining("snapshot")]);
      // Beside the servers, with no key: each ledger holds together.
      for (const home of [1, 4]) expect(play("verify", home)).toMatchObject({ ok: true, findings: [] });
    } finally {
      play("network down --dir four");
    }
    const { institutions } = play("network status --dir four") as unknown as {
      institutions: { pid: null }[];
    };
    expect(institutions.map(({ pid }) => pid)).toEqual([null, null, null, null, null]);
    for (let at = 1; at <= 4; at++) {
      expect(existsSync(join(folder, `four/institution-${at}/run/server.json`))).toBe(false);
    }
    // What the ledger says is still read from the files.
    expect(play("namespace list", 3)).toEqual([{ namespace: "cedars" }]);
  });
});
