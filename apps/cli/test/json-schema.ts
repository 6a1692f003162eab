/** As much of JSON Schema as our published schemas use; says what does not fit, by path. */

type Schema = Record<string, unknown>;

/** Faults of a value under a schema; none where it fits. Keywords that it does not know are faults too. */
export function schemaFaults(root: Schema, value: unknown): string[] {
  return check(root, root, value, "$");
}

const known = new Set([
  "$schema",
  "$defs",
  "$ref",
  "title",
  "type",
  "const",
  "enum",
  "anyOf",
  "pattern",
  "minimum",
  "items",
  "required",
  "properties",
  "additionalProperties",
]);

function check(root: Schema, schema: Schema, value: unknown, path: string): string[] {
  const strange = Object.keys(schema).filter((keyword) => !known.has(keyword));
  if (strange.length > 0) return [`${path}: the schema uses ${strange.join(", ")}`];
  if (typeof schema.$ref === "string") return check(root, resolve(root, schema.$ref), value, path);
  if (Array.isArray(schema.anyOf)) {
    const fits = (schema.anyOf as Schema[]).some((one) => check(root, one, value, path).length === 0);
    return fits ? [] : [`${path}: fits none of its forms`];
  }
  if ("const" in schema && value !== schema.const) return [`${path}: is not ${String(schema.const)}`];
  if (Array.isArray(schema.enum) && !schema.enum.includes(value))
    return [`${path}: ${String(value)} is none of them`];
  if (typeof schema.type === "string" && !hasType(schema.type, value))
    return [`${path}: is no ${schema.type}`];
  return [
    ...scalarFaults(schema, value, path),
    ...(Array.isArray(value)
      ? value.flatMap((item, at) => check(root, schema.items as Schema, item, `${path}[${at}]`))
      : []),
    ...(hasType("object", value) ? objectFaults(root, schema, value as Schema, path) : []),
  ];
}

function resolve(root: Schema, reference: string): Schema {
  return reference
    .replace("#/", "")
    .split("/")
    .reduce((at, name) => at[name] as Schema, root);
}

function hasType(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function scalarFaults(schema: Schema, value: unknown, path: string): string[] {
  const faults: string[] = [];
  if (typeof schema.pattern === "string" && !new RegExp(schema.pattern).test(String(value))) {
    faults.push(`${path}: ${String(value)} is not of its form`);
  }
  if (typeof schema.minimum === "number" && Number(value) < schema.minimum)
    faults.push(`${path}: is too small`);
  return faults;
}

function objectFaults(root: Schema, schema: Schema, value: Schema, path: string): string[] {
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  const required = (schema.required ?? []) as string[];
  const missing = required
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => `${path}.${name}: is missing`);
  const inside = Object.entries(value).flatMap(([name, item]) => {
    const own = properties[name];
    return own === undefined ? [`${path}.${name}: is unknown`] : check(root, own, item, `${path}.${name}`);
  });
  return [...missing, ...inside];
}
