/** A sample patient as a C-CDA R2.1 Continuity of Care Document: problems, medications and results, for people to read. */
import { type SamplePatient, samplePatient } from "./patient.ts";
import { SampleRandom } from "./random.ts";

const entities: Record<string, string> = { "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;" };
const escaped = (text: string) => text.replace(/[<>&"]/g, (character) => entities[character]!);
const stamp = (time: string) => `${time.replace(/[-:TZ]/g, "")}+0000`;

interface Section {
  readonly template: string;
  readonly loinc: string;
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function sectionsOf(patient: SamplePatient): Section[] {
  const visit = patient.visits.at(-1)!;
  return [
    {
      template: "2.16.840.1.113883.10.20.22.2.5",
      loinc: "11450-4",
      title: "Problems",
      columns: ["Problem", "SNOMED CT", "Since"],
      rows: patient.conditions.map(({ display, code, since }) => [display, code, since]),
    },
    {
      template: "2.16.840.1.113883.10.20.22.2.1",
      loinc: "10160-0",
      title: "Medications",
      columns: ["Medicine", "RxNorm", "Dose"],
      rows: patient.medications.map(({ display, code, dose }) => [display, code, dose]),
    },
    {
      template: "2.16.840.1.113883.10.20.22.2.3",
      loinc: "30954-2",
      title: "Results",
      columns: ["Measurement", "LOINC", "Value", "Reference"],
      rows: visit.measurements.map(({ display, loinc, value, unit, low, high }) => {
        return [display, loinc, `${value} ${unit}`, `${low} - ${high}`];
      }),
    },
  ];
}

function sectionXml({ template, loinc, title, columns, rows }: Section): string {
  const cells = (tag: string, texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join("");
  const body = rows.map((one) => `              <tr>${cells("td", one)}</tr>`).join("\n");
  return `      <component>
        <section>
          <templateId root="${template}"/>
          <code code="${loinc}" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>
          <title>${title}</title>
          <text>
            <table>
              <thead><tr>${cells("th", columns)}</tr></thead>
              <tbody>
${body}
              </tbody>
            </table>
          </text>
        </section>
      </component>`;
}

const personXml = (given: string, family: string) =>
  `<name><given>${escaped(given)}</given><family>${escaped(family)}</family></name>`;

function patientXml(patient: SamplePatient): string {
  const gender = patient.gender === "female" ? "F" : "M";
  return `  <recordTarget>
    <patientRole>
      <id root="2.25.9042115373240415" extension="${patient.recordNumber}"/>
      <addr use="HP">
        <streetAddressLine>${escaped(patient.street)}</streetAddressLine>
        <city>${escaped(patient.city)}</city>
        <postalCode>${patient.postalCode}</postalCode>
      </addr>
      <telecom nullFlavor="NI"/>
      <patient>
        ${personXml(patient.given, patient.family)}
        <administrativeGenderCode code="${gender}" codeSystem="2.16.840.1.113883.5.1"/>
        <birthTime value="${patient.birthDate.replaceAll("-", "")}"/>
      </patient>
    </patientRole>
  </recordTarget>`;
}

function authorsXml({ doctor, hospital }: SamplePatient, time: string): string {
  return `  <author>
    <time value="${time}"/>
    <assignedAuthor>
      <id root="${doctor.uuid}"/>
      <addr nullFlavor="NI"/>
      <telecom nullFlavor="NI"/>
      <assignedPerson>${personXml(doctor.given, doctor.family)}</assignedPerson>
    </assignedAuthor>
  </author>
  <custodian>
    <assignedCustodian>
      <representedCustodianOrganization>
        <id root="${hospital.uuid}"/>
        <name>${escaped(hospital.name)}</name>
        <telecom nullFlavor="NI"/>
        <addr nullFlavor="NI"/>
      </representedCustodianOrganization>
    </assignedCustodian>
  </custodian>`;
}

/** About 6 kB of UTF-8, the same for the same seed. */
export function sampleCcdaSummary(seed: string): Uint8Array {
  const patient = samplePatient(seed);
  const time = stamp(patient.visits.at(-1)!.end);
  const first = stamp(patient.visits[0]!.start);
  const document = `<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <realmCode code="US"/>
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="2.16.840.1.113883.10.20.22.1.1" extension="2015-08-01"/>
  <templateId root="2.16.840.1.113883.10.20.22.1.2" extension="2015-08-01"/>
  <id root="${new SampleRandom(`summary ${seed}`).uuid()}"/>
  <code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="Summarization of Episode Note"/>
  <title>Summary for ${escaped(`${patient.given} ${patient.family}`)}</title>
  <effectiveTime value="${time}"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="en-US"/>
${patientXml(patient)}
${authorsXml(patient, time)}
  <documentationOf>
    <serviceEvent classCode="PCPR">
      <effectiveTime><low value="${first}"/><high value="${time}"/></effectiveTime>
    </serviceEvent>
  </documentationOf>
  <component>
    <structuredBody>
${sectionsOf(patient).map(sectionXml).join("\n")}
    </structuredBody>
  </component>
</ClinicalDocument>
`;
  return new TextEncoder().encode(document);
}
