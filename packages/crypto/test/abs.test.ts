// Attribute-based signatures: what verifies and what does not (CRYPTO §3).
import { describe, expect, test } from "vitest";
import { sign, verify } from "../src/abs/abs.ts";
import { committeeKey, pairing, signer, statement } from "./abs-fixtures.ts";

describe("a signature", () => {
  test("verifies under and, or and thresholds", () => {
    const alice = signer("alice", "cardiologist@cedars", "head@mercy", "nurse@trial");
    for (const text of [
      "cardiologist@cedars",
      "cardiologist@cedars and head@mercy",
      "chief@cedars or cardiologist@cedars",
      "2 of (chief@cedars, head@mercy, nurse@trial) and (cardiologist@cedars or chief@mercy)",
    ]) {
      const what = statement(text);
      const signature = sign(pairing, what, alice);
      expect(verify(pairing, committeeKey, { ...what, signature }), text).toBe(true);
    }
  });
});
