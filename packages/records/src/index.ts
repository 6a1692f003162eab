/** The public face of the records package. */
export { headSizeMax, type MediaType, mediaTypes, recognise } from "./recognise.ts";
export { type Examined, examine, validate, validationSizeMax } from "./validate.ts";
export { issuesMax, type Validation, type ValidationIssue, type ValidationResult } from "./validation.ts";
