/** Documents: links that lead somewhere, the chapters of the spec and their vectors, a reason for every dependency. */
import { lineAt, resolveRelative } from "./scan.ts";
import { type Finding, select, type Tree, tests } from "./tree.ts";

/** A document without its code: examples link nowhere. */
const prose = (text: string) =>
  text
    .replace(/^(```|~~~)[\s\S]*?^\1/gm, (block) => block.replace(/[^\n]/g, " "))
    .replace(/`[^`\n]*`/g, (span) => " ".repeat(span.length));

/** The anchors of a document's headings, as code hosts make them. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "").matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
    let anchor = slug;
    for (let i = 1; anchors.has(anchor); i++) anchor = `${slug}-${i}`;
    anchors.add(anchor);
  }
  return anchors;
}

function leads(tree: Tree, from: string, link: string): boolean {
  const [address = "", anchor] = decodeURIComponent(link).split("#");
  const target = address === "" ? from : (resolveRelative(from, `./${address}`) ?? "").replace(/\/$/, "");
  const isFolder = target === "" || [...tree.keys()].some((path) => path.startsWith(`${target}/`));
  if (!tree.has(target) && !isFolder) return false;
  if (anchor === undefined || !target.endsWith(".md")) return true;
  return anchorsOf(tree.get(target) ?? "").has(anchor);
}

export function documentLinks(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [path, text] of select(tree, /\.md$/)) {
    const inline = /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;
    const defined = /^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm;
    for (const pattern of [inline, defined]) {
      for (const match of prose(text).matchAll(pattern)) {
        const link = match[1]!;
        if (/^[a-z][a-z0-9+.-]*:/i.test(link) || leads(tree, path, link)) continue;
        findings.push({ path, message: `line ${lineAt(text, match.index)}: ${link} leads nowhere` });
      }
    }
  }
  return findings;
}

const chapters = [
  "1-policy",
  "2-cpabe",
  "3-file",
  "4-abs",
  "5-storage",
  "6-ledger",
  "7-sharing",
  "8-authority",
  "9-http",
];

/** Every chapter stands; every vector file is JSON, is told in a chapter and is read by a test. */
export function specification(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const chapter of chapters) {
    if (!tree.has(`spec/${chapter}.md`)) findings.push({ path: `spec/${chapter}.md`, message: "missing" });
  }
  const told = select(tree, /^spec\/.*\.md$/).map(([, text]) => text);
  const read = select(tree, tests).map(([, text]) => text);
  const vectors = select(tree, /^spec\/vectors\/.*\.json$/);
  if (vectors.length === 0) findings.push({ path: "spec/vectors", message: "no vectors" });
  for (const [path, text] of vectors) {
    const name = path.split("/").at(-1)!;
    try {
      JSON.parse(text);
    } catch {
      findings.push({ path, message: "not JSON" });
    }
    if (!told.some((chapter) => chapter.includes(name)))
      findings.push({ path, message: "no chapter tells of it" });
    if (!read.some((test) => test.includes(name))) findings.push({ path, message: "no test reads it" });
  }
  return findings;
}

/** docs/decisions/dependencies.md argues for each dependency, and for none that is gone. */
export function arguedDependencies(tree: Tree): Finding[] {
  const path = "docs/decisions/dependencies.md";
  const rows = new Set([...(tree.get(path) ?? "").matchAll(/^\| `([^`]+)` /gm)].map((match) => match[1]!));
  const used = new Set<string>();
  for (const [, text] of select(tree, /(?:^|\/)package\.json$/)) {
    const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
    for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
      for (const name of Object.keys(manifest[kind] ?? {}))
        if (!name.startsWith("@chartseal/")) used.add(name);
    }
  }
  const missing = [...used]
    .filter((name) => !rows.has(name))
    .map((name) => ({ path, message: `no row for ${name}` }));
  const gone = [...rows]
    .filter((name) => !used.has(name))
    .map((name) => ({ path, message: `${name} is used nowhere` }));
  return [...missing, ...gone];
}
