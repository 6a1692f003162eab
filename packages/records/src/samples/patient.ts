/** Invented people and what is known of their health: one seed is one patient in every format. */
import { SampleRandom } from "./random.ts";

export interface Coded {
  readonly code: string;
  readonly display: string;
}

export interface Measurement {
  readonly loinc: string;
  readonly display: string;
  readonly value: number;
  /** UCUM. */
  readonly unit: string;
  readonly low: number;
  readonly high: number;
}

export interface Visit {
  /** RFC 3339, UTC, whole seconds. */
  readonly start: string;
  readonly end: string;
  readonly measurements: readonly Measurement[];
  readonly systolic: number;
  readonly diastolic: number;
}

export interface SamplePatient {
  readonly uuid: string;
  readonly family: string;
  readonly given: string;
  readonly gender: "female" | "male";
  /** YYYY-MM-DD. */
  readonly birthDate: string;
  readonly recordNumber: string;
  readonly street: string;
  readonly city: string;
  readonly postalCode: string;
  readonly doctor: { readonly family: string; readonly given: string; readonly uuid: string };
  readonly hospital: { readonly name: string; readonly uuid: string };
  readonly conditions: readonly (Coded & { readonly since: string })[];
  readonly medications: readonly (Coded & { readonly dose: string })[];
  readonly visits: readonly Visit[];
}

const families = [
  "Abernethy",
  "Brandão",
  "Castellví",
  "Dvořáková",
  "Eze",
  "Fjeldstad",
  "Göransson",
  "Haddad",
  "Ito",
];
const moreFamilies = [
  "Jovanović",
  "Kaplan",
  "Lindqvist",
  "Mbeki-Orr",
  "Nakagawa",
  "O'Sullivan",
  "Perera",
  "Quispe",
];
const women = ["Adaeze", "Beatriz", "Clara", "Dagny", "Elif", "Fumiko", "Greta", "Hanan", "Inês", "Noor"];
const men = ["Anders", "Bruno", "Cassian", "Dario", "Emeka", "Felix", "Gaspar", "Hiroshi", "Ilya", "Omar"];
const streets = ["Mill Lane", "Harbour Road", "Orchard Street", "Station Square", "Linden Avenue"];
const cities = ["Northmoor", "Velden", "Santa Clarisse", "Kirkhaven", "Port Aurelia"];
const hospitals = ["Cedars General Hospital", "St. Brigid Infirmary", "Riverside University Clinic"];

/** SNOMED CT, with the RxNorm medicine that goes with it. */
const illnesses: readonly (readonly [condition: Coded, medication: Coded, dose: string])[] = [
  [
    { code: "38341003", display: "Hypertension" },
    { code: "314076", display: "lisinopril 10 MG Oral Tablet" },
    "one tablet in the morning",
  ],
  [
    { code: "44054006", display: "Diabetes mellitus type 2" },
    { code: "860975", display: "24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet" },
    "one tablet with the evening meal",
  ],
  [
    { code: "55822004", display: "Hyperlipidemia" },
    { code: "314231", display: "simvastatin 10 MG Oral Tablet" },
    "one tablet at night",
  ],
  [
    { code: "53741008", display: "Coronary arteriosclerosis" },
    { code: "197361", display: "amlodipine 5 MG Oral Tablet" },
    "one tablet in the morning",
  ],
];

/** LOINC, what it is, UCUM unit, usual range, decimals. */
const laboratory: readonly (readonly [string, string, string, number, number, number])[] = [
  ["29463-7", "Body Weight", "kg", 50, 95, 1],
  ["8302-2", "Body Height", "cm", 150, 192, 0],
  ["8867-4", "Heart rate", "/min", 60, 100, 0],
  ["2339-0", "Glucose", "mg/dL", 70, 105, 0],
  ["38483-4", "Creatinine", "mg/dL", 0.6, 1.3, 2],
  ["2093-3", "Total Cholesterol", "mg/dL", 120, 200, 0],
  ["4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4, 5.6, 1],
  ["718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 12, 17, 1],
];

const dayMs = 24 * 60 * 60 * 1000;
/** No sample is dated after this, so that no record lies in the future of its reader. */
const latestMs = Date.UTC(2026, 5, 1, 8, 30);
const toSecond = (timeMs: number) => new Date(timeMs).toISOString().replace(/\.\d{3}Z$/, "Z");

/** What changes little from visit to visit: LOINC → usual spread around the patient's own value. */
const steady: Readonly<Record<string, number>> = { "29463-7": 2, "8302-2": 0 };

function visitOf(random: SampleRandom, seed: string, startMs: number): Visit {
  const measurements = laboratory.map(([loinc, display, unit, low, high, digits]) => {
    const spread = steady[loinc];
    const own = new SampleRandom(`${loinc} ${seed}`).decimal(low + 2, high - 2, digits);
    const value =
      spread === undefined
        ? random.decimal(low * 0.95, high * 1.15, digits)
        : random.decimal(own - spread, own + spread, digits);
    return { loinc, display, value, unit, low, high };
  });
  return {
    start: toSecond(startMs),
    end: toSecond(startMs + random.integer(15, 50) * 60_000),
    measurements,
    systolic: random.integer(108, 158),
    diastolic: random.integer(64, 98),
  };
}

/** The patient of a seed; `visits` (default 4) is how often they saw their doctor, and so the size of their records. */
export function samplePatient(seed: string, visits = 4): SamplePatient {
  const random = new SampleRandom(`patient ${seed}`);
  const gender = random.pick(["female", "male"] as const);
  const birth = new Date(Date.UTC(random.integer(1938, 1999), random.integer(0, 11), random.integer(1, 28)));
  const first = random.integer(0, illnesses.length - 1);
  const ill = [illnesses[first]!, illnesses[(first + random.integer(1, 3)) % illnesses.length]!];
  return {
    uuid: random.uuid(),
    family: random.pick([...families, ...moreFamilies]),
    given: random.pick(gender === "female" ? women : men),
    gender,
    birthDate: birth.toISOString().slice(0, 10),
    recordNumber: String(random.integer(100_000, 999_999)),
    street: `${random.integer(1, 190)} ${random.pick(streets)}`,
    city: random.pick(cities),
    postalCode: String(random.integer(10_000, 99_999)),
    doctor: {
      family: random.pick(moreFamilies),
      given: random.pick([...women, ...men]),
      uuid: random.uuid(),
    },
    hospital: { name: random.pick(hospitals), uuid: random.uuid() },
    conditions: ill.map(([condition], i) => ({
      ...condition,
      since: `${2012 + i * 5}-0${random.integer(1, 9)}-11`,
    })),
    medications: ill.map(([, medication, dose]) => ({ ...medication, dose })),
    visits: Array.from({ length: visits }, (_, i) => {
      const daysBefore = (visits - 1 - i) * 91 + random.integer(0, 20);
      return visitOf(random, seed, latestMs - daysBefore * dayMs - random.integer(0, 6 * 60) * 60_000);
    }),
  };
}
