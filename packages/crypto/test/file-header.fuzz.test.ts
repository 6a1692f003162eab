/** Decoders of file/ under mutated input: nothing but `encoding-invalid`, and nothing taken that would not be written. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { equalBytes } from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";
import { decodeHeader, encodeHeader } from "../src/file/header.ts";
import { decodeMetadata, encodeMetadata } from "../src/file/metadata.ts";
import { decodeDescriptor, encodeDescriptor } from "../src/file/payload.ts";
import { decodeSpan, decodeSpanTree, encodeSpan, encodeSpanTree } from "../src/file/span-tree.ts";
import { pattern } from "./file-fixtures.ts";
import { context, filled, header, metadata } from "./file-header-fixtures.ts";

const rounds = fuzzRounds(4_000);

const decoders: readonly (readonly [string, () => Promise<Uint8Array>, (bytes: Uint8Array) => Uint8Array])[] =
  [
    ["header", () => header(), (bytes) => encodeHeader(decodeHeader(bytes))],
    [
      "descriptor",
      async () => encodeDescriptor(context),
      (bytes) => encodeDescriptor(decodeDescriptor(bytes)),
    ],
    ["metadata", async () => encodeMetadata(metadata), (bytes) => encodeMetadata(decodeMetadata(bytes))],
    [
      "span",
      async () => encodeSpan({ leafHashes: pattern(96), proof: [filled(1), filled(2)] }),
      (bytes) => encodeSpan(decodeSpan(bytes)),
    ],
    [
      "span tree",
      async () => encodeSpanTree({ leaves: 5000, nodes: [filled(1), filled(2)] }),
      (bytes) => encodeSpanTree(decodeSpanTree(bytes)),
    ],
  ];

describe("mutated bytes", () => {
  for (const [name, make, again] of decoders) {
    it(`of a ${name} are refused with a coded error or are what the encoder writes`, {
      timeout: fuzzTimeoutMs(rounds),
    }, async () => {
      const original = await make();
      const edit = fc.record({
        at: fc.nat(original.length),
        remove: fc.nat(4),
        insert: fc.uint8Array({ maxLength: 4 }),
      });
      let refused = 0;
      fc.assert(
        fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
          let bytes = [...original];
          for (const { at, remove, insert } of edits) bytes = bytes.toSpliced(at, remove, ...insert);
          const mutated = Uint8Array.from(bytes);
          try {
            if (!equalBytes(again(mutated), mutated)) throw new Error("two encodings");
          } catch (error) {
            if (!hasCode(error, "encoding-invalid")) throw error;
            refused++;
          }
        }),
        { numRuns: rounds },
      );
      expect(refused).toBeGreaterThan(rounds / 4);
    });
  }
});
