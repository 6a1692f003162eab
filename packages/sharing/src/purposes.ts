/**
 * Purposes of use (CONTRACT, rule set): the codes of the HL7 v3 value set PurposeOfUse, which is all of the code system
 * ActReason below the concept PurposeOfUse (http://terminology.hl7.org/ValueSet/v3-PurposeOfUse 2014-03-26, ActReason
 * 2018-08-12, as in FHIR R4). Checked here, before anything is sent: a mistyped code would be a purpose nobody can ask with.
 */
import { ChartsealError } from "@chartseal/crypto";
import { isEmergencyPurpose } from "@chartseal/ledger";

export const purposeCodes: readonly string[] = `
BIORCH BTG CAREMGT CLINTRCH CLINTRCHNPC CLINTRCHPC CLINTRL CLMATTCH COC COVAUTH COVERAGE DISASTER DONAT DSRCH ELIGDTRM
ELIGVER ENROLLM ERTREAT ETREAT FAMRQT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HMARKT HOPERAT HOUTCOMS HPAYMT
HPRGRP HQUALIMP HRESCH HSYSADMIN HTEST LABELING MEMADMIN METAMGT MILCDM MILDCRG PATADMIN PATRQT PATSFTY PERFMSR POARCH
POPHLTH PRECLINTRCH PUBHLTH PWATRNY RECORDMGT REMITADV SUPNWK SYSDEV THREAT TRAIN TRANSRCH TREAT`
  .trim()
  .split(/\s+/);

const examples = "HL7 PurposeOfUse codes such as TREAT, HPAYMT, HRESCH";

/** @throws ChartsealError `input-invalid` for what is no code of the value set, or none for reading in an emergency */
export function checkPurpose(purpose: string, inEmergency = false): void {
  if (purposeCodes.includes(purpose)) {
    if (!inEmergency || isEmergencyPurpose(purpose)) return;
    throw new ChartsealError("input-invalid", `${purpose} is no purpose of an emergency`, {
      hint: "Give --purpose BTG (the default) or ETREAT.",
    });
  }
  const upper = purpose.toUpperCase();
  const hint = purposeCodes.includes(upper) ? `Did you mean ${upper}?` : `${examples}.`;
  throw new ChartsealError("input-invalid", `${JSON.stringify(purpose)} is no purpose of use`, { hint });
}

/** @throws ChartsealError `input-invalid` for purposes that no rule can have */
export function checkPurposes(purposes: readonly string[]): readonly string[] {
  for (const purpose of purposes) checkPurpose(purpose);
  const fine = purposes.length > 0 && new Set(purposes).size === purposes.length;
  if (fine && !purposes.some(isEmergencyPurpose)) return purposes;
  throw new ChartsealError("input-invalid", `not a list of purposes of use: ${purposes.join(",")}`, {
    hint: `${examples}, each once; BTG and ETREAT belong to emergencies.`,
  });
}
