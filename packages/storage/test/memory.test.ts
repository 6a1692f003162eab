/** The memory store passes the suite too, so that the suite asks for the contract and not for a folder. */
import { describe, expect, it } from "vitest";
import { collect, conformance, patternBytes, source } from "./conformance.ts";
import { MemoryStore } from "./memory.ts";

conformance("the memory store", async () => {
  const store = new MemoryStore();
  return { store, unfinished: async () => store.unfinished.size };
});

describe("the helpers of the conformance suite", () => {
  it("give patterns in which a shifted range shows", () => {
    const bytes = patternBytes(10_000);
    for (const shift of [1, 255, 256, 1000, 4096]) {
      expect(Buffer.compare(bytes.subarray(shift), bytes.subarray(0, -shift))).not.toBe(0);
    }
  });

  it("feed a source whose buffer is overwritten after each chunk", async () => {
    const bytes = patternBytes(100);
    expect(await collect(source(bytes, 7))).not.toEqual(bytes);
  });
});
