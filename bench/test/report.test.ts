// What a benchmark reports with: medians, tables, pictures, and claims that fail where they do not hold.
import { describe, expect, it } from "vitest";
import { interleaved, median } from "../src/measure.ts";
import { Claims } from "../src/outcome.ts";
import { renderPlots } from "../src/plot.ts";
import { axisOf, positionOf } from "../src/plot-axis.ts";
import { renderTable } from "../src/table.ts";

describe("measuring", () => {
  it("takes the middle value, and the mean of two", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it("lets the sides take turns, each once a round, and begins with another one each round", async () => {
    const order: string[] = [];
    const side = (name: string) => ({ run: () => void order.push(name) });
    await interleaved({ a: side("a"), b: side("b") }, { rounds: 3, warmUps: 1 });
    expect(order.join("")).toBe("abbaabba");
  });

  it("counts the time of work that times itself, round by round, and leaves warm-ups out", async () => {
    const times = { slow: [1000, 20, 30, 10], fast: [1, 10, 10, 10] };
    const next = (list: number[]) => ({ run: () => list.shift() });
    const samples = await interleaved(
      { slow: next(times.slow), fast: next(times.fast) },
      { rounds: 3, warmUps: 1 },
    );
    expect(samples.median("slow")).toBe(20);
    expect(samples.ratio("slow", "fast")).toBe(2);
  });

  it("does not count what makes a side ready", async () => {
    const prepare = () => new Promise<void>((done) => setTimeout(done, 30));
    const samples = await interleaved({ a: { prepare, run: () => {} } }, { rounds: 1, warmUps: 0 });
    expect(samples.median("a")).toBeLessThan(25);
  });
});

describe("claims", () => {
  it("are told in one sentence each where they do not hold", () => {
    const claims = new Claims();
    claims.check(true, "never said");
    claims.check(median([]) >= 0.7, "a ratio that is no number does not hold");
    expect(claims.failures).toEqual(["a ratio that is no number does not hold"]);
  });
});

describe("tables", () => {
  it("have the columns of all rows, numbers to the right", () => {
    const text = renderTable({
      title: "T",
      rows: [
        { name: "a", ms: 1.2345 },
        { name: "bcd", ms: 1234.5, more: null },
      ],
    });
    expect(text).toBe("T\nname    ms  more\n────  ────  ────\na     1.23  –\nbcd   1235  –");
  });
});

describe("pictures", () => {
  const plot = {
    title: "a & b <c>",
    xLabel: "n",
    yLabel: "ms",
    labels: ["1", "2"],
    series: [
      { name: "one", values: [1, null] },
      { name: "two", values: [0.5, 4] },
    ],
    limit: { value: 5, name: "limit" },
  };

  it("are one well-formed SVG with every title, label and series, escaped", () => {
    const svg = renderPlots("H", [plot, { ...plot, kind: "bars", scale: "log" }, plot]);
    expect(svg.startsWith("<svg ")).toBe(true);
    expect(svg.trimEnd().endsWith("</svg>")).toBe(true);
    expect(svg).toContain("a &amp; b &lt;c&gt;");
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("have an axis that holds every value", () => {
    for (const values of [[1, 2, 3], [0.001, 700], [5], [0, 0.2], [1e-4, 1e5]]) {
      for (const scale of ["linear", "log"] as const) {
        const axis = axisOf(values, scale);
        for (const value of values) {
          expect(positionOf(axis, value)).toBeGreaterThanOrEqual(0);
          expect(positionOf(axis, value)).toBeLessThanOrEqual(1 + 1e-9);
        }
        expect(axis.ticks.length).toBeGreaterThan(1);
        expect(axis.ticks.length).toBeLessThan(14);
      }
    }
  });
});
