/** The repository as the tidy rules see it: paths from the root, with `/`, and the text of each file. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Path → text. Rules take one of these, so that a test can hand in a planted fault. */
export type Tree = ReadonlyMap<string, string>;

/** What breaks a rule, and where. */
export interface Finding {
  readonly path: string;
  readonly message: string;
}

export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Made, fetched or private: not the repository's. */
const ignored = new Set(["node_modules", "dist", ".git", "coverage", ".chartseal"]);
const isText = /\.(?:ts|tsx|mjs|js|json|md|sh|html|css|yml|yaml)$|\/run$|^\.[a-z]+$|^LICENSE$/;

/** Every file of the working tree; files that are not text have an empty one. */
export function readTree(
  folder = root,
  prefix = "",
  into: Map<string, string> = new Map(),
): Map<string, string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (ignored.has(entry.name) || entry.name.endsWith(".tsbuildinfo")) continue;
    const path = prefix + entry.name;
    if (entry.isDirectory()) readTree(join(folder, entry.name), `${path}/`, into);
    else into.set(path, isText.test(path) ? readFileSync(join(folder, entry.name), "utf8") : "");
  }
  return into;
}

/** The part of the tree whose paths match. */
export function select(tree: Tree, pattern: RegExp): [path: string, text: string][] {
  return [...tree].filter(([path]) => pattern.test(path));
}

export const sources = /^(?:(?:packages|apps)\/[^/]+|bench|lab)\/src\/.*\.tsx?$/;
export const tests = /(?:^|\/)test\/.*\.tsx?$/;
export const code = /\.(?:ts|tsx|mjs|js)$/;
