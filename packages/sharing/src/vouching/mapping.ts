/**
 * A namespace's mapping: rules from the claims of its identity provider to attributes of its own (docs/guide/hospital.md;
 * schema: spec/vectors/oidc-mapping.schema.json). Strict: an unknown field, an empty list, another's attribute are
 * refused with the rule's index. What no rule names is nothing.
 */
import { ChartsealError, isAttribute, namespaceOf } from "@chartseal/crypto";

export const mappingVersion = 1;
export const rulesMax = 256;
export const ruleAttributesMax = 64;
export const valuesMax = 256;
export const pathMax = 8;
export const textLengthMax = 1024;

export type ClaimValue = string | number | boolean;
export const operators = ["equals", "contains", "one-of"] as const;
export type Operator = (typeof operators)[number];

/** One rule. `equals`: the claim is the value; `contains`: it is a list with it; `one-of`: it is one of the values. */
export interface MappingRule {
  /** A claim's name, and the names of fields inside it. */
  readonly claim: readonly string[];
  readonly operator: Operator;
  /** One value, or those of `one-of`. */
  readonly values: readonly ClaimValue[];
  readonly attributes: readonly string[];
}

export interface Mapping {
  readonly version: typeof mappingVersion;
  readonly rules: readonly MappingRule[];
}

/** Claims of an identity as the provider gives them: untrusted, of any shape. */
export type Claims = Readonly<Record<string, unknown>>;

/** What made an attribute come of claims. */
export interface Match {
  /** Index of the rule in its mapping, from 0. */
  readonly rule: number;
  readonly claim: readonly string[];
  readonly operator: Operator;
  /** The value that the claim had, or had among others; nothing else of the claims is kept. */
  readonly value: ClaimValue;
}

function wrong(detail: string, data: Record<string, unknown>): ChartsealError {
  return new ChartsealError("input-invalid", `the mapping does not hold: ${detail}`, { data });
}

/** @throws ChartsealError `input-invalid`, data {rule, field} where one is to blame */
export function parseMapping(json: unknown, namespace: string): Mapping {
  const { version, rules } = exactFields(json, ["version", "rules"], (detail) => wrong(detail, {}));
  if (version !== mappingVersion) throw wrong(`version must be ${mappingVersion}`, { field: "version" });
  if (!Array.isArray(rules) || rules.length === 0 || rules.length > rulesMax) {
    throw wrong(`rules must be a list of 1 to ${rulesMax}`, { field: "rules" });
  }
  return { version: mappingVersion, rules: rules.map((rule, at) => parseRule(rule, at, namespace)) };
}

function parseRule(json: unknown, rule: number, namespace: string): MappingRule {
  const fault = (field: string, detail: string): ChartsealError =>
    wrong(`rule ${rule}: ${field} ${detail}`, { rule, field });
  const names = ["claim", "operator", "value", "attributes"];
  const { claim, operator, value, attributes } = exactFields(json, names, (detail) =>
    wrong(`rule ${rule}: ${detail}`, { rule }),
  );
  const path = typeof claim === "string" ? [claim] : claim;
  const sound = Array.isArray(path) && path.length >= 1 && path.length <= pathMax && path.every(isName);
  if (!sound) throw fault("claim", `must be a name, or a list of 1 to ${pathMax} names`);
  if (!operators.includes(operator as Operator)) throw fault("operator", `must be ${operators.join(", ")}`);
  return {
    claim: path as string[],
    operator: operator as Operator,
    values: parseValues(value, operator as Operator, fault),
    attributes: parseAttributes(attributes, namespace, fault),
  };
}

type Fault = (field: string, detail: string) => ChartsealError;

function parseValues(value: unknown, operator: Operator, fault: Fault): readonly ClaimValue[] {
  if (operator !== "one-of") {
    if (!isValue(value)) throw fault("value", "must be a text, a number or true or false");
    return [value];
  }
  const sound =
    Array.isArray(value) && value.length >= 1 && value.length <= valuesMax && value.every(isValue);
  if (!sound) throw fault("value", `must be a list of 1 to ${valuesMax} texts, numbers or true or false`);
  return value as ClaimValue[];
}

function parseAttributes(value: unknown, namespace: string, fault: Fault): readonly string[] {
  const sound = Array.isArray(value) && value.length >= 1 && value.length <= ruleAttributesMax;
  if (!sound) throw fault("attributes", `must be a list of 1 to ${ruleAttributesMax}`);
  for (const attribute of value as unknown[]) {
    if (typeof attribute !== "string" || !isAttribute(attribute)) {
      throw fault("attributes", `holds ${JSON.stringify(attribute)}, which is no attribute`);
    }
    if (namespaceOf(attribute) !== namespace)
      throw fault("attributes", `holds ${attribute}, not of ${namespace}`);
  }
  if (new Set(value).size !== value.length) throw fault("attributes", "holds one twice");
  return value as string[];
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value.length >= 1 && value.length <= textLengthMax;
}

function isValue(value: unknown): value is ClaimValue {
  if (typeof value === "string") return value.length <= textLengthMax;
  return typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}

/** An object with these fields and no other. */
function exactFields(
  json: unknown,
  names: readonly string[],
  fault: (detail: string) => ChartsealError,
): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw fault("it is no object");
  const unknown = Object.keys(json).find((name) => !names.includes(name));
  if (unknown !== undefined) throw fault(`unknown field ${JSON.stringify(unknown)}`);
  const missing = names.find((name) => !Object.hasOwn(json, name));
  if (missing !== undefined) throw fault(`${missing} is missing`);
  return json as Record<string, unknown>;
}

/** The document as a user would write it, for `show` and for storing. */
export function mappingJson({ version, rules }: Mapping): unknown {
  return {
    version,
    rules: rules.map(({ claim, operator, values, attributes }) => ({
      claim: claim.length === 1 ? claim[0] : claim,
      operator,
      value: operator === "one-of" ? values : values[0],
      attributes,
    })),
  };
}

/** Attribute → what made it come; of several rules the first. An empty map for claims that no rule fits. */
export function applyMapping({ rules }: Mapping, claims: Claims): ReadonlyMap<string, Match> {
  const mapped = new Map<string, Match>();
  for (const [at, rule] of rules.entries()) {
    const value = matchOf(rule, claims);
    if (value === undefined) continue;
    const { claim, operator, attributes } = rule;
    for (const attribute of attributes) {
      if (!mapped.has(attribute)) mapped.set(attribute, { rule: at, claim, operator, value });
    }
  }
  return mapped;
}

/** The value that satisfies the rule, or undefined. Compared by type and value: the text "1" is not the number 1. */
export function matchOf(
  { claim, operator, values }: Pick<MappingRule, "claim" | "operator" | "values">,
  claims: Claims,
): ClaimValue | undefined {
  const found = claimAt(claims, claim);
  const held: readonly unknown[] = operator === "contains" ? (Array.isArray(found) ? found : []) : [found];
  return held.find((one): one is ClaimValue => isValue(one) && values.includes(one));
}

function claimAt(claims: Claims, path: readonly string[]): unknown {
  let at: unknown = claims;
  for (const name of path) {
    if (typeof at !== "object" || at === null || Array.isArray(at) || !Object.hasOwn(at, name))
      return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

/** A match in words: `rule 2: roles contains cardiologist`. */
export function matchText({ rule, claim, operator, value }: Match): string {
  const verb = operator === "one-of" ? "is, among others," : operator === "equals" ? "is" : operator;
  return `rule ${rule}: ${claim.join(".")} ${verb} ${String(value)}`;
}
