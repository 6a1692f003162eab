/** A split store keeps the contract of an object store, whatever its code, and with one place down from the start. */
import { rm } from "node:fs/promises";
import { afterEach } from "vitest";
import type { Placement } from "../src/index.ts";
import { conformance } from "./conformance.ts";
import { openWorld, type World } from "./split-world.ts";

const worlds: World[] = [];
afterEach(async () => {
  for (const { folder } of worlds.splice(0)) await rm(folder, { recursive: true, force: true });
});

const codes: readonly (readonly [string, Placement, number])[] = [
  ["two of three folders", { k: 2, n: 3 }, 3],
  ["a mirror of two folders", { k: 1, n: 2 }, 2],
  ["one folder of one", { k: 1, n: 1 }, 1],
];

for (const [title, placement, count] of codes) {
  conformance(title, async () => {
    const world = await openWorld({ count, placement, blockBytes: 16 * 1024 });
    worlds.push(world);
    return world;
  });
}

conformance("two of three folders, of which one fails from the start,", async () => {
  const world = await openWorld({ placement: { k: 2, n: 3 } });
  worlds.push(world);
  world.moods[1]!.down = true;
  return world;
});
