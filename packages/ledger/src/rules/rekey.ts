/**
 * rekey: the owner's new header over the same payload, or over a re-encrypted one (CRYPTO §4). The author's statement
 * stays as deposited; of a new payload's only the metadata commitment must be the same, since the salt travels along.
 */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { demandFree } from "./keeping.ts";
import { digestOf, ownRecord, saveLogged } from "./records.ts";
import type { Rule } from "./setting.ts";
import { demandStored } from "./storage.ts";
import { writtenPolicy } from "./written-policy.ts";

export const rekey: Rule<"rekey"> = (setting, action) => {
  const { recordId, version, headerHash, address, policy, statement } = action;
  const record = ownRecord(setting, recordId);
  demand(record.erasedHeight === null, "record-erased");
  demand(version === record.version + 1, "record-version");
  // A new payload would end what the author's signature proves of this one, and the old one is destroyed.
  if (statement !== null) demandFree(setting, recordId);
  writtenPolicy(setting.state, policy);
  const current = statement ?? record.current;
  const same = equalBytes(current.metadataCommitment, record.statement.metadataCommitment);
  demand(same, "statement-invalid");
  const provider = demandStored(setting, { recordId, address, headerHash, statement: current });
  const digest = digestOf(headerHash, current.payloadDigest);
  const { identifier } = setting.transaction;
  const next = {
    ...record,
    policy,
    current,
    headerHash,
    address,
    digest,
    version,
    provider,
    rekey: identifier,
  };
  saveLogged(setting, recordId, next, "rekeyed");
};
