// `npm run test:faults`: plays every fault of the CometBFT engine on real nodes, 100 rounds each, and keeps what came of it
// in packages/ledger/test/faults/results.json and results.md. CHARTSEAL_FAULT_ROUNDS and CHARTSEAL_FAULT_MINUTES (for each
// fault) set less; names of faults play those alone and keep the others' results.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "packages", "ledger", "test", "faults");
const kept = join(folder, "results.json");

/** @param names of faults, as their files are called; none for all */
export function playFaults(names) {
  const results = mkdtempSync(join(tmpdir(), "chartseal-fault-results-"));
  try {
    const env = { CHARTSEAL_FAULT_ROUNDS: "100", ...process.env, CHARTSEAL_FAULT_RESULTS: results };
    const files = (names.length > 0 ? names : [""]).map((name) => `packages/ledger/test/faults/${name}`);
    const vitest = join(root, "node_modules", ".bin", "vitest");
    const { status } = spawnSync(vitest, ["run", ...files], { cwd: root, stdio: "inherit", env });
    keep(readdirSync(results).map((name) => JSON.parse(readFileSync(join(results, name), "utf8"))));
    process.exitCode = status ?? 1;
  } finally {
    rmSync(results, { recursive: true });
  }
}

/** Puts new results in the place of those of the same faults. */
function keep(played) {
  const before = existsSync(kept) ? JSON.parse(readFileSync(kept, "utf8")) : [];
  const others = before.filter(({ fault }) => !played.some((one) => one.fault === fault));
  const all = [...others, ...played].sort((a, b) => (a.fault < b.fault ? -1 : 1));
  writeFileSync(kept, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(join(folder, "results.md"), table(all));
}

const columns = {
  fault: ({ fault, what }) => `${fault}: ${what}`,
  rounds: ({ rounds }) => rounds,
  acknowledged: ({ acknowledged }) => acknowledged,
  "outcome unknown": ({ unknown }) => unknown,
  lost: ({ lost }) => lost,
  twice: ({ twice }) => twice,
  forks: ({ forks }) => forks,
  blocks: ({ heights }) => heights,
  "CometBFT's heights": ({ cometHeights }) => cometHeights,
  seconds: ({ seconds }) => seconds,
  result: ({ passed }) => (passed ? "held" : "failed"),
  date: ({ date }) => date,
  seed: ({ seed }) => seed,
};

function table(results) {
  const row = (cells) => `| ${cells.join(" | ")} |`;
  const names = Object.keys(columns);
  const lines = [
    names,
    names.map(() => "---"),
    ...results.map((one) => Object.values(columns).map((cell) => cell(one))),
  ];
  return `# Faults of the CometBFT engine, as they were played last

Written by \`npm run test:faults\`; what each fault is stands in the file of its name. Lost are acknowledged transactions that a
node did not hold where it was said; twice, transactions in a chain more than once; forks, heights at which two nodes held
different blocks, ours by hash and state root, CometBFT's by hash and app hash. What has no known outcome was submitted while no
block could take it, and may be in the chain once or not at all. Blocks and heights are those that every node held at the end.
Seconds depend on how busy the machine was.

${lines.map(row).join("\n")}
`;
}
