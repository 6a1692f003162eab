// A vitest reporter that ends a run with one plain line, `N passed, N failed`, for scripts and people alike. A file that
// does not load and an error outside any test count as failed. Where CHARTSEAL_REQUIRE_ALL=1 a skip fails the run.

/** @implements {import("vitest/node").Reporter} */
export default class ClosingLine {
  onInit(vitest) {
    this.vitest = vitest;
  }

  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    const skipped = [];
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed++;
      for (const test of module.children.allTests()) {
        counts[test.result().state]++;
        if (test.result().state === "skipped") skipped.push(`${module.moduleId}: ${test.fullName}`);
      }
      for (const suite of module.children.allSuites()) {
        counts.failed += suite.errors().length;
        // A group without tests stands for what could not run at all.
        const isEmpty = suite.children.size === 0 && suite.options.mode === "skip";
        if (isEmpty) skipped.push(`${module.moduleId}: ${suite.fullName}`);
      }
    }
    // Tests that a name pattern leaves out are not skips.
    if (skipped.length > 0 && this.vitest.getGlobalTestNamePattern() === undefined) {
      process.stdout.write(`${skipped.length} skipped:\n${skipped.map((name) => `  ${name}\n`).join("")}`);
      if (process.env.CHARTSEAL_REQUIRE_ALL === "1") {
        process.stdout.write("CHARTSEAL_REQUIRE_ALL=1: a skip is a failure\n");
        counts.failed += skipped.length;
        process.exitCode = 1;
      }
    }
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  }
}
