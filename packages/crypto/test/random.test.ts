import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { toHex } from "../src/bytes.ts";
import { order } from "../src/pairing/pairing.ts";
import { randomBytes, randomScalar } from "../src/random.ts";
import { seedRandomness } from "../src/random-seam.ts";

const root = new URL("../../../", import.meta.url);

describe("randomness", () => {
  it("is fresh every time", () => {
    const seen = new Set(Array.from({ length: 100 }, () => toHex(randomBytes(16))));
    expect(seen.size).toBe(100);
    expect(randomBytes(0)).toHaveLength(0);
  });

  it("gives scalars below the order that fill its whole range", () => {
    const scalars = Array.from({ length: 400 }, () => randomScalar({ nonZero: true }));
    expect(scalars.every((scalar) => scalar > 0n && scalar < order)).toBe(true);
    for (const quarter of [0n, 1n, 2n, 3n]) {
      const inside = scalars.filter((scalar) => (4n * scalar) / order === quarter).length;
      expect(inside).toBeGreaterThan(50);
    }
  });

  it("repeats under a test's seed, until the test gives it back", () => {
    const draw = (seed: string): string => {
      const restore = seedRandomness(seed);
      const drawn = `${toHex(randomBytes(40))} ${randomScalar()}`;
      restore();
      return drawn;
    };
    expect(draw("a")).toBe(draw("a"));
    expect(draw("a")).not.toBe(draw("b"));
    expect(toHex(randomBytes(40))).not.toBe(toHex(randomBytes(40)));
  });

  it("cannot be seeded outside the test runner, whatever the environment and the globals say", async () => {
    const program = `
      globalThis.VITEST = true; globalThis.__vitest_worker__ = {}; import.meta.env = { VITEST: "true" };
      const seam = await import(${JSON.stringify(new URL("packages/crypto/src/random-seam.ts", root).href)});
      try { seam.seedRandomness("x"); console.log("seeded"); } catch (error) { console.log(error.code); }
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=chartseal-source", "--input-type=module", "--eval", program],
      { env: { ...process.env, VITEST: "true", NODE_ENV: "test" } },
    );
    expect(stdout.trim()).toBe("defect");
  });

  it("has no way to the seam through the package's entry or its paths", async () => {
    expect(Object.keys(await import("../src/index.ts"))).not.toContain("seedRandomness");
    for (const path of ["random-seam", "src/random-seam.ts", "dist/random-seam.js", "random-seam.ts"]) {
      const program = `import(${JSON.stringify(`@chartseal/crypto/${path}`)}).then(() => console.log("reached"), (error) => console.log(error.code))`;
      const { stdout } = await promisify(execFile)(process.execPath, ["--eval", program], { cwd: root });
      expect(stdout.trim()).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED");
    }
  });
});
