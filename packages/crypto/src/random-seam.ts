/**
 * The one seam for tests: a seeded stream in place of the platform's randomness (CRYPTO §6).
 *
 * Production cannot reach it, for two reasons. The package's `exports` has no path to this module and the entry does
 * not name it, so importing it from outside the package fails in Node and in bundlers. And it refuses unless
 * `import.meta.env.VITEST` is set on this very module: `import.meta` belongs to the module alone, no other code can
 * write to it, and nothing but vitest's module loader puts that field there (in the build it does not exist).
 * Nothing outside tests and `random.ts` imports it; the tidy test holds that.
 */
import { platform } from "#platform";
import { u64, utf8 } from "./bytes.ts";
import { ChartsealError } from "./errors.ts";

type Source = (size: number) => Uint8Array;

let source: Source | undefined;

/** The seeded source while a test has one. */
export function seededSource(): Source | undefined {
  return source;
}

/**
 * Makes `randomBytes` and `randomScalar` give the same stream for the same seed until the returned function is called.
 * Two streams of one seed repeat every key and nonce: for fixed vectors only.
 * @throws ChartsealError `defect` outside vitest
 */
export function seedRandomness(seed: string): () => void {
  const meta = import.meta as ImportMeta & { readonly env?: { readonly VITEST?: unknown } };
  if (!meta.env?.VITEST) throw new ChartsealError("defect", "randomness can be seeded in tests only");
  const key = platform.sha256(utf8(seed));
  let counter = 0;
  const seeded: Source = (size) => {
    const bytes = new Uint8Array(size);
    for (let offset = 0; offset < size; offset += 32) {
      bytes.set(platform.hmacSha256(key, u64(counter++)).subarray(0, size - offset), offset);
    }
    return bytes;
  };
  source = seeded;
  return () => {
    if (source === seeded) source = undefined;
  };
}
