/** What a benchmark gives: rows for the file, tables for the reader, plots for the picture, and whether claims held. */
import type { Plot } from "./plot.ts";

export type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;

export interface Table {
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface Outcome {
  readonly tables: readonly Table[];
  readonly plots: readonly Plot[];
  /** One sentence for each claim that did not hold. */
  readonly failures: readonly string[];
}

/** What every benchmark is given. */
export interface BenchOptions {
  /** A short look: few rounds and small sizes, whose numbers prove nothing. Nothing is written. */
  readonly quick: boolean;
  /** Says on standard error what is being measured. */
  readonly note: (text: string) => void;
}

/** Gathers claims as they are checked. */
export class Claims {
  readonly failures: string[] = [];

  /** Notes the failure of a claim, and gives back whether it held for the row. */
  check(holds: boolean, sentence: string): boolean {
    if (!holds) this.failures.push(sentence);
    return holds;
  }
}
