/** erase-certificate: after an erasure, each copy with its holder's signature that it is destroyed (CRYPTO §4, Erase). */
import { equalBytes } from "@chartseal/crypto";
import { verifyErasedCopy } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import { knownRecord, saveLogged } from "./records.ts";
import { providerOf, type Rule, signerOf } from "./setting.ts";

export const eraseCertificate: Rule<"erase-certificate"> = (setting, { recordId, copies }) => {
  const { state, block } = setting;
  const { chainId } = block;
  const record = knownRecord(state, recordId);
  const { account } = signerOf(setting);
  const named = equalBytes(account, record.owner) || equalBytes(account, record.provider);
  demand(named, "role-missing");
  demand(record.erasedHeight !== null && copies.length > 0, "certificate-invalid");
  for (const copy of copies) {
    const holder = providerOf(state, copy.holder);
    demand(holder, "certificate-invalid");
    const { address } = copy;
    demand(verifyErasedCopy(holder.publicKey, copy, { chainId, recordId, address }), "certificate-invalid");
  }
  saveLogged(setting, recordId, record, "certified");
};
