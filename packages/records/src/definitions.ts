/**
 * The FHIR R4 definitions that validation needs, from definitions/r4.json.gz (made by scripts/build-index.mjs). The only
 * file of this package that reads from disk; read once, when the first FHIR record is validated.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface Definitions {
  /** What it was made from. */
  readonly source: string;
  /** Type name → its StructureDefinition as JSON text. */
  readonly types: Readonly<Record<string, string>>;
  /** Canonical address of a required value set → code system → its codes. A set too large to list is absent. */
  readonly valueSets: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

let loaded: Definitions | undefined;

export function definitions(): Definitions {
  if (loaded === undefined) {
    const packed = readFileSync(new URL("../definitions/r4.json.gz", import.meta.url));
    loaded = JSON.parse(gunzipSync(packed).toString("utf8")) as Definitions;
  }
  return loaded;
}
