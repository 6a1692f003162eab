/**
 * How the demo is told: acts with a heading, steps with a mark, a timing and the command that does the same, details in
 * aligned columns. In colour on a terminal, plain where output is piped or NO_COLOR is set.
 */
import type { WriteStream } from "node:tty";
import { ChartsealError, type ErrorCode } from "@chartseal/crypto";

export interface StepTold {
  readonly step: string;
  /** The command line that does the same. */
  readonly command: string;
  /** Refused, as the story wants it. */
  readonly refused?: string;
  readonly ms: number;
}

export interface ActTold {
  readonly name: string;
  readonly ok: boolean;
  readonly steps: readonly StepTold[];
  readonly ms: number;
}

export interface Step<T> {
  readonly told: string;
  readonly command: string;
  readonly work: () => Promise<T>;
}

/** A step that must be refused with this code. */
export interface RefusedStep {
  readonly told: string;
  readonly command: string;
  readonly code: ErrorCode;
  readonly work: () => Promise<unknown>;
}

/** Lines are no wider than this, and timings end here. */
const columnsMax = 100;

type Paint = (text: string) => string;

function paint(code: string, lively: boolean): Paint {
  return (text) => (lively ? `\u001b[${code}m${text}\u001b[0m` : text);
}

export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export class Stage {
  readonly #stream: NodeJS.WriteStream;
  readonly #lively: boolean;
  readonly #width: number;
  readonly #acts: ActTold[] = [];
  #steps: StepTold[] = [];
  #act = "";
  #step = "";
  readonly bold: Paint;
  readonly dim: Paint;
  readonly #good: Paint;
  readonly #bad: Paint;
  readonly #heading: Paint;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#lively = stream.isTTY === true && process.env.NO_COLOR === undefined && process.env.TERM !== "dumb";
    this.#width = Math.min(columnsMax, (stream as WriteStream).columns ?? columnsMax);
    this.bold = paint("1", this.#lively);
    this.dim = paint("2", this.#lively);
    this.#good = paint("32", this.#lively);
    this.#bad = paint("33", this.#lively);
    this.#heading = paint("1;36", this.#lively);
  }

  get acts(): readonly ActTold[] {
    return this.#acts;
  }

  line(text = ""): void {
    this.#stream.write(`${text}\n`);
  }

  /** One act: a heading, then whatever steps it plays. A failure names the act and the step that it came from. */
  async act(name: string, about: string, play: () => Promise<void>): Promise<void> {
    this.#act = name;
    this.#steps = [];
    const start = performance.now();
    this.line();
    this.line(`${this.#heading(name)}  ${this.dim(about)}`);
    try {
      await play();
    } catch (error) {
      throw this.#failure(error);
    }
    const ms = Math.round(performance.now() - start);
    this.#acts.push({ name, ok: true, steps: this.#steps, ms });
  }

  /** One step: done, then told with its time and its command. */
  async step<T>(step: Step<T>): Promise<T> {
    const { value, ms } = await this.#timed(step);
    const { told, command } = step;
    this.#steps.push({ step: told, command, ms });
    this.#tell(this.#good("✓"), step, ms);
    return value;
  }

  /** A step whose refusal is the story: told with code and reason, and handed back. */
  async refused({ code, work, ...step }: RefusedStep): Promise<ChartsealError> {
    const { value, ms } = await this.#timed({ ...step, work: () => refusal(code, work) });
    const { told, command } = step;
    this.#steps.push({ step: told, command, refused: code, ms });
    this.#tell(this.#bad("⊘"), step, ms);
    this.line(`      ${this.#bad(value.code)}  ${this.#clipped(value.message, 8 + value.code.length)}`);
    return value;
  }

  async #timed<T>({ told, work }: Omit<Step<T>, "command">): Promise<{ value: T; ms: number }> {
    if (this.#lively) this.#stream.write(`  ${this.dim(`· ${this.#clipped(told, 5)}`)}`);
    this.#step = told;
    const start = performance.now();
    try {
      const value = await work();
      return { value, ms: Math.round(performance.now() - start) };
    } finally {
      if (this.#lively) this.#stream.write("\r\u001b[2K");
    }
  }

  #tell(mark: string, { told, command }: Pick<RefusedStep, "told" | "command">, ms: number): void {
    const time = duration(ms);
    const lines = wrapped(told.split(" "), this.#width - 5 - time.length);
    const last = lines.at(-1)!;
    lines[lines.length - 1] = last + " ".repeat(this.#width - 4 - last.length - time.length) + this.dim(time);
    this.line(`  ${mark} ${lines.join("\n    ")}`);
    // A long command goes on behind a backslash, before an option, so that it can be copied.
    const parts = shortIds(command).split(/ (?=--|&&)/);
    this.line(this.dim(`    $ ${wrapped(parts, this.#width - 8).join(" \\\n        ")}`));
  }

  /** Rows under a step, in columns; numbers are given padded. */
  details(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    for (const row of rows) {
      const cells = row.map((cell, column) => cell.padEnd(widths[column]!));
      this.line(`      ${this.#clipped(cells.join("   ").trimEnd(), 6)}`);
    }
  }

  #clipped(text: string, indent: number): string {
    const room = this.#width - indent;
    return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
  }

  #failure(error: unknown): ChartsealError {
    const reason = error instanceof Error ? error.message : String(error);
    const [act, step] = [this.#act, this.#step];
    return new ChartsealError("defect", `the story does not hold in "${act}", at "${step}": ${reason}`, {
      data: { act, step },
      cause: error,
    });
  }
}

/** What the story says must be so. @throws ChartsealError `defect` */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new ChartsealError("defect", `expected: ${what}`);
}

/** Ids are told by their first digits; the summary keeps them whole. */
function shortIds(command: string): string {
  return command.replaceAll(/\b([0-9a-f]{8})[0-9a-f]{56}\b/g, "$1…");
}

/** The words in lines of at most `room` columns, where no word alone is longer. */
function wrapped(words: readonly string[], room: number): string[] {
  const lines = [words[0] ?? ""];
  for (const word of words.slice(1)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

async function refusal(code: ErrorCode, work: () => Promise<unknown>): Promise<ChartsealError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof ChartsealError && error.code === code) return error;
    throw error;
  }
  throw new ChartsealError("defect", `expected to be refused with ${code}, and it was done`);
}
