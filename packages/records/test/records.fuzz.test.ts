/** Mutated records of every format, and plain noise: nothing but an answer, in bounded time. */
import { describe, expect, it } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import {
  mediaTypes,
  recognise,
  sampleCcdaSummary,
  sampleDicomImage,
  sampleFhirBundle,
  sampleHl7v2Message,
  samplePdfReport,
  validate,
} from "../src/index.ts";
import { SampleRandom } from "../src/samples/random.ts";

/** Validating a whole record takes milliseconds, and the validators are not ours to decode keys with: a fiftieth. */
const rounds = fuzzRounds(400, 1 / 50);
const samples = [
  ["application/fhir+json", sampleFhirBundle("fuzz", { visits: 1 })],
  ["application/dicom", sampleDicomImage("fuzz").slice(0, 3000)],
  ["application/dicom", sampleDicomImage("fuzz")],
  ["application/pdf", samplePdfReport("fuzz")],
  ["x-application/hl7-v2+er7", sampleHl7v2Message("fuzz")],
  ["application/cda+xml", sampleCcdaSummary("fuzz")],
] as const;

const structure = new TextEncoder().encode('{}[]",:<>/&;=|^~\\\r\n%0 1null-"resourceType"<!--]]>');

/** A few bytes flipped, cut out, doubled, or replaced by pieces of structure. */
function mutate(bytes: Uint8Array, random: SampleRandom): Uint8Array {
  let changed = bytes.slice();
  for (let i = random.integer(1, 6); i > 0; i--) {
    const at = random.integer(0, Math.max(0, changed.length - 1));
    const length = random.integer(1, random.pick([2, 16, 400]));
    const [before, after] = [changed.subarray(0, at), changed.subarray(at + length)];
    const piece = changed.subarray(at, at + length);
    const from = random.integer(0, structure.length - 1);
    changed = random.pick([
      () => Buffer.concat([before, piece.map((byte) => byte ^ random.integer(1, 255)), after]),
      () => Buffer.concat([before, after]),
      () => Buffer.concat([before, piece, piece, after]),
      () => Buffer.concat([before, structure.subarray(from, from + length), after]),
      () => Buffer.concat([before, Buffer.alloc(length, random.integer(0, 255)), after]),
    ])();
  }
  return changed;
}

describe("recognise and validate, given anything,", () => {
  it.each(samples)(
    "answer for a mutated record of %s",
    { timeout: fuzzTimeoutMs(rounds) },
    async (type, bytes) => {
      const random = new SampleRandom(`fuzz ${type} ${bytes.length}`);
      const results = new Set<string>();
      for (let round = 0; round < rounds; round++) {
        const changed = mutate(bytes, random);
        expect(mediaTypes).toContain(recognise(changed));
        const { result, issues } = await validate(changed, type);
        expect(result === "valid").toBe(issues.length === 0);
        for (const { path, message } of issues) expect(path.length + message.length).toBeLessThanOrEqual(600);
        results.add(result);
      }
      expect(results).toContain("invalid");
    },
  );

  it("answer for each format's bytes taken for each other's, and for noise", async () => {
    const random = new SampleRandom("noise");
    const noise = Array.from({ length: 20 }, () => {
      return Uint8Array.from({ length: random.integer(0, 3000) }, () => random.integer(0, 255));
    });
    for (const bytes of [...samples.map(([, sample]) => sample), ...noise]) {
      for (const type of mediaTypes)
        expect((await validate(bytes, type)).result).toMatch(/valid|not-checked/);
    }
  });
});
