/**
 * receipt: the provider is about to transform, and leaves the reader's identity sealed to owner and committee (CRYPTO
 * §3.1). Taken once a grant, and only where time, version, erasure, rule, emergency or proxy still hold in this block.
 */
import { auditLabel, decodeAuditCiphertext, equalBytes, verifyAuditCiphertext } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, load, save } from "../state-kinds.ts";
import { openGrant } from "./grants.ts";
import { saveLogged } from "./records.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";
import { demandReading, demandSpecialKey } from "./special-grants.ts";
import { judgeRequest } from "./standing-rule.ts";

/** A grant that the ledger would not give in this block. */
const refusalOf = {
  granted: "grant-missing",
  "denied-rule-missing": "rule-missing",
  "denied-rule-expired": "rule-expired",
  "denied-purpose": "rule-purpose",
  "denied-erased": "record-erased",
} as const;

export const receipt: Rule<"receipt"> = (setting, { requestId, provider, auditCiphertext }) => {
  const { state, block, transaction } = setting;
  const { request, record } = openGrant(setting, requestId);
  demand(equalBytes(provider, signerOf(setting).account), "role-missing");
  const { timestampMs, pairing, chainId } = block;
  demand(timestampMs < request.lapsesMs, "grant-lapsed");
  demand(request.version === record.version, "record-version");
  demandSpecial(setting, requestId, { request, record });
  const outcome = judgeRequest(state, record, { ...request, timestampMs });
  demand(outcome === "granted", refusalOf[outcome]);
  const ciphertext = decodeAuditCiphertext(pairing, auditCiphertext);
  const label = auditLabel(requestId, provider);
  demand(verifyAuditCiphertext(pairing, { chainId, label, ciphertext }), "receipt-proof-invalid");
  save(state, entries.request, requestId, { ...request, receipt: transaction.identifier });
  saveLogged(setting, request.recordId, record, "transformed");
};

/** A request in an emergency or as a proxy stands on what still stands in this block, and on the one key made for it. */
function demandSpecial(
  { state, block }: Setting,
  requestId: Uint8Array,
  { request, record }: ReturnType<typeof openGrant>,
): void {
  const { proof: mode, account, recordId } = request;
  if (mode !== "emergency" && mode !== "proxy") return;
  const grantId = load(state, entries.requestGrant, requestId)?.grantId;
  demand(grantId && account, "emergency-missing");
  const { timestampMs } = block;
  demandReading(state, { mode, grantId, timestampMs, account, recordId, record });
  demandSpecialKey(state, grantId);
}
