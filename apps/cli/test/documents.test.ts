/** The documents' command lines: every command and option that they name is one of the program's. */
import { describe, expect, it } from "vitest";
import { readTree } from "../../../test/tidy/tree.ts";
import { createProgram } from "../src/program.ts";
import { chartsealLines, unknownParts } from "./command-lines.ts";

const program = createProgram();
const documents = [...readTree()].filter(([path]) => /^(?:[A-Z]+\.md|(?:docs|examples)\/.*\.md)$/.test(path));

/** Code alone: fenced blocks, line by line with continuations joined, and spans. */
function code(text: string): string[] {
  const blocks = [...text.matchAll(/^```[a-z]*\n([\s\S]*?)^```/gm)].map(([, block]) => block!);
  const spans = [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g)].map(
    ([, span]) => span!,
  );
  return [...blocks.flatMap((block) => block.replaceAll("\\\n", " ").split("\n")), ...spans];
}

const commandsOf = (text: string): string[] =>
  code(text).flatMap((line) => line.split(/&&|;|\|/).flatMap(chartsealLines));

describe("the documents", () => {
  it("are there, and show commands", () => {
    expect(documents.flatMap(([, text]) => commandsOf(text)).length).toBeGreaterThan(10);
  });

  it.each(documents)("%s names only commands and options that exist", (_path, text) => {
    expect(commandsOf(text).flatMap((line) => unknownParts(program, line))).toEqual([]);
  });

  it("would be caught naming others", () => {
    const bad =
      "Run `chartseal frobnicate` or:\n\n```sh\nchartseal member add a && chartseal member drop a\n```\n";
    expect(commandsOf(bad).flatMap((line) => unknownParts(program, line))).toHaveLength(2);
  });
});
