/** The README's library snippet: it is examples/seal-and-open.ts, and it runs. (Its links: tidy; its commands: the CLI's.) */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./tidy/tree.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const [snippet, ...others] = [...readme.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code!);
const example = readFileSync(join(root, "examples", "seal-and-open.ts"), "utf8");

/** Lines are broken elsewhere in a document than in a source. */
const unformatted = (code: string): string => code.replaceAll(/\s+/g, " ").replaceAll(/,? }/g, " }").trim();

/** Runs TypeScript from the repository's root, against the sources. */
function run(code: string): { output: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["--conditions=chartseal-source", "--input-type=module-typescript"],
    { cwd: root, encoding: "utf8", input: code },
  );
  return { output: `${stdout}${stderr}`.trim(), status };
}

describe("the README", () => {
  it("has one library snippet, the one in examples/seal-and-open.ts", () => {
    expect(others).toEqual([]);
    expect(unformatted(example.replace(/^\/\*\*[\s\S]*?\*\/\n/, ""))).toContain(unformatted(snippet!));
  });

  it("has an example that runs", () => {
    expect(run(example)).toEqual({ output: "true", status: 0 });
  });

  it("has a snippet that opens what it sealed", () => {
    const shown = "\nconsole.log(opened.length, opened.every((byte, at) => byte === message[at]));";
    expect(run(`${snippet}${shown}`)).toEqual({ output: "32 true", status: 0 });
  });

  it("would be caught with a snippet that does not run", () => {
    expect(run(snippet!.replace('"cardiology@cedars"] }', "] }")).status).not.toBe(0);
    expect(run(`${snippet}const x: number = opened.nothing.at(0);`).status).not.toBe(0);
  });
});
