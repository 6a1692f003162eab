/**
 * declare-emergency, confirm-emergency, end-emergency, review-emergency (CRYPTO §3.1, Emergency leaf): two clinicians,
 * each of whom holds an attribute that the consortium lists, stand behind one text: owner, records, reason, end. The
 * owner learns of it from the list of emergencies in the owner's name, from the declaration on.
 */
import { compareBytes, equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { append, type EmergencyValue, emptyKey, entries, lists, load, roles, save } from "../state-kinds.ts";
import { demandCommittee } from "./committee.ts";
import { settingsOf } from "./set-settings.ts";
import { hasRole, type Rule, type Setting, signerOf, signerWith } from "./setting.ts";
import { demandClinician, demandDeclared } from "./special-grants.ts";

export const declareEmergency: Rule<"declare-emergency"> = (setting, action) => {
  const { state, block, era, transaction } = setting;
  const { emergencyId, owner, records, reason, endMs, attribute } = action;
  demandCommittee(state);
  const { account: first } = signerWith(setting, roles.member);
  demandFresh(setting, emergencyId);
  demand(hasRole(state, owner, roles.member), "account-unknown");
  demand(!equalBytes(first, owner), "emergency-clinicians");
  demandClinician(state, first, attribute);
  demandRecords(setting, owner, records);
  const { timestampMs, height } = block;
  const latest = timestampMs + settingsOf(state).emergencyLifetimeMs;
  demand(endMs > timestampMs && endMs <= latest, "emergency-time", { latest });
  save(state, entries.emergency, emergencyId, {
    owner,
    records,
    reason,
    first,
    attribute,
    endMs,
    declaration: transaction.identifier,
    height,
    era,
    second: null,
    ended: null,
    ownerReview: null,
    nodeReview: null,
  });
  append(state, lists.emergencies, emptyKey, emergencyId);
  append(state, lists.emergencies, owner, emergencyId);
};

/** An id is of one emergency or of one proxy: their keys stand under it. */
export function demandFresh({ state }: Setting, grantId: Uint8Array): void {
  const used =
    load(state, entries.emergency, grantId) !== undefined ||
    load(state, entries.proxy, grantId) !== undefined;
  demand(!used, "emergency-exists");
}

function demandRecords({ state }: Setting, owner: Uint8Array, records: readonly Uint8Array[]): void {
  demand(records.length > 0, "emergency-records");
  for (const [at, recordId] of records.entries()) {
    const next = records[at + 1];
    demand(next === undefined || compareBytes(recordId, next) < 0, "emergency-records");
    const record = load(state, entries.record, recordId);
    const fits = record !== undefined && record.erasedHeight === null && equalBytes(record.owner, owner);
    demand(fits, "emergency-records");
  }
}

export const confirmEmergency: Rule<"confirm-emergency"> = (setting, action) => {
  const { state, block } = setting;
  const { emergencyId, declaration, attribute } = action;
  const { account } = signerWith(setting, roles.member);
  const emergency = demandDeclared(state, emergencyId, block.timestampMs);
  demand(emergency.second === null, "emergency-confirmed");
  demand(equalBytes(declaration, emergency.declaration), "emergency-declaration");
  const others = [emergency.first, emergency.owner];
  demand(!others.some((one) => equalBytes(one, account)), "emergency-clinicians");
  demandClinician(state, account, attribute);
  const second = { account, attribute, height: block.height };
  save(state, entries.emergency, emergencyId, { ...emergency, second });
};

/** By the owner or either clinician, before its time: a declaration alone can be taken back in the same way. */
export const endEmergency: Rule<"end-emergency"> = (setting, { emergencyId }) => {
  const { state, block } = setting;
  const { account } = signerOf(setting);
  const emergency = load(state, entries.emergency, emergencyId);
  demand(emergency, "emergency-missing");
  const parties = [emergency.owner, emergency.first, emergency.second?.account];
  demand(
    parties.some((one) => one !== undefined && equalBytes(one, account)),
    "role-missing",
  );
  demand(!isOver(setting, emergency), "emergency-over");
  const { height, timestampMs } = block;
  save(state, entries.emergency, emergencyId, { ...emergency, ended: { account, height, timestampMs } });
};

function isOver({ block, era }: Setting, { ended, endMs, era: own }: EmergencyValue): boolean {
  return ended !== null || block.timestampMs >= endMs || own !== era;
}

/** Once by the owner and once by a node, of one that two clinicians stood behind, when it is over. */
export const reviewEmergency: Rule<"review-emergency"> = (setting, { emergencyId, outcome, note }) => {
  const { state, block } = setting;
  const { account } = signerOf(setting);
  const emergency = load(state, entries.emergency, emergencyId);
  demand(emergency, "emergency-missing");
  const field = equalBytes(account, emergency.owner) ? "ownerReview" : "nodeReview";
  demand(field === "ownerReview" || hasRole(state, account, roles.node), "role-missing");
  const reviewable = emergency.second !== null && isOver(setting, emergency) && emergency[field] === null;
  demand(reviewable, "review-invalid");
  const review = { account, outcome, note, height: block.height };
  save(state, entries.emergency, emergencyId, { ...emergency, [field]: review });
};
