/** A sample laboratory result as an HL7 v2.5.1 message, ORU^R01, UTF-8, its segments ended by CR as the standard asks. */
import { samplePatient } from "./patient.ts";

/** The escapes of ER7 (chapter 2.7.1) for its separators. */
function escaped(text: string): string {
  const escapes: Record<string, string> = {
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\\": "\\E\\",
  };
  return text.replace(/[|^&~\\]/g, (character) => escapes[character]!);
}

const stamp = (time: string) => time.replace(/[-:TZ]/g, "");

/** About 1.5 kB, the same for the same seed. */
export function sampleHl7v2Message(seed: string): Uint8Array {
  const patient = samplePatient(seed);
  const { doctor, hospital } = patient;
  const visit = patient.visits.at(-1)!;
  const physician = `${doctor.uuid.slice(0, 8)}^${escaped(doctor.family)}^${escaped(doctor.given)}^^^Dr.`;
  const name = `${escaped(patient.family)}^${escaped(patient.given)}`;
  const address = `${escaped(patient.street)}^^${escaped(patient.city)}^^${patient.postalCode}`;
  const order = `ORD${patient.recordNumber}`;
  const segments = [
    [
      "MSH|^~\\&",
      "LAB",
      escaped(hospital.name),
      "EHR",
      escaped(hospital.name),
      stamp(visit.end),
      "",
      "ORU^R01^ORU_R01",
      `MSG${patient.recordNumber}`,
      "P",
      "2.5.1",
      ...Array<string>(5).fill(""),
      "UNICODE UTF-8",
    ],
    [
      "PID",
      "1",
      "",
      `${patient.recordNumber}^^^${escaped(hospital.name)}^MR`,
      "",
      name,
      "",
      patient.birthDate.replaceAll("-", ""),
      patient.gender === "female" ? "F" : "M",
      "",
      "",
      address,
    ],
    ["PV1", "1", "O", "INTMED", "", "", "", physician],
    ["ORC", "RE", order, order],
    ["OBR", "1", order, order, "24323-8^Comprehensive metabolic panel^LN", "", "", stamp(visit.start)],
    ...visit.measurements.map(({ loinc, display, value, unit, low, high }, i) => {
      const flag = value < low ? "L" : value > high ? "H" : "N";
      const identifier = `${loinc}^${escaped(display)}^LN`;
      const range = `${low}-${high}`;
      return [
        "OBX",
        String(i + 1),
        "NM",
        identifier,
        "",
        String(value),
        escaped(unit),
        range,
        flag,
        "",
        "",
        "F",
      ];
    }),
    ["NTE", "1", "L", "Sample record made by Chartseal. The people and their values are invented."],
  ];
  return new TextEncoder().encode(segments.map((fields) => `${fields.join("|")}\r`).join(""));
}
