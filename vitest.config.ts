// One runner for every package: tests import the sources directly (condition chartseal-source), so no build is needed.
import { defineConfig } from "vitest/config";

const conditions = ["chartseal-source"];
export default defineConfig({
  resolve: { conditions: [...conditions, "node", "import", "module", "default"] },
  ssr: { resolve: { conditions: [...conditions, "node", "import", "module", "default"], externalConditions: conditions } },
  test: {
    include: ["test/**/*.test.ts", "packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "bench/test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
