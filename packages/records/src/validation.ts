/** What validation says of a record, and the limits that every validator keeps. */

/** `not-checked`: nothing is known either way, for a type without a validator or a record beyond the limits. */
export type ValidationResult = "valid" | "invalid" | "not-checked";

/** What is wrong and where: a path in the format's own terms (FHIRPath, tag, segment, element, byte offset). */
export interface ValidationIssue {
  readonly path: string;
  readonly message: string;
}

export interface Validation {
  readonly result: ValidationResult;
  /** At most `issuesMax`; why it is invalid or was not checked. Empty for a valid record. */
  readonly issues: readonly ValidationIssue[];
}

/** Most issues that are reported of one record. */
export const issuesMax = 100;
const textLengthMax = 300;

const shorten = (text: string) =>
  text.length <= textLengthMax ? text : `${text.slice(0, textLengthMax - 1)}…`;

/** Valid without issues, else invalid with the first `issuesMax` of them. */
export function validationOf(issues: readonly ValidationIssue[]): Validation {
  const kept = issues.slice(0, issuesMax).map(({ path, message }) => {
    return { path: shorten(path), message: shorten(message) };
  });
  return { result: kept.length === 0 ? "valid" : "invalid", issues: kept };
}

export function notChecked(message: string): Validation {
  return { result: "not-checked", issues: [{ path: "", message }] };
}
