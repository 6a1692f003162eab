/**
 * The repository's own rules, as tests (DESIGN, Layout; ARCHITECTURE, Who may import whom; STYLE). Each rule is a
 * function of the tree and is shown to catch a planted fault, and to leave its innocent neighbour alone.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { arguedDependencies, documentLinks, specification } from "./tidy/document-rules.ts";
import {
  deepImports,
  importCycles,
  importDirections,
  neverMeet,
  orphans,
  purity,
  serverClients,
} from "./tidy/import-rules.ts";
import { importsOf, strip } from "./tidy/scan.ts";
import {
  barrels,
  exactVersions,
  fileHeaders,
  fileLength,
  fileNames,
  promises,
  secrets,
  skippedTests,
  starExports,
  uniqueCodes,
} from "./tidy/text-rules.ts";
import { type Finding, readTree, root, type Tree } from "./tidy/tree.ts";

const tree = readTree();
type Rule = (tree: Tree) => Finding[];
const rules: Readonly<Record<string, Rule>> = {
  "imports go in the allowed directions, to declared dependencies": importDirections,
  "packages are entered by their entry points": deepImports,
  "no files load each other in a circle": importCycles,
  "crypto, sharing and the ledger machine know no machine, clock or chance": purity,
  "a server's clients are small, and a server is reached by them": serverClients,
  "cpabe and abs never meet, nor embedded and comet": neverMeet,
  "somebody imports every file": orphans,
  "files have at most 500 lines": fileLength,
  "file names are kebab-case and say something": fileNames,
  "sources open with what they are": fileHeaders,
  "nothing is exported by a star": starExports,
  "only an index.ts is a list of re-exports": barrels,
  "no test is skipped or alone": skippedTests,
  "nothing is left for later in a comment": promises,
  "no file looks like a secret": secrets,
  "codes, refusals and tags are unique and in their tables": uniqueCodes,
  "versions are exact": exactVersions,
  "links in documents lead somewhere": documentLinks,
  "the chapters of the spec stand, and their vectors are told and read": specification,
  "every dependency is argued for": arguedDependencies,
};

describe("in this repository", () => {
  it("there are files to look at", () => {
    expect(tree.size).toBeGreaterThan(50);
    expect(tree.has("packages/crypto/src/index.ts")).toBe(true);
  });

  for (const [name, rule] of Object.entries(rules)) {
    it(name, () => {
      expect(rule(tree).map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
    });
  }
});

/** Biome's own rule, since it can parse: the findings in `paths`, under this repository's settings. */
function longFunctions(...paths: readonly string[]): string {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/@biomejs/biome/bin/biome"),
      "lint",
      `--config-path=${root}`,
      "--vcs-enabled=false",
      "--only=complexity/noExcessiveLinesPerFunction",
      "--diagnostic-level=error",
      ...paths,
    ],
    { cwd: root, encoding: "utf8" },
  );
  const output = `${stdout}${stderr}`;
  expect(output).toMatch(/Checked \d+ files? in/);
  return output.replace(/Checked \d+ files? in[\s\S]*/, "");
}

describe("functions have at most 70 lines", () => {
  it("in every source", () => {
    expect(longFunctions("packages", "apps", "bench", "lab", "scripts")).toBe("");
  });

  it("and one of 71 is caught, one of 70 is not", () => {
    const folder = mkdtempSync(join(tmpdir(), "chartseal-tidy-"));
    try {
      const found = [71, 70].map((count) => {
        writeFileSync(join(folder, "planted.ts"), `export function f() {\n${"  g();\n".repeat(count)}}\n`);
        return longFunctions(folder);
      });
      expect(found).toEqual([expect.stringContaining("too many lines (71)"), ""]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const crypto = "packages/crypto/src";
const ledger = "packages/ledger/src";
const manifest = (home: string, rest: object) => [`${home}/package.json`, JSON.stringify(rest)] as const;
const entry = { exports: { ".": { "chartseal-source": "./src/index.ts" } } };
const later = ["TO", "DO"].join("");
const begin = ["-----BEGIN", "PRIVATE KEY-----"].join(" ");

/** Rule, what is planted, the tree with it, the same tree without. */
const planted: readonly (readonly [Rule, string, Record<string, string>, Record<string, string>])[] = [
  [
    importDirections,
    "crypto importing the ledger",
    { [`${crypto}/a.ts`]: 'import { x } from "@chartseal/ledger";' },
    {},
  ],
  [
    importDirections,
    "storage importing crypto for its types",
    { "packages/storage/src/a.ts": 'import type { E } from "@chartseal/crypto";' },
    {},
  ],
  [
    importDirections,
    "an undeclared dependency",
    { [`${crypto}/a.ts`]: 'import { x } from "left-pad";' },
    {
      [`${crypto}/a.ts`]: 'import { x } from "cborg";',
      "packages/crypto/package.json": '{"dependencies":{"cborg":"1.0.0"}}',
    },
  ],
  [
    importDirections,
    "a path out of the package",
    { [`${crypto}/a.ts`]: 'import { x } from "../../storage/src/b.ts";' },
    { [`${crypto}/a/b.ts`]: 'import { x } from "../c.ts";' },
  ],
  [
    importDirections,
    "an import in a dynamic call",
    { [`${crypto}/a.ts`]: 'const x = await import("@chartseal/sharing");' },
    { [`${crypto}/a.ts`]: '// await import("@chartseal/sharing")' },
  ],
  [
    deepImports,
    "a deep import",
    { [`${ledger}/a.ts`]: 'import { x } from "@chartseal/crypto/src/bytes.ts";' },
    {
      [`${ledger}/a.ts`]: 'import { x } from "@chartseal/crypto";',
      "packages/crypto/package.json": JSON.stringify(entry),
    },
  ],
  [
    deepImports,
    "a test that reaches into another package",
    { "packages/ledger/test/a.test.ts": 'import { x } from "../../crypto/src/b.ts";' },
    { "packages/ledger/test/a.test.ts": 'import { x } from "../src/b.ts";' },
  ],
  [
    importCycles,
    "a cycle of three",
    {
      [`${crypto}/a.ts`]: 'import { b } from "./b.ts";',
      [`${crypto}/b.ts`]: 'export { c } from "./c.ts";',
      [`${crypto}/c.ts`]: 'import "./a.ts";',
    },
    {
      [`${crypto}/a.ts`]: 'import { b } from "./b.ts";',
      [`${crypto}/b.ts`]: 'import type { A } from "./a.ts";',
    },
  ],
  [
    purity,
    "the clock in sharing",
    { "packages/sharing/src/a.ts": "const t = Date.now();" },
    { "packages/sharing/src/a.ts": "// Date.now() is handed in\nconst t = now();" },
  ],
  [
    purity,
    "node in the machine",
    { [`${ledger}/machine.ts`]: 'import { hash } from "node:crypto";' },
    { [`${ledger}/embedded/a.ts`]: 'import { open } from "node:fs";' },
  ],
  [
    purity,
    "the environment in crypto",
    { [`${crypto}/a.ts`]: "const x = process.env.X;" },
    { [`${crypto}/platform/node.ts`]: "const x = process.env.X;" },
  ],
  [
    purity,
    "chance inside a template",
    { [`${crypto}/a.ts`]: "const x = `$" + "{Math.random()}`;" },
    { [`${crypto}/a.ts`]: "const x = `Math.random()`;" },
  ],
  [
    purity,
    "a date asked for its local day",
    { "packages/sharing/src/a.ts": "const x = new Date(timeMs).getDate();" },
    { "packages/sharing/src/a.ts": "const x = new Date(timeMs).getUTCDate();" },
  ],
  [
    purity,
    "a date made from now",
    { [`${ledger}/a.ts`]: "const x = new Date();" },
    { [`${ledger}/a.ts`]: 'const x = "new Date()";' },
  ],
  [
    serverClients,
    "a client that loads its server",
    { "apps/server/src/client/a.ts": 'import { x } from "../roles/ledger/wire.ts";' },
    { "apps/server/src/client/a.ts": 'import type { X } from "../roles/ledger/wire.ts";' },
  ],
  [
    serverClients,
    "a client that needs Node",
    { "apps/server/src/client/a.ts": 'import { x } from "node:http";' },
    { "apps/server/src/client/node-transport.ts": 'import { x } from "node:http";' },
  ],
  [
    serverClients,
    "a command line that loads a server before it is told to",
    { "apps/cli/src/a.ts": 'import { startHost } from "@chartseal/server";' },
    { "apps/cli/src/a.ts": 'const { startHost } = await import("@chartseal/server");' },
  ],
  [
    serverClients,
    "a page that loads a server at all",
    { "apps/portal/src/a.ts": 'const { x } = await import("@chartseal/server");' },
    { "apps/portal/src/a.ts": 'import { x } from "@chartseal/server/client";' },
  ],
  [
    neverMeet,
    "abs using cpabe",
    { [`${crypto}/abs/a.ts`]: 'import { x } from "../cpabe/b.ts";' },
    { [`${crypto}/abs/a.ts`]: 'import { x } from "../policy/b.ts";' },
  ],
  [
    neverMeet,
    "comet using embedded",
    { [`${ledger}/comet/a.ts`]: 'import type { X } from "../embedded/b.ts";' },
    { [`${ledger}/comet/a.ts`]: 'import { x } from "../machine.ts";' },
  ],
  [
    orphans,
    "a file that nobody imports",
    {
      [`${crypto}/index.ts`]: "",
      [`${crypto}/a.ts`]: "",
      "packages/crypto/package.json": JSON.stringify(entry),
    },
    {
      [`${crypto}/index.ts`]: 'export { a } from "./a.ts";',
      [`${crypto}/a.ts`]: "",
      "packages/crypto/package.json": JSON.stringify(entry),
    },
  ],
  [
    orphans,
    "a test helper that no test uses",
    { "test/a.ts": "" },
    { "test/a.ts": "", "test/a.test.ts": 'import "./a.ts";' },
  ],
  [
    fileLength,
    "a file of 501 lines",
    { [`${crypto}/a.ts`]: "x\n".repeat(501) },
    { [`${crypto}/a.ts`]: "x\n".repeat(500) },
  ],
  [
    fileNames,
    "a name in camel case",
    { [`${crypto}/fileName.ts`]: "" },
    { [`${crypto}/file-name.test.ts`]: "", "docs/README.md": "" },
  ],
  [
    fileNames,
    "a name that says nothing",
    { [`${crypto}/utils.ts`]: "" },
    { [`${crypto}/utility-function.ts`]: "" },
  ],
  [
    fileHeaders,
    "a source without a header",
    { [`${crypto}/a.ts`]: "export const x = 1;" },
    { [`${crypto}/a.ts`]: "/** What. */\nexport const x = 1;" },
  ],
  [
    starExports,
    "a star",
    { [`${crypto}/a.ts`]: 'export * from "./b.ts";' },
    { [`${crypto}/a.ts`]: '// export * from "./b.ts"' },
  ],
  [
    barrels,
    "a barrel",
    { [`${crypto}/all.ts`]: 'export { x } from "./b.ts";' },
    { [`${crypto}/index.ts`]: 'export { x } from "./b.ts";' },
  ],
  [barrels, "an index that defines", { [`${crypto}/index.ts`]: "export const x = 1;" }, {}],
  [
    skippedTests,
    "a skipped test",
    { "test/a.test.ts": 'it.skip("x", () => {});' },
    { "test/a.test.ts": 'it("skips: it.skip()", () => {});' },
  ],
  [
    skippedTests,
    "a lonely test",
    { "test/a.test.ts": 'describe . only("x", () => {});' },
    { "test/shared-data.ts": "describe.skip(name);" },
  ],
  [
    promises,
    "a promise",
    { [`${crypto}/a.ts`]: `// ${later}: later` },
    { [`${crypto}/a.ts`]: `// ${later}S and methods` },
  ],
  [
    secrets,
    "a private key",
    { "test/a.ts": `const key = "${begin}";` },
    { "test/a.ts": '"-----BEGIN PUBLIC KEY-----"' },
  ],
  [secrets, "a file named as a key", { "deploy/server.pem": "" }, { "docs/pem.md": "" }],
  [
    exactVersions,
    "a range",
    { "package.json": '{"dependencies":{"a":"^1.0.0"}}' },
    { "package.json": '{"dependencies":{"a":"1.0.0"}}' },
  ],
  [
    documentLinks,
    "a dead link",
    { "docs/a.md": "See [b](b.md)." },
    { "docs/a.md": "See [b](b.md), `[c](c.md)`, [d](https://d.example).", "docs/b.md": "" },
  ],
  [
    documentLinks,
    "a dead anchor",
    { "docs/a.md": "[b](b.md#no-such)", "docs/b.md": "## Some such" },
    { "docs/a.md": "[b](b.md#some-such-thing)", "docs/b.md": "## Some such, thing" },
  ],
];

describe("a planted fault is caught, and only it:", () => {
  it.each(planted.map(([rule, what, bad, good]) => ({ rule, what, bad, good, name: rule.name })))(
    "$what ($name)",
    ({ rule, bad, good }) => {
      expect(rule(new Map(Object.entries(bad)))).not.toEqual([]);
      expect(rule(new Map(Object.entries(good)))).toEqual([]);
    },
  );

  it("codes that stand twice, and a tag outside its table", () => {
    const withChange = (path: string, change: (text: string) => string) => {
      return uniqueCodes(new Map([...tree, [path, change(tree.get(path) ?? "")]]));
    };
    const clean = uniqueCodes(tree).length;
    const errors = `${crypto}/errors.ts`;
    expect(withChange(errors, (text) => `${text}\n  "policy-limit": ["usage", "Again."],`)).toHaveLength(
      clean + 1,
    );
    const refusals = `${ledger}/refusals.ts`;
    expect(withChange(refusals, (text) => `${text}\n  again: [1, "defect", "Again."],`)).toHaveLength(
      clean + 1,
    );
    const planting = 'hash("chartseal-v1/file/x\\0");';
    expect(withChange(`${crypto}/planted.ts`, () => planting)).toHaveLength(clean + 1);
  });

  it("a chapter that is gone, a vector that nobody reads or tells, a dependency without a row", () => {
    const vector = "spec/vectors/planted-by-tidy.json".replace("planted-by-tidy", ["pl", "anted"].join(""));
    const clean = specification(tree).length;
    expect(specification(new Map([...tree, [vector, "{}"]]))).toHaveLength(clean + 2);
    expect(specification(new Map([...tree, [vector, "{"]]))).toHaveLength(clean + 3);
    const without = new Map(tree);
    without.delete("spec/5-storage.md");
    expect(specification(without)).toHaveLength(clean + 1);
    const more = new Map([...tree, manifest("packages/planted", { dependencies: { planted: "1.0.0" } })]);
    expect(arguedDependencies(more)).toHaveLength(arguedDependencies(tree).length + 1);
  });
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the templates are what is scanned.
describe("the scanner", () => {
  it.each([
    ["a line comment", "a // b\nc", "a     \nc"],
    ["a block comment", "a /* b\n c */ d", "a     \n      d"],
    ["a string with a comment in it", 'a("// b") // c', 'a("    ")     '],
    ["an escaped quote", '"a\\"b" + c', '"    " + c'],
    ["a regular expression with a quote and a slash", "x = /[\"/]'/g; // y", "x = /      g;     "],
    ["divisions", "a / b / c // d", "a / b / c     "],
    ["a template with code", "`a ${b(`c ${d}`)} e` // f", "`   {b(`   {d}`)}  `     "],
    ["a template with braces in its code", "`${f({ a: {} })}x`; g", "` {f({ a: {} })} `; g"],
  ])("blanks %s", (_what, source, bare) => {
    const found = strip(source, { literals: true }).replaceAll("$", " ");
    expect(found).toBe(bare.replaceAll("$", " "));
    expect(found).toHaveLength(source.length);
  });

  it("finds every form of import", () => {
    const source = `import a from "./a.ts";
      import type { B } from './b.ts';
      import {
        c,
        type D,
      } from "./c.ts";
      import "./d.ts";
      export { e } from "./e.ts";
      export type { F } from "./f.ts";
      const g = await import("./g.ts"); new Worker(new URL("./h.ts", import.meta.url));
      // import x from "./x.ts"
      const text = "import y from './y.ts'";`;
    expect(
      importsOf(source)
        .filter(({ specifier }) => specifier.startsWith("."))
        .sort((a, b) => (a.specifier < b.specifier ? -1 : 1)),
    ).toEqual([
      { specifier: "./a.ts", typeOnly: false },
      { specifier: "./b.ts", typeOnly: true },
      { specifier: "./c.ts", typeOnly: false },
      { specifier: "./d.ts", typeOnly: false },
      { specifier: "./e.ts", typeOnly: false },
      { specifier: "./f.ts", typeOnly: true },
      { specifier: "./g.ts", typeOnly: false },
      { specifier: "./h.ts", typeOnly: false },
    ]);
  });
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the templates are what is scanned.
