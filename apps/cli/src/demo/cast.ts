/**
 * Who plays in the demo: three hospitals, five patients with one record each, four clinicians. The records are files of
 * examples/records, made by @chartseal/records; nobody in them exists.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ChartsealError } from "@chartseal/crypto";

export const hospitals = ["cedars", "mercy", "lakeside"] as const;

export interface Patient {
  readonly name: string;
  readonly hospital: string;
  /** Who may read. */
  readonly policy: string;
  /** Who may write, where it is not the policy. */
  readonly writers?: string;
  /** The clinician who deposits. */
  readonly author: string;
  readonly file: string;
  readonly format: string;
}

export const patients: readonly [Patient, Patient, Patient, Patient, Patient] = [
  {
    name: "clara",
    hospital: "cedars",
    policy: "doctor@cedars and cardiology@cedars",
    author: "amy",
    file: "clara-history.json",
    format: "FHIR R4 bundle",
  },
  {
    name: "bruno",
    hospital: "lakeside",
    policy: "radiology@lakeside",
    author: "dora",
    file: "bruno-ct.dcm",
    format: "DICOM image",
  },
  {
    name: "greta",
    hospital: "mercy",
    policy: "doctor@mercy",
    author: "chen",
    file: "greta-report.pdf",
    format: "PDF report",
  },
  {
    name: "omar",
    hospital: "lakeside",
    policy: "radiology@lakeside",
    author: "dora",
    file: "omar-result.hl7",
    format: "HL7 v2 message",
  },
  {
    name: "noor",
    hospital: "mercy",
    policy: "doctor@mercy or cardiology@cedars",
    writers: "doctor@mercy",
    author: "chen",
    file: "noor-summary.xml",
    format: "C-CDA document",
  },
];

export interface Clinician {
  readonly name: string;
  readonly attributes: readonly string[];
}

/** Amy, Chen and Dora are known from the start; Bob comes in act 2. */
export const clinicians: readonly Clinician[] = [
  { name: "amy", attributes: ["doctor@cedars", "cardiology@cedars"] },
  { name: "chen", attributes: ["doctor@mercy"] },
  { name: "dora", attributes: ["radiology@lakeside", "doctor@cedars"] },
];

export const newcomer: Clinician = { name: "bob", attributes: ["doctor@cedars", "cardiology@cedars"] };

/** Beside the built program and its source alike: the repository's examples/records. */
export function recordPath(file: string): string {
  return fileURLToPath(new URL(`../../../../examples/records/${file}`, import.meta.url));
}

export function recordBytes(file: string): Uint8Array {
  try {
    return readFileSync(recordPath(file));
  } catch (cause) {
    throw new ChartsealError("input-invalid", `the sample record ${recordPath(file)} cannot be read`, {
      cause,
    });
  }
}
