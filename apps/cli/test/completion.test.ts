/** Shell completion: the shells parse the scripts, and bash offers what there is. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { createProgram } from "../src/program.ts";

function script(shell: string): string {
  const written: string[] = [];
  const { write } = process.stdout;
  process.stdout.write = ((text: string) => written.push(text) > 0) as typeof write;
  try {
    createProgram().parse(["completion", shell], { from: "user" });
  } finally {
    process.stdout.write = write;
  }
  return written.join("");
}

/** What bash would offer for a line whose last word is under way. */
function offered(...words: string[]): string[] {
  const array = ["chartseal", ...words].map((word) => `'${word}'`).join(" ");
  const question = `COMP_WORDS=(${array}); COMP_CWORD=${words.length}; _chartseal; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", `${script("bash")}\n${question}`], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((word) => word !== "");
}

it("bash offers commands, then the commands of a group, then a command's options and the global ones", () => {
  expect(offered("re")).toEqual(expect.arrayContaining(["request", "records", "record", "rekey"]));
  expect(offered("attributes", "")).toEqual(expect.arrayContaining(["grant", "list", "revoke"]));
  expect(offered("attributes", "g")).toEqual(["grant"]);
  expect(offered("open", "--")).toEqual(expect.arrayContaining(["--as", "--range", "--json", "--home"]));
  expect(offered("open", "--")).not.toContain("--owner");
});

it("bash offers nothing of ours where an option's value stands, so that files are completed", () => {
  expect(offered("open", "--out", "")).toEqual([]);
});

it("bash knows its place behind options and their values", () => {
  expect(offered("--home", "demo", "--json", "rule", "s")).toEqual(["set"]);
});

it.each(["bash", "zsh", "fish"])(
  "the script for %s names every command, and the shell parses it where it is",
  (shell) => {
    const text = script(shell);
    const names = createProgram().commands.map((command) => command.name());
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
    const file = join(mkdtempSync(join(tmpdir(), "chartseal-completion-")), `script.${shell}`);
    writeFileSync(file, text);
    const checked = spawnSync(shell, ["-n", file], { encoding: "utf8" });
    rmSync(dirname(file), { recursive: true });
    // Bash is wherever these tests run; the other two are asked where they are installed.
    const answer = checked.error === undefined ? `${checked.status} ${checked.stderr}` : shell;
    expect(["0 ", shell === "bash" ? "0 " : shell]).toContain(answer);
  },
);
