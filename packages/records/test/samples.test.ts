/** Our own samples: valid in their formats, the same each time, about the same invented person. */
import dicomParser from "dicom-parser";
import { describe, expect, it } from "vitest";
import {
  recognise,
  sampleCcdaSummary,
  sampleDicomImage,
  sampleFhirBundle,
  sampleHl7v2Message,
  samplePatient,
  samplePdfReport,
  validate,
} from "../src/index.ts";

const generators = [
  ["application/fhir+json", sampleFhirBundle],
  ["application/dicom", sampleDicomImage],
  ["application/pdf", samplePdfReport],
  ["x-application/hl7-v2+er7", sampleHl7v2Message],
  ["application/cda+xml", sampleCcdaSummary],
] as const;
const seeds = Array.from({ length: 40 }, (_, i) => `patient ${i}`);

describe("sample records", () => {
  it.each(generators)("of %s are recognised and valid, for every patient", async (type, generate) => {
    for (const seed of seeds) {
      const bytes = generate(seed);
      expect(recognise(bytes)).toBe(type);
      expect(await validate(bytes, type), seed).toEqual({ result: "valid", issues: [] });
    }
  });

  it.each(generators)("of %s are the same for one seed and differ between seeds", (_type, generate) => {
    expect(Buffer.compare(generate("a"), generate("a"))).toBe(0);
    expect(Buffer.compare(generate("a"), generate("b"))).not.toBe(0);
  });

  it("agree on the person, and the person on themselves", () => {
    for (const seed of seeds.slice(0, 10)) {
      const { family, given, recordNumber, birthDate, visits } = samplePatient(seed);
      const dataSet = dicomParser.parseDicom(sampleDicomImage(seed));
      expect(dataSet.string("x00100020")).toBe(recordNumber);
      expect(new TextDecoder().decode(sampleFhirBundle(seed))).toContain(`"birthDate": "${birthDate}"`);
      expect(new TextDecoder().decode(sampleHl7v2Message(seed))).toContain(`${family}^${given}`);
      const heights = visits.map(
        (visit) => visit.measurements.find(({ loinc }) => loinc === "8302-2")?.value,
      );
      expect(new Set(heights).size).toBe(1);
      expect(visits.map(({ start }) => start)).toEqual(visits.map(({ start }) => start).sort());
    }
  });

  it("grow with the number of visits", async () => {
    const bytes = sampleFhirBundle("a", { visits: 40 });
    expect(bytes.length).toBeGreaterThan(800_000);
    expect((await validate(bytes, "application/fhir+json")).result).toBe("valid");
  });
});
