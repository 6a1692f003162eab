/** The public face of the records package. */
export { headSizeMax, type MediaType, mediaTypes, recognise } from "./recognise.ts";
export { sampleCcdaSummary } from "./samples/ccda-summary.ts";
export { sampleDicomImage } from "./samples/dicom-image.ts";
export { sampleFhirBundle } from "./samples/fhir-bundle.ts";
export { sampleHl7v2Message } from "./samples/hl7v2-message.ts";
export { type SamplePatient, samplePatient } from "./samples/patient.ts";
export { samplePdfReport } from "./samples/pdf-report.ts";
export { type Examined, examine, validate, validationSizeMax } from "./validate.ts";
export { issuesMax, type Validation, type ValidationIssue, type ValidationResult } from "./validation.ts";
