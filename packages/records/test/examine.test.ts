/** Records as streams: the same answer however they are cut, and no more read than is needed. */
import { describe, expect, it } from "vitest";
import {
  examine,
  sampleDicomImage,
  sampleFhirBundle,
  samplePdfReport,
  validate,
  validationSizeMax,
} from "../src/index.ts";

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

describe("examine", () => {
  it.each([1, 7, 65_535, 1 << 20])(
    "recognises and validates a stream of chunks of %i bytes",
    async (size) => {
      const valid = { result: "valid", issues: [] };
      expect(await examine(inChunks(samplePdfReport("a"), size))).toEqual({
        mediaType: "application/pdf",
        ...valid,
      });
      expect(await examine(inChunks(sampleDicomImage("a"), size))).toEqual({
        mediaType: "application/dicom",
        ...valid,
      });
      expect(await examine(inChunks(sampleFhirBundle("a"), size))).toEqual({
        mediaType: "application/fhir+json",
        ...valid,
      });
    },
  );

  it("reads 64 KiB of what it has no validator for, and only the limit of what it has", async () => {
    let given = 0;
    async function* endless(byte: number) {
      for (given = 0; ; given += 1 << 16) yield new Uint8Array(1 << 16).fill(byte);
    }
    expect((await examine(endless(0x61))).mediaType).toBe("text/plain");
    expect(given).toBeLessThanOrEqual(1 << 17);
    expect((await examine(endless(0x20), "application/fhir+json")).result).toBe("not-checked");
    expect(given).toBeLessThanOrEqual(validationSizeMax("application/fhir+json") + (1 << 17));
  });

  it("trusts a type that is given, and says so of one without a validator", async () => {
    expect((await examine(inChunks(samplePdfReport("a"), 999), "application/dicom")).result).toBe("invalid");
    expect(await examine(inChunks(samplePdfReport("a"), 999), "image/png")).toEqual({
      mediaType: "image/png",
      result: "not-checked",
      issues: [{ path: "", message: "no validator for image/png" }],
    });
    expect((await validate(new Uint8Array(0), "constructor")).result).toBe("not-checked");
  });

  it("lets an error of the source out as it is", async () => {
    const failure = new RangeError("broken");
    const broken: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }),
    };
    await expect(examine(broken)).rejects.toBe(failure);
  });
});
