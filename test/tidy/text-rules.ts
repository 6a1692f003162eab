/** How single files look: length, names, exports, words that promise work, skipped tests, secrets, unique codes. */
import { lineAt, strip } from "./scan.ts";
import { code, type Finding, select, sources, type Tree, tests } from "./tree.ts";

const linesMax = 500;
/** Tables of constants and generated data, each with its reason. */
const longFiles: Readonly<Record<string, string>> = {};

export function fileLength(tree: Tree): Finding[] {
  return select(tree, code)
    .map(([path, text]) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ path, lines }) => lines > linesMax && !Object.hasOwn(longFiles, path))
    .map(({ path, lines }) => ({ path, message: `${lines} lines, more than ${linesMax}` }));
}

/** Written in capitals by custom; everything else is kebab-case. */
const capitals =
  /^(?:.*\/)?(?:README|ARCHITECTURE|STYLE|CONTRIBUTING|SECURITY|CHANGELOG|LICENSE|Dockerfile)(?:\.md)?$/;
const kebab = /^\.?[a-z0-9]+(?:[-.][a-z0-9]+)*$/;
const vague = /^(?:utils?|helpers?|common|misc|stuff)(?:\.|$)/;

export function fileNames(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const path of tree.keys()) {
    if (capitals.test(path)) continue;
    for (const name of path.split("/")) {
      if (!kebab.test(name)) findings.push({ path, message: `${name} is not kebab-case` });
      else if (vague.test(name)) findings.push({ path, message: `${name} says nothing` });
    }
  }
  return findings;
}

/** A source opens with what it is. */
export function fileHeaders(tree: Tree): Finding[] {
  return select(tree, sources)
    .filter(([, text]) => !/^(?:\/\*\*|\/\/)/.test(text))
    .map(([path]) => ({ path, message: "does not open with a comment that says what it is" }));
}

export function starExports(tree: Tree): Finding[] {
  return select(tree, code)
    .filter(([, text]) => /^\s*export\s*\*/m.test(strip(text, { literals: true })))
    .map(([path]) => ({ path, message: "export *" }));
}

/** Only an `index.ts` is a list of re-exports, and it is nothing else. */
export function barrels(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, sources)) {
    const bare = strip(text, { literals: false });
    const reExports = /^\s*export\s+(?:type\s+)?\{[^}]*\}\s*from\b/m.test(bare);
    const defines =
      /^(?:export\s+)?(?:async\s+)?(?:function|class|const|let|interface|type\s+\w+\s*[=<])/m.test(bare);
    const isIndex = path.endsWith("/index.ts");
    if (reExports && !defines && !isIndex)
      findings.push({ path, message: "only re-exports, and is no index.ts" });
    if (isIndex && defines) findings.push({ path, message: "an index.ts lists exports and defines nothing" });
  }
  return findings;
}

/** Skips belong to one place, which names the reason and turns them into failures in CI. */
const skipsAllowed = new Set(["test/shared-data.ts", "test/tools.ts"]);

export function skippedTests(tree: Tree): Finding[] {
  const pattern =
    /\b(?:it|test|describe|suite|bench)\s*\.\s*(?:concurrent\s*\.\s*)?(?:skip|only|todo|fails|skipIf|runIf)\b|\bx(?:it|describe)\(/;
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, tests)) {
    const match = pattern.exec(strip(text, { literals: true }));
    if (match !== null && !skipsAllowed.has(path)) {
      findings.push({ path, message: `line ${lineAt(text, match.index)}: ${match[0]}` });
    }
  }
  return findings;
}

// Put together here, or this file would break its own rule.
const promise = new RegExp(
  `\\b(?:${["TO", "FIX", "XX", "HA"].map((start, i) => start + ["DO", "ME", "X", "CK"][i]).join("|")})\\b`,
);

export function promises(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of [...tree]) {
    const match = path === "package-lock.json" ? null : promise.exec(text);
    if (match !== null) findings.push({ path, message: `line ${lineAt(text, match.index)}: ${match[0]}` });
  }
  return findings;
}

const secretNames =
  /(?:^|\/)(?:\.env(?:\..*)?|id_(?:rsa|ed25519|ecdsa)|credentials|.*\.(?:pem|key|p12|pfx|jks|kdbx))$/;
const secretTexts = [
  new RegExp(`-----BEGIN ${"[A-Z ]*"}PRIVATE KEY-----`),
  /\bAKIA[0-9A-Z]{16}\b/,
  /\bgh[pousr]_[A-Za-z0-9]{36}\b/,
  /\bnpm_[A-Za-z0-9]{36}\b/,
];

export function secrets(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of tree) {
    if (secretNames.test(path)) findings.push({ path, message: "named like a file of secrets" });
    if (secretTexts.some((pattern) => pattern.test(text)))
      findings.push({ path, message: "holds what looks like a key" });
  }
  return findings;
}

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
}

/** Codes, refusal numbers and names are unique, and tags are written in their one table. */
export function uniqueCodes(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  const table = (path: string, pattern: RegExp, what: string) => {
    const values = [...strip(tree.get(path) ?? "", { literals: false }).matchAll(pattern)].map(
      (match) => match[1]!,
    );
    if (values.length === 0) findings.push({ path, message: `no ${what} found` });
    for (const value of repeated(values)) findings.push({ path, message: `${what} ${value} stands twice` });
  };
  table("packages/crypto/src/errors.ts", /^ {2}"?([a-z-]+)"?: \[/gm, "error code");
  table("packages/storage/src/storage-error.ts", /^ {2}"([a-z-]+)": "/gm, "error code");
  table("packages/ledger/src/refusals.ts", /^ {2}"?[a-z-]+"?: \[\s*(\d+),/gm, "refusal number");
  table("packages/ledger/src/refusals.ts", /^ {2}"?([a-z-]+)"?: \[/gm, "refusal");
  // The peers in bench are other people's schemes and have tags of their own.
  for (const [path, text] of select(tree, /^(?:packages|apps)\/[^/]+\/src\/.*\.tsx?$/)) {
    if (path === "packages/crypto/src/tags.ts") continue;
    if (/["'`]chartseal-v\d+\//.test(strip(text, { literals: false }))) {
      findings.push({ path, message: "writes a tag that tags.ts should hold" });
    }
  }
  return findings;
}

/** Versions are exact, so that the lockfile and a reader agree. */
export function exactVersions(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, /(?:^|\/)package\.json$/)) {
    const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
    for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
      for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
        if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
          findings.push({ path, message: `${name} ${version}` });
      }
    }
  }
  return findings;
}
