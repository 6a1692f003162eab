/**
 * FHIR R4 (4.0.1) JSON: structure, cardinalities, types, invariants and required codes, offline.
 *
 * @medplum/core checks the structure; what it lets through is closed here (docs/decisions/records-package.md): codes of
 * required bindings, two forms of one value[x], members with names of Object.prototype, members given twice.
 * Profiles, references across resources and codes of looser bindings are not checked.
 */
import { isResourceType, loadDataType, OperationOutcomeError, validateResource } from "@medplum/core";
import { definitions } from "./definitions.ts";
import { repeatsEntries, slicesOf } from "./fhir-bundle.ts";
import { jsonFault } from "./json-structure.ts";
import { decodeText } from "./text.ts";
import { issuesMax, type Validation, type ValidationIssue, validationOf } from "./validation.ts";

/** A coded value that @medplum/core met under a required binding. */
interface Token {
  readonly type: string;
  readonly value: unknown;
  readonly path: string;
}

interface MedplumIssue {
  readonly severity?: string;
  readonly details?: { readonly text?: string };
  readonly expression?: readonly string[];
}

const loadedTypes = new Set<string>();

function loadType(name: string): void {
  const { types } = definitions();
  if (loadedTypes.has(name) || !Object.hasOwn(types, name)) return;
  loadedTypes.add(name);
  loadDataType(JSON.parse(types[name]!) as Parameters<typeof loadDataType>[0]);
}

/** Data types are few and every resource reaches most of them; of the 149 resource types only those that occur. */
function loadDataTypes(): void {
  const isResource = /"kind":"resource"/;
  for (const [name, json] of Object.entries(definitions().types)) if (!isResource.test(json)) loadType(name);
}

/** Loads the resource types below `value`, and reports what @medplum/core would let through. */
function prepare(value: unknown, path: string, issues: ValidationIssue[]): void {
  if (typeof value !== "object" || value === null) return;
  const members = Object.entries(value);
  if (members.length === 0) issues.push({ path, message: "An empty array or object" });
  for (const [name, member] of members) {
    const memberPath = Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`;
    if (name === "resourceType" && typeof member === "string") loadType(member);
    if (name in Object.prototype) issues.push({ path: memberPath, message: "Invalid additional property" });
    else prepare(member, memberPath, issues);
  }
}

function issueOf(issue: MedplumIssue): ValidationIssue {
  return { path: issue.expression?.[0] ?? "", message: issue.details?.text ?? "invalid" };
}

/** Two forms of one value[x] at once are only a warning there; and references are not ours to follow. */
const grave = /^(?:Conflicting choice of type properties|Type of primitive extension does not match)/;
const isGrave = (issue: MedplumIssue) => issue.severity === "error" || grave.test(issue.details?.text ?? "");

function structureIssues(resource: object, tokens: Record<string, Token[]>): ValidationIssue[] {
  const options = { collect: { tokens: tokens as never }, base64BinaryMaxBytes: Number.MAX_SAFE_INTEGER };
  try {
    const issues = validateResource(resource as never, options) as readonly MedplumIssue[];
    return issues.filter(isGrave).map(issueOf);
  } catch (error) {
    if (error instanceof OperationOutcomeError) {
      const { issue } = error.outcome as { issue?: readonly MedplumIssue[] };
      return (issue ?? []).filter(isGrave).map(issueOf);
    }
    // @medplum/core meets shapes that it does not expect with errors of its own, a TypeError for instance.
    return [
      { path: "", message: `Cannot be understood: ${error instanceof Error ? error.message : "unknown"}` },
    ];
  }
}

type Expansion = Readonly<Record<string, readonly string[]>>;

const hasCode = (codes: readonly string[] | undefined, code: unknown) =>
  typeof code === "string" && codes?.includes(code) === true;

const primitives = new Set(["code", "string", "uri"]);

function hasCoding(expansion: Expansion, coding: unknown): boolean {
  if (typeof coding !== "object" || coding === null) return false;
  const { system, code } = coding as { system?: unknown; code?: unknown };
  return typeof system === "string" && Object.hasOwn(expansion, system) && hasCode(expansion[system], code);
}

function isBound(expansion: Expansion, { type, value }: Token): boolean {
  // A code that has extensions comes as an object: of its text where it has one, else with the reason of its absence.
  const text = value instanceof String ? value.valueOf() : value;
  if (typeof text === "string") return Object.values(expansion).some((codes) => hasCode(codes, text));
  if (typeof value !== "object" || value === null || primitives.has(type)) return true;
  if (type === "CodeableConcept") {
    const { coding } = value as { coding?: unknown };
    return Array.isArray(coding) && coding.some((one) => hasCoding(expansion, one));
  }
  // A quantity may stand without a coded unit; where it has one, that is bound.
  if (type === "Quantity" && !("code" in value)) return true;
  return hasCoding(expansion, value);
}

function codeIssues(tokens: Record<string, Token[]>): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  for (const [canonical, values] of Object.entries(tokens)) {
    const expansion = definitions().valueSets[canonical];
    if (expansion === undefined) continue;
    for (const token of values) {
      if (!isBound(expansion, token)) {
        issues.push({ path: token.path, message: `Not a code of the required value set ${canonical}` });
      }
    }
  }
  return issues;
}

/** Never throws, whatever the bytes are. */
export function validateFhir(bytes: Uint8Array): Validation {
  const text = decodeText(bytes);
  if (text === undefined) return validationOf([{ path: "", message: "not UTF-8" }]);
  let resource: unknown;
  try {
    resource = JSON.parse(text);
  } catch {
    return validationOf([{ path: "", message: "not JSON" }]);
  }
  const fault = jsonFault(text);
  if (fault !== undefined) return validationOf([{ path: "", message: fault }]);
  const type = (resource as { resourceType?: unknown } | null)?.resourceType;
  if (typeof resource !== "object" || resource === null || typeof type !== "string") {
    return validationOf([{ path: "", message: "not a FHIR resource: no resourceType" }]);
  }
  loadDataTypes();
  const issues: ValidationIssue[] = [];
  prepare(resource, type, issues);
  if (!isResourceType(type)) return validationOf([{ path: "", message: "not a resource type of FHIR R4" }]);
  if (repeatsEntries(resource)) issues.push({ path: type, message: "Two entries have one fullUrl (bdl-7)" });
  for (const slice of slicesOf(resource)) {
    const tokens: Record<string, Token[]> = {};
    for (const issue of [...structureIssues(slice.resource, tokens), ...codeIssues(tokens)]) {
      issues.push({ ...issue, path: slice.place(issue.path) });
    }
    if (issues.length >= issuesMax) break;
  }
  return validationOf(distinct(issues));
}

/** What concerns the whole, or the first entry, shows once and not for every slice. */
function distinct(issues: readonly ValidationIssue[]): ValidationIssue[] {
  return [...new Map(issues.map((issue) => [`${issue.path} ${issue.message}`, issue])).values()];
}
