/** Kind → its rule. */
import type { ActionKind } from "../actions.ts";
import { alert } from "./alert.ts";
import { approveRecovery } from "./approve-recovery.ts";
import { openAudit, recordAudit } from "./audit.ts";
import { deposit } from "./deposit.ts";
import { disputeEvidence, disputeTransform, disputeVerdict, openTransformKey } from "./dispute.ts";
import { confirmEmergency, declareEmergency, endEmergency, reviewEmergency } from "./emergency.ts";
import { enrol } from "./enrol.ts";
import { equivocation } from "./equivocation.ts";
import { erase } from "./erase.ts";
import { eraseCertificate } from "./erase-certificate.ts";
import { extendNamespace } from "./extend-namespace.ts";
import { finishRecovery } from "./finish-recovery.ts";
import { jailAbsent, liftJail, unjail } from "./jail.ts";
import { eraseDue, liftHold, placeHold, setRetention } from "./keeping.ts";
import { keyIssued } from "./key-issued.ts";
import {
  keygenAnswer,
  keygenCommit,
  keygenComplaint,
  keygenConclude,
  keygenDeal,
  keygenReveal,
} from "./keygen.ts";
import { markDisputed } from "./mark-disputed.ts";
import { admitValidator, assignWeight, removeInstitution, removeValidator } from "./membership.ts";
import { nodeFault } from "./node-fault.ts";
import { objectRecovery } from "./object-recovery.ts";
import { openCommitteeChange } from "./open-committee-change.ts";
import { openPeriod } from "./open-period.ts";
import { execute, propose, vote } from "./proposals.ts";
import { appointProxy, endProxy, revokeRuleAsProxy, setRuleAsProxy } from "./proxy.ts";
import { raiseEra } from "./raise-era.ts";
import { receipt } from "./receipt.ts";
import { refuse } from "./refuse.ts";
import { registerNamespace } from "./register-namespace.ts";
import { registerNode } from "./register-node.ts";
import { registerProvider } from "./register-provider.ts";
import { rekey } from "./rekey.ts";
import { replaceKey } from "./replace-key.ts";
import { requestAccess } from "./request-access.ts";
import { requestKey } from "./request-key.ts";
import { recordPlacement, recordRepair, setResidency } from "./residency.ts";
import { revoke } from "./revoke.ts";
import { revokeRule } from "./revoke-rule.ts";
import { setHpkeKey } from "./set-hpke-key.ts";
import { setRecovery } from "./set-recovery.ts";
import { setRule } from "./set-rule.ts";
import { setSettings } from "./set-settings.ts";
import type { Rule } from "./setting.ts";
import { requestSpecialKey } from "./special-key.ts";
import { bond, delegate, unbond, withdrawWeight } from "./stake.ts";
import { setStakeParameters } from "./stake-parameters.ts";
import { startRecovery } from "./start-recovery.ts";
import { vouch } from "./vouch.ts";

export const rules: { readonly [K in ActionKind]: Rule<K> } = {
  enrol,
  "set-hpke-key": setHpkeKey,
  "keygen-commit": keygenCommit,
  "keygen-reveal": keygenReveal,
  "keygen-deal": keygenDeal,
  "keygen-complaint": keygenComplaint,
  "keygen-answer": keygenAnswer,
  "keygen-conclude": keygenConclude,
  "open-committee-change": openCommitteeChange,
  "register-provider": registerProvider,
  "register-namespace": registerNamespace,
  "extend-namespace": extendNamespace,
  "open-period": openPeriod,
  vouch,
  revoke,
  "register-node": registerNode,
  "request-key": requestKey,
  "key-issued": keyIssued,
  "request-special-key": requestSpecialKey,
  "node-fault": nodeFault,
  "set-rule": setRule,
  "revoke-rule": revokeRule,
  deposit,
  rekey,
  "request-access": requestAccess,
  receipt,
  refuse,
  "mark-disputed": markDisputed,
  erase,
  "erase-certificate": eraseCertificate,
  alert,
  "raise-era": raiseEra,
  "declare-emergency": declareEmergency,
  "confirm-emergency": confirmEmergency,
  "end-emergency": endEmergency,
  "review-emergency": reviewEmergency,
  "set-settings": setSettings,
  "set-recovery": setRecovery,
  "replace-key": replaceKey,
  "start-recovery": startRecovery,
  "approve-recovery": approveRecovery,
  "object-recovery": objectRecovery,
  "finish-recovery": finishRecovery,
  "appoint-proxy": appointProxy,
  "end-proxy": endProxy,
  "set-rule-as-proxy": setRuleAsProxy,
  "revoke-rule-as-proxy": revokeRuleAsProxy,
  "set-residency": setResidency,
  "record-placement": recordPlacement,
  "record-repair": recordRepair,
  "open-audit": openAudit,
  "record-audit": recordAudit,
  "dispute-transform": disputeTransform,
  "open-transform-key": openTransformKey,
  "dispute-evidence": disputeEvidence,
  "dispute-verdict": disputeVerdict,
  "set-retention": setRetention,
  "place-hold": placeHold,
  "lift-hold": liftHold,
  "erase-due": eraseDue,
  bond,
  delegate,
  unbond,
  "withdraw-weight": withdrawWeight,
  equivocation,
  "jail-absent": jailAbsent,
  unjail,
  propose,
  vote,
  execute,
  "set-stake-parameters": setStakeParameters,
  "admit-validator": admitValidator,
  "remove-validator": removeValidator,
  "assign-weight": assignWeight,
  "remove-institution": removeInstitution,
  "lift-jail": liftJail,
};
