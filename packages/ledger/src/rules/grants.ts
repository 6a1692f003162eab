/** A grant as its provider uses it: in force, unused, of the current version, and still allowed in this block. */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, load, type RecordValue, type RequestValue } from "../state-kinds.ts";
import { knownRecord, outcomes } from "./records.ts";
import { type Setting, signerOf } from "./setting.ts";

/** The grant that the signing provider may close: granted in this era, not used, not refused. */
export function openGrant(
  setting: Setting,
  requestId: Uint8Array,
): { readonly request: RequestValue; readonly record: RecordValue } {
  const { state, era } = setting;
  const request = load(state, entries.request, requestId);
  demand(request, "request-unknown");
  const record = knownRecord(state, request.recordId);
  demand(equalBytes(record.provider, signerOf(setting).account), "role-missing");
  const granted = request.outcome === outcomes.granted && request.era === era && request.refusal === null;
  demand(granted, "grant-missing");
  demand(request.receipt === null, "grant-used");
  return { request, record };
}
