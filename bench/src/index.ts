/**
 * The public entry of @chartseal/bench: `runBench` runs one benchmark, gives its table as text, and writes its result and
 * its picture to bench/results. A claim that does not hold is told in `failures`.
 */
export { type BenchRun, benchNames, isBenchName, type RunOptions, runBench } from "./run.ts";
