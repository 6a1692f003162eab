/** The tables of spec/6-ledger.md are those of the code. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { actionTable } from "../src/actions.ts";
import type { Codec } from "../src/codec.ts";
import { refusalTable } from "../src/refusals.ts";
import { outcomes } from "../src/rules/records.ts";
import { entries, lists } from "../src/state-kinds.ts";

const spec = readFileSync(new URL("../../../spec/6-ledger.md", import.meta.url), "utf8");

/** The first cells of every row of the table under a heading, as written. */
function rows(heading: string, cells: number): string[] {
  const section = spec.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = section.split("\n").filter((line) => /^\| \d/.test(line));
  return lines.map((line) =>
    line.split(" | ").slice(0, cells).join(" | ").replace(/^\| /, "").replace(/ \|$/, ""),
  );
}

const fieldsOf = (codec: Codec<never>): string => codec.fields!.join(", ");

test("every kind of transaction with its number and fields", () => {
  const table = Object.entries(actionTable);
  expect(rows("Kinds", 3)).toEqual(
    table.map(([kind, [number, codec]]) => `${number} | \`${kind}\` | ${fieldsOf(codec as Codec<never>)}`),
  );
});

test("every refusal with its number, code and sentence", () => {
  const table = Object.entries(refusalTable);
  expect(rows("Refusals", 4)).toEqual(
    table.map(([name, [number, code, sentence]]) => `${number} | \`${name}\` | \`${code}\` | ${sentence}`),
  );
});

test("every kind of state entry and every list", () => {
  const kinds = Object.entries(entries).map(([name, { kind }]) => `${kind} | \`${name}\``);
  const numbers = Object.entries(lists).map(([name, number]) => `${number} | \`${name}\``);
  expect(rows("State values", 2)).toEqual([...kinds, ...numbers]);
  const values = Object.values(entries).flatMap(({ codec }) => {
    const { fields } = codec as Codec<never>;
    return fields === undefined ? [] : [`[${fields.join(", ")}]`];
  });
  for (const value of values) expect(spec).toContain(value);
});

test("every outcome of a log entry", () => {
  for (const number of Object.values(outcomes)) {
    const named = new RegExp(`Outcomes:[^.]*\\b${number}\\b`).test(spec) || (number > 10 && number < 13);
    expect(named, String(number)).toBe(true);
  }
});
