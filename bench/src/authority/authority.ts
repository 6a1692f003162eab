/**
 * `bench authority`: the committee's key generation and the issue of a key over 20 attributes, its nodes on loopback,
 * against the sum of the group operations that they are made of.
 */
import { loadPairing } from "@chartseal/crypto";
import { loadAverage, round } from "../machine.ts";
import { interleaved, median } from "../measure.ts";
import type { BenchOptions, Outcome, Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { floorTimes, type Primitive, primitiveSides } from "../schemes/primitives.ts";
import { Committee, type Sizes } from "./committee.ts";
import { generationNeeds, issueNeeds, sessionSides, sessions } from "./floors.ts";

const attributes = 20;
const committees: readonly Sizes[] = [
  { threshold: 2, nodes: 3 },
  { threshold: 3, nodes: 5 },
  { threshold: 7, nodes: 10 },
];
const nameOf = ({ threshold, nodes }: Sizes): string => `${threshold} of ${nodes}`;

async function generationRow(sizes: Sizes, rounds: number): Promise<Row> {
  const pairing = await loadPairing();
  let committee: Committee | undefined;
  const sides = {
    ...sessionSides(pairing, sizes),
    generation: {
      prepare: async () => {
        await committee?.close();
        committee = await Committee.create(sizes);
      },
      run: () => committee!.generateKeys(),
    },
  };
  // A server that stays open would keep the process.
  const samples = await interleaved(sides, { rounds }).finally(() => committee?.close());
  const needs = sessions.map((session) => Object.entries(generationNeeds(session, sizes)));
  const floors = samples
    .times("generation")
    .map((_, at) =>
      needs
        .flat()
        .reduce((total, [name, count = 0]) => total + count * samples.times(name as "generation")[at]!, 0),
    );
  const ratio = median(samples.times("generation").map((time, at) => time / floors[at]!));
  return {
    committee: nameOf(sizes),
    "keys, floor, ms": round(median(floors), 0),
    "keys, ms": round(samples.median("generation"), 0),
    ratio: round(ratio, 2),
    load: loadAverage(),
  };
}

async function issueRow(sizes: Sizes, rounds: number): Promise<Row> {
  const pairing = await loadPairing();
  const committee = await Committee.create(sizes);
  try {
    await committee.generateKeys();
    const issue = await committee.prepareIssue(attributes);
    const needs = issueNeeds({ threshold: sizes.threshold, attributes });
    const sides = { ...primitiveSides(pairing, Object.keys(needs) as Primitive[]), issue: { run: issue } };
    const samples = await interleaved(sides as Record<string, { run: () => unknown }>, {
      rounds,
      warmUps: 2,
    });
    const floors = floorTimes(samples, needs);
    const ratio = median(samples.times("issue").map((time, at) => time / floors[at]!));
    return {
      committee: nameOf(sizes),
      attributes,
      "issue, floor, ms": round(median(floors), 1),
      "issue, ms": round(samples.median("issue"), 1),
      ratio: round(ratio, 2),
      load: loadAverage(),
    };
  } finally {
    await committee.close();
  }
}

function plot(title: string, rows: readonly Row[], columns: readonly [string, string]): Plot {
  return {
    title,
    xLabel: "committee",
    yLabel: "ms",
    labels: rows.map(({ committee }) => String(committee)),
    kind: "bars",
    series: columns.map((column, at) => ({
      name: at === 0 ? "the group operations in it" : "on loopback",
      values: rows.map((row) => Number(row[column])),
    })),
  };
}

export async function benchAuthority({ quick, note }: BenchOptions): Promise<Outcome> {
  const sizes = quick ? committees.slice(0, 1) : committees;
  const generations: Row[] = [];
  const issues: Row[] = [];
  for (const one of sizes) {
    note(`authority: ${nameOf(one)}`);
    generations.push(await generationRow(one, quick ? 1 : 5));
    issues.push(await issueRow(one, quick ? 1 : 11));
  }
  return {
    tables: [
      { title: "Key generation: reading, signing and audit", rows: generations },
      { title: `An issue of ${attributes} attributes`, rows: issues },
    ],
    plots: [
      plot("Key generation, all three keys", generations, ["keys, floor, ms", "keys, ms"]),
      plot(`An issue of ${attributes} attributes`, issues, ["issue, floor, ms", "issue, ms"]),
    ],
    failures: [],
  };
}
