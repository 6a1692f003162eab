// One runner for every package: tests import the sources directly (condition chartseal-source), so no build is needed;
// only tests that run the command line as users do want one.
import { defineConfig } from "vitest/config";

// Not "module": packages mean bundlers by it, and some of their files for those Node cannot load.
const conditions = ["chartseal-source", "node", "import", "default"];
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["chartseal-source"] } },
  test: {
    include: [
      "test/**/*.test.ts",
      "packages/*/test/**/*.test.ts",
      "apps/*/test/**/*.test.ts",
      "bench/test/**/*.test.ts",
    ],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
    reporters: ["default", "./scripts/closing-line.mjs"],
  },
});
