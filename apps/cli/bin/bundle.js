// Which program the command runs: the bundle that the build made of it, as long as that is of the build that lies here,
// else the build itself. Plain JavaScript for any Node, since the entry loads it before it knows the runtime.
import fs from "node:fs";

/** Where the command's package lies. */
const home = new URL("../", import.meta.url);
/** TypeScript's note of a build of this package; a package that was published, or an image, has none. */
const note = "tsconfig.tsbuildinfo";

/** What tells one state of a file from another without reading it; null where it is not there. */
export function stateOf(file) {
  const stats = fs.statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? null : [stats.mtimeMs, stats.size];
}

/** What the build wrote of its bundle (scripts/bundle.mjs), or undefined where there is none. */
export function readBundle(folder = home) {
  try {
    return JSON.parse(fs.readFileSync(new URL("dist/bundle/current.json", folder), "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * True where nothing that the bundle was made of was built or installed again since. Where no build was made at all, the
 * bundle is what came with the package.
 */
export function isFresh(bundle, folder = home) {
  if (stateOf(new URL(note, folder)) === null) return true;
  return Object.keys(bundle.madeOf).every((path) => {
    const now = stateOf(new URL(path, folder));
    const then = bundle.madeOf[path];
    return now !== null && now[0] === then[0] && now[1] === then[1];
  });
}

/** The module to start, as a URL. */
export function program() {
  const bundle = readBundle();
  const path =
    bundle !== undefined && isFresh(bundle) ? `dist/bundle/${bundle.folder}/main.js` : "dist/main.js";
  return new URL(path, home).href;
}
