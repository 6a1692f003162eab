/** FHIR R4: what must be refused is, with its path, and no real record is refused wrongly. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { describeShared, sharedBytes, sharedFiles } from "../../../test/shared-data.ts";
import { validate } from "../src/index.ts";
import { issuesMax } from "../src/validation.ts";

const fhir = "application/fhir+json";
const check = (resource: unknown) => validate(Buffer.from(JSON.stringify(resource)), fhir);
const checkText = (text: string) => validate(Buffer.from(text), fhir);

const patient = {
  resourceType: "Patient",
  name: [{ family: "Eze", given: ["Clara"] }],
  gender: "female",
  birthDate: "1980-02-29",
};
const code = { coding: [{ system: "http://loinc.org", code: "8867-4" }] };
const observation = { resourceType: "Observation", status: "final", code, valueQuantity: { value: 70 } };
const condition = {
  resourceType: "Condition",
  subject: { reference: "Patient/1" },
  clinicalStatus: {
    coding: [{ system: "http://terminology.hl7.org/CodeSystem/condition-clinical", code: "active" }],
  },
};
const { status: _status, ...withoutStatus } = observation;

describe("FHIR validation", () => {
  it.each([
    ["a patient", patient],
    ["an observation", observation],
    ["a condition", condition],
    ["a bundle of them", { resourceType: "Bundle", type: "collection", entry: [{ resource: patient }] }],
    [
      "a patient inside another resource",
      { ...condition, contained: [{ ...patient, id: "p" }], subject: { reference: "#p" } },
    ],
    [
      "a code that is absent for a stated reason",
      {
        ...patient,
        gender: undefined,
        _gender: {
          extension: [
            { url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "unknown" },
          ],
        },
      },
    ],
  ])("takes %s", async (_what, resource) => {
    expect(await check(resource)).toEqual({ result: "valid", issues: [] });
  });

  // The table of cases that validators were compared by, and what they showed in one or the other.
  it.each([
    ["a birth date that does not exist", { ...patient, birthDate: "1980-13-45" }, "Patient.birthDate"],
    ["a day that its month has not", { ...patient, birthDate: "1981-02-29" }, "Patient.birthDate"],
    ["an unknown property", { ...patient, shoeSize: 42 }, "Patient.shoeSize"],
    ["a gender that is no code", { ...patient, gender: "xx" }, "Patient.gender"],
    ["an observation without status", withoutStatus, "Observation.status"],
    ["a name that is no array", { ...patient, name: { family: "Eze" } }, "Patient.name"],
    ["two forms of one value", { ...observation, valueString: "70" }, "valueString"],
    [
      "a contact without details (pat-1)",
      { ...patient, contact: [{ gender: "male" }] },
      "Patient.contact[0]",
    ],
    ["a status that is no code", { ...observation, status: "nope" }, "Observation.status"],
    [
      "a concept of another system",
      { ...condition, clinicalStatus: { coding: [{ system: "urn:x", code: "active" }] } },
      "Condition.clinicalStatus",
    ],
    [
      "a concept of text alone",
      { ...condition, clinicalStatus: { text: "active" } },
      "Condition.clinicalStatus",
    ],
    ["a number for text", { ...patient, birthDate: 1980 }, "Patient.birthDate"],
    ["a null", { ...patient, birthDate: null }, "Patient.birthDate"],
    ["a member named as Object's", { ...patient, constructor: "x" }, "Patient.constructor"],
    ["an empty list", { ...patient, name: [] }, "Patient.name"],
    ["an empty object", { ...patient, maritalStatus: {} }, "Patient.maritalStatus"],
    [
      "a code that is none and has an extension",
      { ...patient, gender: "xx", _gender: { id: "g" } },
      "Patient.gender",
    ],
  ])("refuses %s", async (_what, resource, path) => {
    const { result, issues } = await check(resource);
    expect(result).toBe("invalid");
    expect(issues.map((issue) => issue.path)).toContain(path);
  });

  it("finds a fault in an entry of a bundle and in a contained resource, and says where", async () => {
    const bad = { ...patient, gender: "xx" };
    const bundle = {
      resourceType: "Bundle",
      type: "collection",
      entry: [{ resource: patient }, { resource: bad }],
    };
    expect((await check(bundle)).issues).toEqual([
      { path: "Bundle.entry[1].resource.gender", message: expect.stringContaining("administrative-gender") },
    ]);
    const contained = { ...condition, contained: [{ ...bad, id: "p" }], subject: { reference: "#p" } };
    expect((await check(contained)).issues.map(({ path }) => path)).toEqual([
      "Condition.contained[0].gender",
    ]);
  });

  it.each([
    ["nothing", ""],
    ["no JSON", '{"resourceType":'],
    ["null", "null"],
    ["a list", "[]"],
    ["a type that R4 has not", '{"resourceType":"Robot"}'],
    ["a data type in a resource's place", '{"resourceType":"HumanName","family":"Eze"}'],
    ["a member of Object in a type's place", '{"resourceType":"constructor"}'],
    [
      "an entry of an unknown type",
      '{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Robot"}}]}',
    ],
    ["a member given twice", '{"resourceType":"Patient","gender":"male","gender":"female"}'],
    [
      "a member given twice, once escaped",
      '{"resourceType":"Patient","gender":"male","gend\\u0065r":"female"}',
    ],
    ["nesting without end", `{"resourceType":"Patient","x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["a prototype", '{"resourceType":"Patient","__proto__":{"gender":"male"}}'],
  ])("refuses %s", async (_what, text) => {
    expect((await checkText(text)).result).toBe("invalid");
  });

  it("refuses bytes that are not UTF-8", async () => {
    const bytes = Buffer.from(JSON.stringify(patient).replace("Clara", "Cl\u00e4ra"), "latin1");
    expect((await validate(bytes, fhir)).result).toBe("invalid");
  });

  it("reports no more issues than the limit, however many there are", async () => {
    const name = Array.from({ length: 3 * issuesMax }, () => ({ shoe: 1 }));
    const { result, issues } = await check({ ...patient, name });
    expect(result).toBe("invalid");
    expect(issues).toHaveLength(issuesMax);
  });

  describe("a bundle of many entries, looked at in slices", () => {
    const entry = (index: number) => ({
      fullUrl: `urn:uuid:${String(index).padStart(8, "0")}-0000-4000-8000-000000000000`,
      resource: { resourceType: "Patient", id: String(index), gender: "male" },
    });
    const bundle = (count: number) => ({
      resourceType: "Bundle",
      type: "collection",
      entry: Array.from({ length: count }, (_, index) => entry(index)),
    });

    it("is checked in time that grows with its entries", async () => {
      const whole = bundle(20_000);
      const started = process.cpuUsage();
      expect(await check(whole)).toEqual({ result: "valid", issues: [] });
      const { user, system } = process.cpuUsage(started);
      // Compared with each other these entries take over 12 s.
      expect((user + system) / 1e6).toBeLessThan(8);
    });

    it("names the place of a fault in the whole, and a fault of the whole once", async () => {
      for (const at of [0, 1, 199, 200, 398, 399, 999]) {
        const whole = bundle(1000);
        Object.assign(whole.entry[at]!.resource, { gender: "unheard of" });
        const { issues } = await check(whole);
        expect(issues.map(({ path }) => path)).toEqual([`Bundle.entry[${at}].resource.gender`]);
      }
      const { issues } = await check({ ...bundle(1000), total: 1000 });
      expect(issues).toHaveLength(1);
      expect(issues[0]?.message).toContain("bdl-1");
    });

    it("refuses one fullUrl twice, however far apart (bdl-7)", async () => {
      const whole = bundle(1000);
      whole.entry[990] = { ...entry(990), fullUrl: entry(3).fullUrl };
      expect((await check(whole)).result).toBe("invalid");
      expect((await check({ ...whole, type: "searchset" })).result).toBe("invalid");
    });

    it.each(["document", "message", "batch"])("asks of a %s what it asks of a small one", async (type) => {
      const messages = async (count: number) => {
        const { issues } = await check({ ...bundle(count), type });
        return issues.map(({ message }) => message).sort();
      };
      expect(await messages(1000)).toEqual(await messages(3));
    });
  });

  it("leaves a record beyond its limit unchecked, and says so", async () => {
    const { result, issues } = await validate(new Uint8Array((8 << 20) + 1), fhir);
    expect(result).toBe("not-checked");
    expect(issues[0]?.message).toContain("larger");
  });
});

describeShared("FHIR validation of the shared bundles", () => {
  it("takes all sixteen, of which none holds a fault", async () => {
    const files = sharedFiles("fhir");
    expect(files).toHaveLength(16);
    for (const name of files) {
      expect(await validate(sharedBytes("fhir", name), fhir), name).toEqual({ result: "valid", issues: [] });
    }
  });

  it("finds one planted fault among the 3.9 MB of the largest", async () => {
    const name = sharedFiles("fhir").find((one) => one.startsWith("Fletcher"))!;
    const text = new TextDecoder().decode(sharedBytes("fhir", name));
    const at = text.lastIndexOf('"status": "final"');
    expect(at).toBeGreaterThan(3_000_000);
    const spoilt = `${text.slice(0, at)}"status": "fihal"${text.slice(at + 17)}`;
    const { issues } = await checkText(spoilt);
    expect(issues.map(({ path }) => path)).toEqual([
      expect.stringMatching(/^Bundle\.entry\[\d+\]\.resource\.status$/),
    ]);
  });
});

/** A fresh process, from its first line to the answer for a bundle of 90 kB: the processor time it used, in ms. */
function coldMs(): number {
  const index = new URL("../src/index.ts", import.meta.url).href;
  const script = `
    const before = process.cpuUsage();
    const { sampleFhirBundle, validate } = await import(${JSON.stringify(index)});
    const { result } = await validate(sampleFhirBundle("cold"), "application/fhir+json");
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ result, ms: (user + system) / 1000 }));`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  const { result, ms } = JSON.parse(stdout) as { result: string; ms: number };
  expect(result).toBe("valid");
  return ms;
}

describe("the cost of FHIR validation", () => {
  // Processor time, since the machine may be busy with other tests. On an idle one it is 0.3 s, of which type stripping
  // of the sources is a part; to index all definitions takes 0.9 s more.
  it("is borne by a command: in a fresh process, definitions and all", () => {
    expect(Math.min(coldMs(), coldMs(), coldMs())).toBeLessThan(700);
  });
});
