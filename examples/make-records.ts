/**
 * Makes the sample records beside it, which `npm run demo` seals: one patient and one format each. Nobody in them exists.
 * The same seed gives the same bytes: node --conditions=chartseal-source examples/make-records.ts
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  sampleCcdaSummary,
  sampleDicomImage,
  sampleFhirBundle,
  sampleHl7v2Message,
  samplePdfReport,
} from "@chartseal/records";

/** File → bytes. The seeds are chosen so that the person in the record has the patient's name. */
export function sampleRecords(): ReadonlyMap<string, Uint8Array> {
  return new Map([
    ["bruno-ct.dcm", sampleDicomImage("bruno 2")],
    ["clara-history.json", sampleFhirBundle("clara 19", { visits: 16 })],
    ["greta-report.pdf", samplePdfReport("greta 41")],
    ["noor-summary.xml", sampleCcdaSummary("noor 1")],
    ["omar-result.hl7", sampleHl7v2Message("omar 3")],
  ]);
}

if (import.meta.main) {
  const folder = fileURLToPath(new URL("records/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of sampleRecords()) writeFileSync(folder + file, bytes);
}
