/**
 * `bench ledger`: how many deposits an embedded ledger takes a second, and how long opening it, reading a record and
 * proving it take as it grows.
 */

import { tmpdir } from "node:os";
import { performance } from "node:perf_hooks";
import { entries, type Ledger, ledgerRules } from "@chartseal/ledger";
import { openEmbeddedReader } from "@chartseal/ledger/embedded";
import { withFolder } from "../file/disk.ts";
import { loadAverage, round } from "../machine.ts";
import { median } from "../measure.ts";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { Consortium, type EmbeddedConsortium } from "./consortium.ts";
import { DepositMaker, type MadeDeposit } from "./deposits.ts";

const growthMax = 1.3;
/** Deposits that arrive together and share a block. */
const batch = 500;
/** A relay takes a hundred a minute; the clock of the benchmark moves so far for each. */
const perAuthorMs = 600;

type Latency = "open" | "read" | "prove" | "further read" | "further prove";

class Measurement {
  readonly #consortium: EmbeddedConsortium;
  readonly #directory: string;
  readonly #maker: DepositMaker;
  readonly #records: Uint8Array[] = [];

  constructor(consortium: EmbeddedConsortium, directory: string) {
    this.#consortium = consortium;
    this.#directory = directory;
    this.#maker = new DepositMaker(consortium);
  }

  get records(): number {
    return this.#records.length;
  }

  /** Submits together and waits until all are durable; ms. */
  async #submit(made: readonly MadeDeposit[]): Promise<number> {
    const start = performance.now();
    await Promise.all(made.map(({ transaction }) => this.#consortium.ledger.submit(transaction)));
    const time = performance.now() - start;
    this.#records.push(...made.map(({ recordId }) => recordId));
    this.#consortium.clock.ms += 1000;
    return time;
  }

  /** Owner-signed deposits up to `total` records. @returns registrations a second of the last batches */
  async fill(total: number): Promise<number> {
    const rates: number[] = [];
    while (this.records < total) {
      const made: MadeDeposit[] = [];
      while (made.length < Math.min(batch, total - this.records)) made.push(await this.#maker.byOwner());
      rates.push(made.length / ((await this.#submit(made)) / 1000));
    }
    return median(rates.slice(-10));
  }

  /** Attribute-signed deposits, all waiting at once. @returns registrations a second */
  async fillByAuthors(count: number): Promise<number> {
    const made: MadeDeposit[] = [];
    for (let i = 0; i < count; i++) made.push(await this.#maker.byAuthor());
    let time = 0;
    // A block has one time, and the relay's quota is of a minute: as many as a minute allows go together.
    for (let at = 0; at < count; at += 100) {
      this.#consortium.clock.ms += 100 * perAuthorMs;
      time += await this.#submit(made.slice(at, at + 100));
    }
    return count / (time / 1000);
  }

  /** Owner-signed deposits one after the other, each durable before the next begins; median ms. */
  async oneByOne(count: number): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await this.#submit([await this.#maker.byOwner()]));
    return median(times);
  }

  #someRecord(): Uint8Array {
    return this.#records[Math.floor(Math.random() * this.records)]!;
  }

  /**
   * Median ms of opening the ledger for reading, of opening it and reading or proving one record, as a command does, and
   * of reading and proving further ones on the ledger that is open.
   */
  async latencies(rounds: number): Promise<Record<Latency, number>> {
    const { pairing } = this.#consortium;
    const directory = this.#directory;
    const { kind } = entries.record;
    const openReader = () =>
      openEmbeddedReader({ directory, rulesOf: (bytes) => ledgerRules(pairing, bytes) });
    const times: Record<Latency, number[]> = {
      open: [],
      read: [],
      prove: [],
      "further read": [],
      "further prove": [],
    };
    const reads = (ledger: Ledger) => ledger.read(kind, this.#someRecord());
    const proves = (ledger: Ledger) => ledger.prove(kind, this.#someRecord());
    for (let round = 0; round < rounds; round++) {
      for (const [name, asks] of [
        ["read", reads],
        ["prove", proves],
      ] as const) {
        const start = performance.now();
        const ledger = openReader();
        times.open.push(performance.now() - start);
        await asks(ledger);
        times[name].push(performance.now() - start);
        for (let i = 0; i < 20; i++) {
          const before = performance.now();
          await asks(ledger);
          times[`further ${name}`].push(performance.now() - before);
        }
        await ledger.close();
      }
    }
    const medians = Object.entries(times).map(([name, list]) => [name, median(list)]);
    return Object.fromEntries(medians) as Record<Latency, number>;
  }
}

async function measure(sizes: readonly number[], authors: number, options: BenchOptions): Promise<Row[]> {
  return withFolder(tmpdir(), async (directory) => {
    const consortium = await Consortium.embedded(directory);
    const measurement = new Measurement(consortium, directory);
    const rows: Row[] = [];
    for (const size of sizes) {
      options.note(`ledger: ${size} records`);
      const ownerSigned = await measurement.fill(size - authors - 20);
      const attributeSigned = await measurement.fillByAuthors(authors);
      const alone = await measurement.oneByOne(size - measurement.records);
      const latency = await measurement.latencies(options.quick ? 3 : 25);
      const timed = Object.entries(latency).map(([name, ms]) => [`${name} ms`, round(ms, 3)]);
      rows.push({
        records: size,
        "owner-signed a second": round(ownerSigned, 0),
        "attribute-signed a second": round(attributeSigned, 1),
        "one alone, durable, ms": round(alone, 2),
        ...Object.fromEntries(timed),
        load: loadAverage(),
      });
    }
    await consortium.close();
    return rows;
  });
}

const claimed = ["open ms", "read ms", "prove ms"] as const;
const further = ["further read ms", "further prove ms"] as const;

function nameOf(column: (typeof claimed)[number] | (typeof further)[number]): string {
  const name = column.replace(" ms", "");
  return column === "read ms" || column === "prove ms" ? `open and ${name} one record` : name;
}

function plotsOf(rows: readonly Row[]): Plot[] {
  const labels = rows.map(({ records }) => String(records));
  const of = (column: string) => rows.map((row) => Number(row[column]));
  return [
    {
      title: "Registrations a second",
      xLabel: "records on the ledger",
      yLabel: "a second",
      labels,
      scale: "log",
      series: ["owner-signed a second", "attribute-signed a second"].map((name) => ({
        name,
        values: of(name),
      })),
    },
    {
      title: "Latency as the ledger grows",
      xLabel: "records on the ledger",
      yLabel: `times that at ${labels[0]}`,
      labels,
      series: claimed.map((name) => ({
        name: nameOf(name),
        values: of(name).map((one) => one / of(name)[0]!),
      })),
      limit: { value: growthMax, name: `claimed: at most ${growthMax}` },
    },
    {
      title: "Latency",
      xLabel: "records on the ledger",
      yLabel: "ms",
      labels,
      scale: "log",
      series: [...claimed, ...further].map((name) => ({ name: nameOf(name), values: of(name) })),
    },
  ];
}

export async function benchLedger(options: BenchOptions): Promise<Outcome> {
  const sizes = options.quick ? [100, 300] : [1_000, 10_000, 100_000];
  const rows = await measure(sizes, options.quick ? 20 : 500, options);
  const claims = new Claims();
  for (const column of claimed) {
    const [first, ...others] = rows.map((row) => Number(row[column]));
    for (const [at, value] of others.entries()) {
      const growth = round(value / first!, 2);
      claims.check(
        growth <= growthMax,
        `${column} at ${sizes[at + 1]} records is ${growth} times that at ${sizes[0]}`,
      );
    }
  }
  return { tables: [{ title: "An embedded ledger", rows }], plots: plotsOf(rows), failures: claims.failures };
}
