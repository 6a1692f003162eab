/**
 * register-namespace: a hospital's namespace with its public lists and the proof that one a and one b lie behind them
 * (CRYPTO §3); by a vote of the validators. The account is a member's or any other on the ledger, and signs itself.
 */
import {
  decodeNamespaceLists,
  decodeNamespaceProof,
  equalBytes,
  selfNamespace,
  sha256,
  utf8,
  verifyNamespaceKeys,
} from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { append, emptyKey, entries, lists as listNumbers, load, roles, save } from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import { type Rule, signerOf } from "./setting.ts";

export const registerNamespace: Rule<"register-namespace"> = (setting, action) => {
  const { state, block } = setting;
  const { name, account, hpkeKey } = action;
  const { account: signer, value } = signerOf(setting);
  demand(value, "signer-unknown");
  demand(equalBytes(account, signer), "account-mismatch");
  const free = name !== selfNamespace && load(state, entries.namespace, utf8(name)) === undefined;
  demand(free, "namespace-exists");
  demandAdmission(setting);
  const { pairing, chainId, height } = block;
  const lists = decodeNamespaceLists(pairing, action.lists);
  const proof = decodeNamespaceProof(action.proof);
  const identity = { chainId, namespace: name, account };
  demand(verifyNamespaceKeys(pairing, identity, { lists, proof }), "namespace-keys-invalid");
  const listsHash = sha256(action.lists);
  save(state, entries.namespace, utf8(name), {
    account,
    hpkeKey,
    columns: lists.A.length,
    listsHash,
    height,
  });
  save(state, entries.namespaceLists, utf8(name), action.lists);
  save(state, entries.account, account, { ...value, roles: value.roles | roles.namespace });
  append(state, listNumbers.namespaces, emptyKey, utf8(name));
};
