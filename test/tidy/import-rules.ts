/** Who may import whom (ARCHITECTURE.md, DESIGN.md): directions, cycles, entry points, purity, files nobody uses. */
import { importsOf, resolveRelative, strip } from "./scan.ts";
import { type Finding, select, sources, type Tree, tests } from "./tree.ts";

/** Our packages, and which of ours each may import. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "packages/crypto": [],
  "packages/storage": [],
  // Tests, benchmarks and the demo start real servers with it.
  lab: [],
  "packages/records": [],
  "packages/ledger": ["crypto"],
  "packages/sharing": ["crypto", "storage", "ledger"],
  "packages/oidc": ["crypto", "sharing"],
  // The command line runs a server (`serve`) and reaches one by its client; a server knows no command line.
  "apps/cli": ["crypto", "storage", "ledger", "records", "sharing", "oidc", "bench", "lab", "server"],
  "apps/server": ["crypto", "storage", "ledger", "records", "sharing", "oidc"],
  "apps/portal": ["crypto", "sharing", "server"],
  // What it measures of a committee is measured over a real server.
  bench: ["crypto", "storage", "ledger", "records", "sharing", "server", "lab"],
};

const homeOf = (path: string) =>
  path
    .split("/")
    .slice(0, /^(bench|lab)\//.test(path) ? 1 : 2)
    .join("/");

interface Manifest {
  readonly exports?: Record<string, Record<string, string>>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly bin?: Record<string, string>;
  /** `#name` → a path, or paths by condition, of any depth. */
  readonly imports?: Record<string, unknown>;
}

function manifestOf(tree: Tree, home: string): Manifest {
  return JSON.parse(tree.get(`${home}/package.json`) ?? "{}") as Manifest;
}

/** The package of a specifier: `@scope/name` or `name`. */
const packageOf = (specifier: string) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

/** Every file that a `#name` may stand for, by the manifest of the package whose file imports it. */
function privateTargets(tree: Tree, home: string, specifier: string): string[] {
  const pathsOf = (target: unknown): string[] => {
    if (typeof target === "string") return [`${home}/${target.replace(/^\.\//, "")}`];
    return Object.values((target ?? {}) as Record<string, unknown>).flatMap(pathsOf);
  };
  return pathsOf(manifestOf(tree, home).imports?.[specifier]).filter((path) => sources.test(path));
}

export function importDirections(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, sources)) {
    const home = homeOf(path);
    const { dependencies = {} } = manifestOf(tree, home);
    for (const { specifier } of importsOf(text)) {
      const target = resolveRelative(path, specifier);
      if (target !== undefined) {
        if (!target.startsWith(`${home}/`))
          findings.push({ path, message: `${specifier} leaves its package` });
        continue;
      }
      if (specifier.startsWith("node:")) continue;
      if (specifier.startsWith("#")) {
        const known = privateTargets(tree, home, specifier).length > 0;
        if (!known) findings.push({ path, message: `${specifier} is not in the imports of ${home}` });
        continue;
      }
      const name = packageOf(specifier);
      const ours = name.startsWith("@chartseal/") ? name.slice("@chartseal/".length) : undefined;
      if (ours !== undefined && !(allowed[home] ?? []).includes(ours)) {
        findings.push({ path, message: `${home} may not import ${name}` });
      }
      if (!Object.hasOwn(dependencies, name))
        findings.push({ path, message: `${name} is no dependency of ${home}` });
    }
  }
  return findings;
}

/** Across packages by an entry that the package's `exports` lists; never into its folders. */
export function deepImports(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, /\.(?:ts|tsx|mjs)$/)) {
    for (const { specifier } of importsOf(text)) {
      const name = packageOf(specifier);
      if (name.startsWith("@chartseal/")) {
        const short = name.slice("@chartseal/".length);
        const home = Object.keys(allowed).find((one) => one === short || one.endsWith(`/${short}`)) ?? short;
        const entry = `.${specifier.slice(name.length)}`;
        if (!Object.hasOwn(manifestOf(tree, home).exports ?? {}, entry)) {
          findings.push({ path, message: `${specifier} is no entry of ${name}` });
        }
        continue;
      }
      const target = resolveRelative(path, specifier);
      const crossing = target !== undefined && sources.test(target) && homeOf(target) !== homeOf(path);
      if (crossing) findings.push({ path, message: `${specifier} reaches into another package` });
    }
  }
  return findings;
}

/** Cycles of files that load each other; imports of types alone are erased and make none. */
export function importCycles(tree: Tree): Finding[] {
  const edges = new Map<string, string[]>();
  for (const [path, text] of select(tree, sources)) {
    const loaded = importsOf(text).filter(({ typeOnly }) => !typeOnly);
    const targets = loaded.flatMap(({ specifier }) => {
      if (specifier.startsWith("#")) return privateTargets(tree, homeOf(path), specifier);
      return [resolveRelative(path, specifier) ?? ""];
    });
    edges.set(
      path,
      targets.filter((target) => tree.has(target)),
    );
  }
  const findings: Finding[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) findings.push({ path, message: `a cycle: ${[...trail.slice(start), path].join(" → ")}` });
    if (start >= 0 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return findings;
}

/** Where nothing may depend on the machine it runs on, the time, or chance. */
const pure =
  /^packages\/(?:crypto\/src\/(?!platform\/node(?:-hasher)?\.ts$)|sharing\/src\/|ledger\/src\/(?!embedded\/|comet\/|store\/))/;
const impurities: readonly (readonly [pattern: RegExp, what: string])[] = [
  // A date made of a number that is handed in is arithmetic; one made of nothing is the clock, and one made of text, or
  // asked for its local parts, depends on the machine's time zone.
  [/\bDate\.now\b|\bnew Date(?:\(\s*\)|(?!\s*\())|(?<!new )\bDate\(/, "the clock"],
  [
    /\bnew Date\(\s*["'`]|\bDate\.parse\b|\.toLocale\w*\(|\.get(?:FullYear|Month|Date|Day|Hours|Minutes)\(/,
    "the time zone",
  ],
  [/\bperformance\./, "the clock"],
  [/\bprocess\.(?!\w*\s*=)/, "the process"],
  [/\bMath\.random\b/, "Math.random"],
  [/\bset(?:Timeout|Interval|Immediate)\(/, "a timer"],
  [/\bconsole\./, "the console"],
];

export function purity(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, pure)) {
    for (const { specifier } of importsOf(text)) {
      if (specifier.startsWith("node:")) findings.push({ path, message: `imports ${specifier}` });
    }
    const bare = strip(text, { literals: true });
    for (const [pattern, what] of impurities)
      if (pattern.test(bare)) findings.push({ path, message: `uses ${what}` });
  }
  return findings;
}

/**
 * A server's client is small and runs in browsers: it loads no server, and nothing of Node but in its one transport. Who
 * reaches a server does so by the client; the command line loads a server only when it is told to run one.
 */
export function serverClients(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, /^apps\/server\/src\/(?:client|signature)\//)) {
    for (const { specifier, typeOnly } of importsOf(text)) {
      const inside = /\/(?:host|roles)\//.test(resolveRelative(path, specifier) ?? "");
      const outside = /^(?:fastify|@fastify|zod)/.test(specifier);
      const node = specifier.startsWith("node:") && !path.endsWith("/node-transport.ts");
      if (!typeOnly && (inside || outside || node))
        findings.push({ path, message: `a client may not load ${specifier}` });
    }
  }
  for (const [path, text] of select(tree, /^apps\/(?:cli|portal)\/src\//)) {
    const server = importsOf(text).some(
      ({ specifier, typeOnly }) => specifier === "@chartseal/server" && !typeOnly,
    );
    const isLazy = !/^import\s(?!type\b)[^;]*?from\s+"@chartseal\/server"/m.test(text);
    if (server && (path.startsWith("apps/portal/") || !isLazy))
      findings.push({ path, message: "reaches a server other than by its client" });
  }
  return findings;
}

/** Pairs of folders that know nothing of each other. */
const strangers = [
  ["packages/crypto/src/cpabe/", "packages/crypto/src/abs/"],
  ["packages/ledger/src/embedded/", "packages/ledger/src/comet/"],
] as const;

export function neverMeet(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, sources)) {
    for (const { specifier } of importsOf(text)) {
      const target = resolveRelative(path, specifier) ?? "";
      for (const [one, other] of strangers) {
        const meets =
          (path.startsWith(one) && target.startsWith(other)) ||
          (path.startsWith(other) && target.startsWith(one));
        if (meets) findings.push({ path, message: `meets ${target}` });
      }
    }
  }
  return findings;
}

/** Entry points: what `exports` and `bin` name, test files, and scripts that the root's tasks run. */
function entries(tree: Tree): string[] {
  const found = select(tree, /\.(?:test\.ts|mjs)$|^vitest\.config\.ts$/).map(([path]) => path);
  for (const home of Object.keys(allowed)) {
    const { exports = {}, bin = {} } = manifestOf(tree, home);
    for (const entry of Object.values(exports))
      found.push(`${home}/${(entry["chartseal-source"] ?? "").slice(2)}`);
    for (const path of Object.values(bin)) found.push(`${home}/${path.replace(/^\.\//, "")}`);
  }
  return found;
}

/** Sources and test helpers that no entry point reaches. */
export function orphans(tree: Tree): Finding[] {
  const reached = new Set<string>();
  const pending = entries(tree);
  while (pending.length > 0) {
    const path = pending.pop()!;
    if (reached.has(path) || !tree.has(path)) continue;
    reached.add(path);
    for (const { specifier } of importsOf(tree.get(path)!)) {
      if (specifier.startsWith("#")) pending.push(...privateTargets(tree, homeOf(path), specifier));
      const target = resolveRelative(path, specifier);
      // What runs the build names its output: the source is what it stands for.
      if (target !== undefined)
        pending.push(target, target.replace("/dist/", "/src/").replace(/\.js$/, ".ts"));
    }
  }
  return [...select(tree, sources), ...select(tree, tests)]
    .filter(([path]) => !reached.has(path))
    .map(([path]) => ({ path, message: "nobody imports it" }));
}
