/** Purposes of use, HL7 PurposeOfUse codes. BTG and ETREAT stand for emergencies and are never listed in advance. */
import { demand } from "../refusals.ts";

const emergencyPurposes: readonly string[] = ["BTG", "ETREAT"];

export function isEmergencyPurpose(purpose: string | null): boolean {
  return purpose !== null && emergencyPurposes.includes(purpose);
}

/** At least one, none twice, none of an emergency. @throws Refusal `purpose-missing` */
export function demandPurposes(purposes: readonly string[]): void {
  const fine = purposes.length > 0 && new Set(purposes).size === purposes.length;
  demand(fine && !purposes.some(isEmergencyPurpose), "purpose-missing");
}
