// One runner for every package: tests import the sources directly (condition chartseal-source), so no build is needed;
// only tests that run the command line as users do want one.
import { defineConfig } from "vitest/config";

// Not "module": packages mean bundlers by it, and some of their files for those Node cannot load.
const conditions = ["chartseal-source", "node", "import", "default"];
const include = [
  "test/**/*.test.ts",
  "packages/*/test/**/*.test.ts",
  "apps/*/test/**/*.test.ts",
  "bench/test/**/*.test.ts",
];
/** Those that wait for real nodes far more than they compute: consensus has its timeouts, and a node that comes back dials. */
const waiting = ["packages/ledger/test/faults/*.test.ts"];
const waitingWorkers = 6;

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["chartseal-source"] } },
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    reporters: ["default", "./scripts/closing-line.mjs"],
    // One group after the other: what computes has the machine for itself.
    projects: [
      {
        extends: true,
        test: { name: "computing", include, exclude: waiting, maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: "waiting", include: waiting, maxWorkers: waitingWorkers, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
