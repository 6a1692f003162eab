/** For any code, size and range, and any n − k wrong blocks in each stripe, every byte comes back; one more, and none that is wrong does. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { StorageError } from "../src/index.ts";
import { Layout } from "../src/split/layout.ts";
import { collect, patternBytes, source } from "./conformance.ts";
import { openWorld, type World } from "./split-world.ts";

const blockBytes = 1024;

/** Breaks that block of a shard, wherever its place is. */
async function breakBlock(world: World, index: number, stripe: number): Promise<void> {
  const entry = await world.store.parts.index.read("a");
  const at = Number(entry.shards.find((one) => one.index === index)!.place.slice(1));
  const [path] = await world.files(at);
  const file = join(world.placeFolder(at), path!);
  const bytes = await readFile(file);
  bytes[stripe * (blockBytes + 16) + 7]! ^= 0x40;
  await writeFile(file, bytes);
}

const codes = fc
  .integer({ min: 1, max: 6 })
  .chain((n) => fc.tuple(fc.integer({ min: 1, max: n }), fc.constant(n)));
const cases = fc.tuple(codes, fc.integer({ min: 1, max: 40_000 }), fc.infiniteStream(fc.nat()));

it("whatever is wrong, within what the code bears and beyond it", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ([[k, n], size, chance]) => {
      const below = (count: number): number => chance.next().value! % count;
      const world = await openWorld({ count: n, placement: { k, n }, blockBytes });
      try {
        const bytes = patternBytes(size);
        await world.store.put("a", source(bytes));
        const { stripes } = new Layout({ size, k, blockBytes });
        for (let stripe = 0; stripe < stripes; stripe++) {
          const first = below(n);
          for (let at = 0; at < n - k; at++) await breakBlock(world, (first + at) % n, stripe);
        }
        expect(Buffer.compare(await collect(world.store.get("a")), bytes)).toBe(0);
        const from = below(size);
        const toInclusive = from + below(size - from);
        const part = await collect(world.store.get("a", { from, toInclusive }));
        expect(Buffer.compare(part, bytes.subarray(from, toInclusive + 1))).toBe(0);
        for (let index = 0; index < n; index++) await breakBlock(world, index, 0);
        for (let index = 0; index < n - k + 1; index++) {
          // Broken twice is whole again, so that exactly n − k + 1 are wrong now or another number; never a wrong byte.
          await breakBlock(world, index, 0);
        }
        const got = await collect(world.store.get("a")).catch((error: unknown) => error);
        if (got instanceof Uint8Array) expect(Buffer.compare(got, bytes)).toBe(0);
        else expect(got).toBeInstanceOf(StorageError);
      } finally {
        await rm(world.folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 25 },
  );
});
