// One runner for every package: tests import the sources directly (condition chartseal-source), so no build is needed;
// only tests that run the command line as users do want one.
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// Not "module": packages mean bundlers by it, and some of their files for those Node cannot load.
const conditions = ["chartseal-source", "node", "import", "default"];
const include = [
  "test/**/*.test.ts",
  "packages/*/test/**/*.test.ts",
  "apps/*/test/**/*.test.ts",
  "bench/test/**/*.test.ts",
];
/** Those that wait for real nodes far more than they compute: consensus has its timeouts, and a node that comes back dials. */
const waiting = ["packages/ledger/test/faults/*.test.ts", "packages/ledger/test/comet*.test.ts"];
const waitingWorkers = 6;

/** Begun first, in this order: what takes minutes must not come last and leave the other cores with nothing to do. */
const longest = [
  "apps/cli/test/transcripts",
  "apps/cli/test/network",
  "apps/cli/test/institution",
  "apps/cli/test/demo",
  "apps/cli/test/recovery",
  "test/acceptance/",
  "packages/ledger/test/migrate",
  "packages/ledger/test/store",
  "packages/ledger/test/faults/full-disk",
  "packages/ledger/test/faults/clock",
  "packages/ledger/test/faults/two-down",
  "packages/ledger/test/comet.test",
];

/** A clone has no times of an earlier run, and would go by the files' sizes. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((path) => moduleId.includes(`/${path}`));
      return at === -1 ? longest.length : at;
    };
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => groupOf(one) - groupOf(other) || rank(one) - rank(other));
  }
}

const groupOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["chartseal-source"] } },
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    sequence: { sequencer: LongestFirst },
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
