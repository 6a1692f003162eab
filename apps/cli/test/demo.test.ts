/** The demo as `npm run demo` runs it: the whole story, its summary, its artefacts, the commands that it shows. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sampleRecords } from "../../../examples/make-records.ts";
import { root } from "../../../test/tidy/tree.ts";
import { describeTool } from "../../../test/tools.ts";
import { holds, Stage } from "../src/demo/stage.ts";
import { createProgram } from "../src/program.ts";
import { chartsealLines, unknownParts } from "./command-lines.ts";
import { runShell } from "./transcript.ts";

interface Summary {
  readonly ok: boolean;
  readonly ms: number;
  readonly acts: { name: string; ok: boolean; ms: number; steps: { command: string; refused?: string }[] }[];
  readonly prologue: { readonly steps: { command: string }[] };
  readonly folder: string;
  readonly home: string;
  readonly report: string;
  readonly passphrase: string;
  readonly records: readonly string[];
}

let summary: Summary;
let told: string;

beforeAll(() => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [join(root, "node_modules/.bin/chartseal"), "demo", "--json"],
    { encoding: "utf8", cwd: root },
  );
  expect(`${status}\n${status === 0 ? "" : stderr}`).toBe("0\n");
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  summary = JSON.parse(stdout) as Summary;
  told = stderr;
});

afterAll(() => {
  if (summary !== undefined) rmSync(summary.folder, { recursive: true, force: true });
});

describe("the demo", () => {
  it("tells eight acts, all of which hold, within a minute", () => {
    expect(summary.ok && summary.acts.every(({ ok }) => ok)).toBe(true);
    const names = "Deposit, Grant, Denied, Open, The owner's rule, Revocation, Tampering, Erasure";
    expect(summary.acts.map(({ name }) => name.replace(/^\d +/, "")).join(", ")).toBe(names);
    expect(summary.acts.every(({ name }) => told.includes(name))).toBe(true);
    expect(summary.ms).toBeLessThan(60_000);
    expect(summary.records).toHaveLength(5);
  });

  it("is refused in each of the ways that it promises", () => {
    const refusals = summary.acts.flatMap(({ steps }) => steps.flatMap(({ refused }) => refused ?? []));
    const codes = ["erased", "policy-unsatisfied", "revoked", "rule-missing", "rule-violated"];
    expect([...new Set(refusals)].sort()).toEqual(codes);
  });

  it("shows beside each step a command that there is", () => {
    const steps = [summary.prologue, ...summary.acts].flatMap((act) => act.steps);
    const program = createProgram();
    const lines = steps.flatMap(({ command }) => command.split("&&").flatMap(chartsealLines));
    expect(lines.length).toBeGreaterThanOrEqual(steps.length);
    expect(lines.flatMap((line) => unknownParts(program, line))).toEqual([]);
  });

  it("is plain text where it is piped", () => {
    expect(told.includes("\u001b")).toBe(false);
  });

  it("shows the counted operations: three Miller loops for the provider, none for the reader", () => {
    expect(told).toMatch(/provider: transform +3 +1 +· +1 +·\n/);
    expect(told).toMatch(/bob: opens +· +1 +1 +1 +·\n/);
  });

  it("leaves what it says: a home that verifies, the report with both findings, what was read, the certificate", () => {
    const files = [
      "access-log.jsonl",
      "certificate.json",
      "clara-history.json",
      "home",
      "report.html",
      "report.json",
    ];
    expect(readdirSync(summary.folder).sort()).toEqual(files);
    expect(existsSync(summary.report)).toBe(true);
    const read = readFileSync(join(summary.folder, "clara-history.json"));
    expect(read.equals(sampleRecords().get("clara-history.json")!)).toBe(true);
    const report = JSON.parse(readFileSync(join(summary.folder, "report.json"), "utf8")) as {
      findings: { kind: string; chunk?: number }[];
    };
    expect(report.findings.map(({ kind, chunk }) => `${kind} ${chunk ?? ""}`.trim()).sort()).toEqual([
      "chain-transaction",
      "object-altered 1",
    ]);
    const environment = { CHARTSEAL_HOME: summary.home, CHARTSEAL_PASSPHRASE: summary.passphrase };
    const verified = runShell("chartseal verify --json", summary.folder, environment);
    expect(JSON.parse(verified.output)).toMatchObject({ ok: true, records: 5, orphans: 0, findings: [] });
    const [first, second] = summary.records;
    expect(runShell(`chartseal open ${first} --as amy --json`, summary.folder, environment).exitCode).toBe(3);
    expect(runShell(`chartseal open ${second} --as dora --json`, summary.folder, environment).exitCode).toBe(
      0,
    );
  });
});

describe("the sample records that ship", () => {
  it("are those that the generator makes", () => {
    const folder = join(root, "examples", "records");
    expect(readdirSync(folder).sort()).toEqual([...sampleRecords().keys()].sort());
    for (const [file, bytes] of sampleRecords()) {
      expect(readFileSync(join(folder, file)).equals(bytes), `${file}: run examples/make-records.ts`).toBe(
        true,
      );
    }
  });
});

describe("a story that does not hold", () => {
  const stage = (): Stage => new Stage({ write: () => true } as unknown as NodeJS.WriteStream);

  it("fails with the act and the step", async () => {
    const played = stage().act("1  Act", "", () =>
      stage().step({ told: "a step", command: "", work: async () => holds(false, "the sky is green") }),
    );
    await expect(played).rejects.toMatchObject({ code: "defect", data: { act: "1  Act" } });
    await expect(played).rejects.toThrow("the sky is green");
  });

  it("fails where a refusal does not come, or comes with another code", async () => {
    const step = { told: "a step", command: "", code: "revoked" as const };
    const wanted = stage().refused({ ...step, work: async () => undefined });
    await expect(wanted).rejects.toMatchObject({ code: "defect" });
    const other = Object.assign(new Error("erased"), { code: "erased" });
    await expect(stage().refused({ ...step, work: () => Promise.reject(other) })).rejects.toBe(other);
  });
});

describe("the demo with the authority at three hospitals", () => {
  it("makes keys over HTTP, loses a process to kill -9 and goes on issuing, and leaves none behind", () => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [join(root, "node_modules/.bin/chartseal"), "demo", "--processes", "--json"],
      { encoding: "utf8", cwd: root },
    );
    expect(`${status}\n${status === 0 ? "" : stderr}`).toBe("0\n");
    const apart = JSON.parse(stdout) as Summary & {
      readonly authority: { readonly processes: readonly string[]; readonly killed: string };
    };
    try {
      expect(apart.ok && apart.acts.every(({ ok }) => ok)).toBe(true);
      expect(apart.authority).toEqual({ processes: ["cedars", "mercy", "lakeside"], killed: "mercy" });
      const steps = apart.acts[1]!.steps.map(({ command }) => command);
      const killed = steps.findIndex((command) => /^kill -9 \d+$/.test(command));
      const granted = steps.findIndex((command) => command.startsWith("chartseal attributes grant bob"));
      expect(killed).toBeGreaterThanOrEqual(0);
      expect(granted).toBeGreaterThan(killed);
      // Each hospital's folder holds its own node's sealed store; the consortium's home holds no share.
      for (const hospital of apart.authority.processes) {
        const names = readdirSync(join(apart.folder, `node-${hospital}`), { recursive: true }).map(String);
        expect(names.filter((name) => /share-(?:reading|signing|audit)-1\.sealed$/.test(name))).toHaveLength(
          3,
        );
        const running = spawnSync("pgrep", ["-f", join(apart.folder, `node-${hospital}`)]);
        expect(String(running.stdout)).toBe("");
      }
      const own = readdirSync(apart.home, { recursive: true }).map(String);
      expect(own.filter((name) => /node-|share-/.test(name))).toEqual([]);
    } finally {
      rmSync(apart.folder, { recursive: true, force: true });
    }
  });
});

describeTool("versitygw", "the demo over an S3 server, an FTPS server and a disk", (versitygw) => {
  describeTool("ftps", "with vsftpd", (vsftpd) => {
    it("loses one of them in the middle and no record with it, repairs, and leaves no process behind", () => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [join(root, "node_modules/.bin/chartseal"), "demo", "--clouds", "--json"],
        {
          encoding: "utf8",
          cwd: root,
          env: { ...process.env, CHARTSEAL_TOOL_VERSITYGW: versitygw, CHARTSEAL_TOOL_FTPS: vsftpd },
        },
      );
      expect(`${status}\n${status === 0 ? "" : stderr}`).toBe("0\n");
      const made = JSON.parse(stdout) as Summary & {
        readonly clouds: {
          readonly places: readonly string[];
          readonly destroyed: string;
          readonly report: string;
        };
      };
      try {
        expect(made.ok && made.acts.every(({ ok }) => ok)).toBe(true);
        expect(made.clouds).toMatchObject({ places: ["north", "west", "cellar"], destroyed: "north" });
        expect(existsSync(join(made.folder, "north"))).toBe(false);
        // The records lie in shards at the three places that are left, and nothing of them in the home.
        const objects = join(made.home, "provider", "objects");
        expect(existsSync(objects) ? readdirSync(objects) : []).toEqual([]);
        const report = JSON.parse(readFileSync(made.clouds.report.replace(/html$/, "json"), "utf8")) as {
          readonly findings: readonly { readonly kind: string; readonly detail: string }[];
        };
        expect(report.findings.map(({ kind }) => kind)).toEqual(["place-unreachable"]);
        expect(report.findings[0]!.detail).toContain("north");
        const running = spawnSync("pgrep", ["-f", made.folder], { encoding: "utf8" });
        expect(running.stdout).toBe("");
      } finally {
        rmSync(made.folder, { recursive: true, force: true });
      }
    });
  });
});

describeTool("cometbft", "the demo on four institutions", (cometbft) => {
  it("loses one to kill -9 in the middle and nothing with it, and leaves no process behind", {
    timeout: 900_000,
  }, () => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [join(root, "node_modules/.bin/chartseal"), "demo", "--engine", "comet", "--json"],
      { encoding: "utf8", cwd: root, env: { ...process.env, CHARTSEAL_COMETBFT: cometbft } },
    );
    expect(`${status}\n${status === 0 ? "" : stderr}`).toBe("0\n");
    const made = JSON.parse(stdout) as Summary & {
      readonly consortium: { readonly institutions: readonly string[]; readonly killed: string };
    };
    try {
      expect(made.ok && made.acts.every(({ ok }) => ok)).toBe(true);
      expect(made.consortium).toMatchObject({ killed: "institution-3" });
      expect(made.consortium.institutions).toHaveLength(4);
      const steps = made.acts[1]!.steps.map(({ command }) => command);
      const killed = steps.findIndex((command) => /^kill -9 -- -\d+$/.test(command));
      const granted = steps.findIndex((command) => command.startsWith("chartseal attributes grant bob"));
      const returned = steps.findIndex((command) => command.startsWith("chartseal network up"));
      expect(killed).toBeGreaterThanOrEqual(0);
      expect([granted > killed, returned > granted]).toEqual([true, true]);
      const report = JSON.parse(readFileSync(join(made.folder, "report.json"), "utf8")) as {
        findings: { kind: string }[];
      };
      expect(report.findings.map(({ kind }) => kind).sort()).toEqual(["chain-transaction", "object-altered"]);
      const running = spawnSync("pgrep", ["-f", made.folder], { encoding: "utf8" });
      expect(running.stdout).toBe("");
      // Every institution's own ledger holds together, and all of them hold the same blocks.
      const exports = made.consortium.institutions.map((name) => {
        const environment = { CHARTSEAL_HOME: join(made.folder, "network", name) };
        const verified = runShell("chartseal verify --json", made.folder, environment);
        expect(JSON.parse(verified.output)).toMatchObject({ ok: true, findings: [] });
        const exported = runShell("chartseal ledger export", made.folder, environment).output;
        const lines = exported.trimEnd().split("\n");
        return lines.map((line) => (JSON.parse(line) as { hash: string }).hash);
      });
      const common = Math.min(...exports.map(({ length }) => length));
      expect(common).toBeGreaterThan(50);
      for (const chain of exports) expect(chain.slice(0, common)).toEqual(exports[0]!.slice(0, common));
    } finally {
      rmSync(made.folder, { recursive: true, force: true });
    }
  });
});
