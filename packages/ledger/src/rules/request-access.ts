/**
 * request-access: a proved request to read one version of a record (CONTRACT, Who may). An invalid proof is refused and
 * leaves nothing; a valid one is recorded, granted or denied. Proof by attributes is anonymous; the owner's, a person's,
 * an emergency's and a proxy's name the account. A grant is for one version, one one-time key, one transform.
 */
import { equalBytes, parsePolicy, personsOf, toHex } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { idOf } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import { append, entries, lists, load, type RecordValue, roles, save } from "../state-kinds.ts";
import { demandAttributes } from "./attribute-proof.ts";
import { isEmergencyPurpose } from "./purposes.ts";
import { knownRecord, outcomes, saveLogged } from "./records.ts";
import { type Rule, type Setting, signerWith } from "./setting.ts";
import { demandReading } from "./special-grants.ts";
import { judgeRequest } from "./standing-rule.ts";

export const requestAccess: Rule<"request-access"> = (setting, action) => {
  const { state, block, transaction, consortium, era, signer } = setting;
  const { requestId, recordId, recordDigest, purpose, oneTimeKey, proof, emergencyId } = action;
  const { timestampMs } = block;
  const { oneTime } = transaction.authorisation;
  const own = oneTime !== null && equalBytes(oneTime.publicKey, oneTimeKey);
  demand(own && equalBytes(requestId, idOf(block.chainId, oneTimeKey)), "one-time-invalid");
  demand(load(state, entries.request, requestId) === undefined, "request-exists");
  demand(purpose !== null || proof === "owner" || proof === "proxy", "purpose-missing");
  const isEmergency = proof === "emergency";
  demand(!isEmergency || isEmergencyPurpose(purpose), "purpose-missing");
  demand((emergencyId !== null) === (isEmergency || proof === "proxy"), "emergency-missing");
  const record = knownRecord(state, recordId);
  demand(equalBytes(recordDigest, record.digest), "record-version");
  demandProof(setting, action, record);
  const outcome = judgeRequest(state, record, { proof, purpose, timestampMs });
  save(state, entries.request, requestId, {
    recordId,
    recordDigest,
    version: record.version,
    oneTimeKey,
    purpose,
    proof,
    account: signer?.account ?? null,
    outcome: outcomes[outcome],
    height: block.height,
    lapsesMs: timestampMs + consortium.parameters.grantLifetimeMs,
    era,
    receipt: null,
    refusal: null,
  });
  if (emergencyId !== null) save(state, entries.requestGrant, requestId, { grantId: emergencyId });
  append(state, lists.requestsOfRecord, recordId, requestId);
  saveLogged(setting, recordId, record, outcome);
};

/** One of the ways of CONTRACT, or as a proxy. @throws Refusal */
function demandProof(setting: Setting, action: ActionOf<"request-access">, record: RecordValue): void {
  const { proof, recordId, emergencyId } = action;
  if (proof === "attributes") {
    demandAttributes(setting, parsePolicy(record.policy));
    return;
  }
  const { account } = signerWith(setting, roles.member);
  if (proof === "owner") {
    demand(equalBytes(account, record.owner), "role-missing");
    return;
  }
  if (proof === "person") {
    demand(personsOf(parsePolicy(record.policy)).includes(toHex(account)), "person-unproved");
    return;
  }
  demand(emergencyId, "emergency-missing");
  const { timestampMs } = setting.block;
  const place = { mode: proof, grantId: emergencyId, timestampMs };
  demandReading(setting.state, { ...place, account, recordId, record });
}
