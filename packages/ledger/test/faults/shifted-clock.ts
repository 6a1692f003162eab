/**
 * A CometBFT whose clock is off by what COMET_CLOCK_OFFSET says (a duration of Go, e.g. -1h). Go's programs read the clock past
 * the C library, so it is built for this: the pinned version with two files changed. The node's timers, which count and do
 * not ask for the time of day, stay right, as they do on a machine with a wrong clock.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const version = "v0.38.25";
const root = fileURLToPath(new URL("../../../..", import.meta.url));
const built = join(root, "node_modules", ".chartseal-tools", `cometbft-shifted-clock-${version}`);
const buildMsMax = 900_000;

/** File, what is there, what stands in its place. */
const changes = [
  ["types/time/time.go", "Canonical(time.Now())", "Canonical(time.Now().Add(offset))"],
  [
    "types/time/time.go",
    "// Now returns",
    'var offset, _ = time.ParseDuration(os.Getenv("COMET_CLOCK_OFFSET"))\n\n// Now returns',
  ],
  ["types/time/time.go", "import (", 'import (\n\t"os"'],
  ["state/validation.go", "time.Now()", "cmttime.Now()"],
  ["state/validation.go", "import (", 'import (\n\tcmttime "github.com/cometbft/cometbft/types/time"'],
] as const;

function go(args: readonly string[], cwd?: string): string {
  const options = { encoding: "utf8", timeout: buildMsMax, ...(cwd === undefined ? {} : { cwd }) } as const;
  const { status, stdout, stderr, error } = spawnSync("go", args, options);
  if (status !== 0) throw new Error(`go ${args[0]}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** The program, built where it is not there yet. @throws Error where there is no Go, or no module */
export function shiftedClockProgram(): string {
  if (existsSync(built)) return built;
  const folder = mkdtempSync(join(tmpdir(), "chartseal-go-"));
  try {
    const { Dir } = JSON.parse(
      go(["mod", "download", "-json", `github.com/cometbft/cometbft@${version}`], folder),
    );
    const source = join(folder, "source");
    cpSync(Dir, source, { recursive: true });
    spawnSync("chmod", ["-R", "u+w", source]);
    for (const [path, before, after] of changes) {
      const text = readFileSync(join(source, path), "utf8");
      if (!text.includes(before)) throw new Error(`${path} is not what this was written for`);
      writeFileSync(join(source, path), text.replaceAll(before, after));
    }
    const program = join(folder, "cometbft");
    go(["build", "-o", program, "./cmd/cometbft"], source);
    cpSync(program, `${built}.new`);
    renameSync(`${built}.new`, built);
    return built;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A program that is the one with its clock off by so many milliseconds; written into a folder. */
export function shiftedBy(folder: string, offsetMs: number): string {
  const path = join(folder, `cometbft${offsetMs}`);
  if (!existsSync(dirname(path))) throw new Error("the folder for the program is missing");
  writeFileSync(path, `#!/bin/sh\nCOMET_CLOCK_OFFSET=${offsetMs}ms exec '${shiftedClockProgram()}' "$@"\n`);
  chmodSync(path, 0o700);
  return path;
}
