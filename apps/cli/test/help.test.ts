/** Help: every command has a description, describes its options, and shows an example that could be run. */
import { describe, expect, it } from "vitest";
import { createProgram } from "../src/program.ts";
import { chartsealLines, leaves, shellWords, unknownParts } from "./command-lines.ts";

const program = createProgram();

function helpOf(way: string): string {
  const { command } = leaves(program).find((leaf) => leaf.way === way)!;
  let shown = "";
  command.configureOutput({
    writeOut: (text) => {
      shown += text;
    },
  });
  command.outputHelp();
  return shown;
}

describe("help", () => {
  it.each(leaves(program).map(({ way }) => way))(
    "of %s shows an example that its own parser knows",
    (way) => {
      const [, shown] = helpOf(way).split("Example:");
      expect(shown, "no example").toBeDefined();
      const lines = chartsealLines(shown!);
      expect(
        lines.map((line) => line.replace(/^chartseal /, "")).filter((line) => line.startsWith(way)),
      ).not.toEqual([]);
      expect(lines.flatMap((line) => unknownParts(program, line.replace(/\)$/, "")))).toEqual([]);
    },
  );

  it.each(leaves(program))("of $way describes it and each of its options", ({ command }) => {
    expect(command.description()).not.toBe("");
    const silent = command.options.filter(({ description, hidden }) => !hidden && description === "");
    expect(silent.map(({ flags }) => flags)).toEqual([]);
  });
});

describe("the check of command lines", () => {
  it("takes a line apart as a shell does", () => {
    expect(shellWords('chartseal policy check "a@b and c@d" --json # why')).toEqual([
      "chartseal",
      "policy",
      "check",
      "a@b and c@d",
      "--json",
    ]);
    expect(shellWords("chartseal member add alice && chartseal member add bob")).toEqual([
      "chartseal",
      "member",
      "add",
      "alice",
    ]);
    expect(
      chartsealLines("a=1 chartseal records && chartseal verify; x/chartseal y; chartseal-v1/a b"),
    ).toHaveLength(1);
  });

  it("knows what does not exist", () => {
    expect(unknownParts(program, "chartseal attributes give bob doctor@cedars")).toHaveLength(1);
    expect(unknownParts(program, "chartseal open RECORD --as bob --colour red")).toHaveLength(1);
    expect(unknownParts(program, "chartseal frobnicate")).toHaveLength(1);
    expect(unknownParts(program, "chartseal --home demo open RECORD --as bob --range 0-1 --json")).toEqual(
      [],
    );
  });
});
