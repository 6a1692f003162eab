/** What can name a place, a region and a placement, and where a placement lets a shard lie. */
import { describe, expect, it } from "vitest";
import { allows, isPlacement, isPlaceName, isRegion, type Place } from "../src/index.ts";

const place = (region: string) => ({ name: "p", region }) as Place;

describe("a place", () => {
  it.each(["a", "0", "s3-eu", "n".repeat(32)])("%j can name one", (name) =>
    expect(isPlaceName(name)).toBe(true),
  );
  it.each(["", "-a", "A", "a.b", "a/b", "a\n", "n".repeat(33)])("%j cannot", (name) =>
    expect(isPlaceName(name)).toBe(false),
  );
  it.each([
    ["eu", true],
    ["us-east", true],
    ["EU", false],
    ["r".repeat(17), false],
    ["", false],
  ])("%j as a region: %s", (text, good) => expect(isRegion(text)).toBe(good));
});

describe("a placement", () => {
  it.each([
    [{ k: 1, n: 1 }, true],
    [{ k: 2, n: 3, regions: ["eu", "ch"] }, true],
    [{ k: 16, n: 16 }, true],
    [{ k: 0, n: 3 }, false],
    [{ k: 3, n: 2 }, false],
    [{ k: 1, n: 17 }, false],
    [{ k: 1.5, n: 3 }, false],
    [{ k: 1, n: 2, regions: ["EU"] }, false],
    [{ k: 1, n: 2, regions: ["eu", "eu"] }, false],
    [{ k: 1, n: 2, regions: Array.from({ length: 17 }, (_, i) => `r${i}`) }, false],
  ])("%j: %s", (placement, good) => expect(isPlacement(placement)).toBe(good));

  it("lets shards lie in its regions, and anywhere where it names none", () => {
    expect(allows({ k: 1, n: 1, regions: ["eu"] }, place("eu"))).toBe(true);
    expect(allows({ k: 1, n: 1, regions: ["eu"] }, place("us"))).toBe(false);
    for (const anywhere of [
      { k: 1, n: 1 },
      { k: 1, n: 1, regions: [] },
    ])
      expect(allows(anywhere, place("us"))).toBe(true);
  });
});
