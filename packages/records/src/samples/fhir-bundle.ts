/** A sample patient as a FHIR R4 Bundle: encounters, conditions, prescriptions, vital signs and laboratory values. */
import { type Measurement, type SamplePatient, samplePatient, type Visit } from "./patient.ts";
import { SampleRandom } from "./random.ts";

type Resource = { readonly resourceType: string } & Readonly<Record<string, unknown>>;

interface Entry {
  readonly fullUrl: string;
  readonly resource: Resource;
}

const reference = (uuid: string, display?: string) =>
  display === undefined ? { reference: `urn:uuid:${uuid}` } : { reference: `urn:uuid:${uuid}`, display };
const coding = (system: string, code: string, display: string) => ({
  coding: [{ system, code, display }],
  text: display,
});
const loinc = (code: string, display: string) => coding("http://loinc.org", code, display);
const snomed = (code: string, display: string) => coding("http://snomed.info/sct", code, display);
const category = (system: string, code: string, display: string) =>
  coding(`http://terminology.hl7.org/CodeSystem/${system}`, code, display);
const quantity = (value: number, unit: string) => ({
  value,
  unit,
  system: "http://unitsofmeasure.org",
  code: unit,
});

function people(patient: SamplePatient): Entry[] {
  const { doctor, hospital } = patient;
  const resources: [string, Resource][] = [
    [
      patient.uuid,
      {
        resourceType: "Patient",
        identifier: [{ system: "https://chartseal.example/record-number", value: patient.recordNumber }],
        active: true,
        name: [{ use: "official", family: patient.family, given: [patient.given] }],
        gender: patient.gender,
        birthDate: patient.birthDate,
        address: [{ line: [patient.street], city: patient.city, postalCode: patient.postalCode }],
        managingOrganization: reference(hospital.uuid, hospital.name),
      },
    ],
    [
      doctor.uuid,
      {
        resourceType: "Practitioner",
        active: true,
        name: [{ family: doctor.family, given: [doctor.given], prefix: ["Dr."] }],
      },
    ],
    [hospital.uuid, { resourceType: "Organization", active: true, name: hospital.name }],
  ];
  return resources.map(([uuid, resource]) => entry(uuid, resource));
}

function entry(uuid: string, resource: Resource): Entry {
  const { resourceType, ...rest } = resource;
  return { fullUrl: `urn:uuid:${uuid}`, resource: { resourceType, id: uuid, ...rest } };
}

function history(patient: SamplePatient, random: SampleRandom): Entry[] {
  const conditions = patient.conditions.map(({ code, display, since }) =>
    entry(random.uuid(), {
      resourceType: "Condition",
      clinicalStatus: category("condition-clinical", "active", "Active"),
      verificationStatus: category("condition-ver-status", "confirmed", "Confirmed"),
      category: [category("condition-category", "problem-list-item", "Problem List Item")],
      code: snomed(code, display),
      subject: reference(patient.uuid),
      onsetDateTime: since,
    }),
  );
  const medications = patient.medications.map(({ code, display, dose }) =>
    entry(random.uuid(), {
      resourceType: "MedicationRequest",
      status: "active",
      intent: "order",
      medicationCodeableConcept: coding("http://www.nlm.nih.gov/research/umls/rxnorm", code, display),
      subject: reference(patient.uuid),
      authoredOn: patient.visits[0]?.start ?? "2026-01-01",
      requester: reference(patient.doctor.uuid),
      dosageInstruction: [
        { sequence: 1, text: dose, timing: { repeat: { frequency: 1, period: 1, periodUnit: "d" } } },
      ],
    }),
  );
  return [...conditions, ...medications];
}

interface Seen {
  readonly patient: SamplePatient;
  readonly encounter: string;
  readonly visit: Visit;
}

function observation(
  { patient, encounter, visit }: Seen,
  code: Resource["code"],
  kind: string,
  rest: object,
): Resource {
  return {
    resourceType: "Observation",
    status: "final",
    category: [category("observation-category", kind, kind === "laboratory" ? "Laboratory" : "Vital Signs")],
    code,
    subject: reference(patient.uuid),
    encounter: reference(encounter),
    effectiveDateTime: visit.start,
    issued: visit.end,
    performer: [reference(patient.doctor.uuid)],
    ...rest,
  };
}

const vitalSigns = new Set(["29463-7", "8302-2", "8867-4"]);

function measured(seen: Seen, { loinc: code, display, value, unit, low, high }: Measurement): Resource {
  const outside = value < low ? "L" : value > high ? "H" : "N";
  const meaning = { L: "Low", H: "High", N: "Normal" }[outside];
  return observation(seen, loinc(code, display), vitalSigns.has(code) ? "vital-signs" : "laboratory", {
    valueQuantity: quantity(value, unit),
    interpretation: [category("v3-ObservationInterpretation", outside, meaning)],
    referenceRange: [{ low: quantity(low, unit), high: quantity(high, unit) }],
  });
}

function visitEntries(patient: SamplePatient, visit: Visit, random: SampleRandom): Entry[] {
  const encounter = random.uuid();
  const seen = { patient, encounter, visit };
  const pressure = (code: string, display: string, value: number) => ({
    code: loinc(code, display),
    valueQuantity: quantity(value, "mm[Hg]"),
  });
  return [
    entry(encounter, {
      resourceType: "Encounter",
      status: "finished",
      class: {
        system: "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        code: "AMB",
        display: "ambulatory",
      },
      type: [snomed("185349003", "Encounter for check up (procedure)")],
      subject: reference(patient.uuid, `${patient.given} ${patient.family}`),
      participant: [{ individual: reference(patient.doctor.uuid, `Dr. ${patient.doctor.family}`) }],
      period: { start: visit.start, end: visit.end },
      serviceProvider: reference(patient.hospital.uuid, patient.hospital.name),
    }),
    entry(
      random.uuid(),
      observation(seen, loinc("85354-9", "Blood Pressure"), "vital-signs", {
        component: [
          pressure("8480-6", "Systolic Blood Pressure", visit.systolic),
          pressure("8462-4", "Diastolic Blood Pressure", visit.diastolic),
        ],
      }),
    ),
    ...visit.measurements.map((one) => entry(random.uuid(), measured(seen, one))),
  ];
}

/**
 * A Bundle of type `collection`, UTF-8 JSON, the same for the same arguments: about 7 kB and 21 kB a visit, so 90 kB
 * for the four visits taken by default.
 */
export function sampleFhirBundle(seed: string, options: { visits?: number } = {}): Uint8Array {
  const patient = samplePatient(seed, options.visits ?? 4);
  const random = new SampleRandom(`bundle ${seed}`);
  const bundle = {
    resourceType: "Bundle",
    id: random.uuid(),
    type: "collection",
    timestamp: "2026-06-01T09:30:00Z",
    entry: [
      ...people(patient),
      ...history(patient, random),
      ...patient.visits.flatMap((visit) => visitEntries(patient, visit, random)),
    ],
  };
  return new TextEncoder().encode(`${JSON.stringify(bundle, null, 2)}\n`);
}
