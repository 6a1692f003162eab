/** extend-namespace: longer lists that repeat the registered ones, proved anew as a whole from j = 1 (CRYPTO §3). */
import {
  decodeNamespaceLists,
  decodeNamespaceProof,
  equalBytes,
  sha256,
  utf8,
  verifyNamespaceKeys,
} from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, load, save } from "../state-kinds.ts";
import { registeredNamespace } from "./namespaces.ts";
import { type Rule, signerOf } from "./setting.ts";

export const extendNamespace: Rule<"extend-namespace"> = (setting, action) => {
  const { state, block } = setting;
  const { name } = action;
  const namespace = registeredNamespace(state, name);
  const { account } = namespace;
  demand(equalBytes(account, signerOf(setting).account), "role-missing");
  const { pairing, chainId } = block;
  const stored = load(state, entries.namespaceLists, utf8(name));
  demand(stored, "namespace-unknown");
  const previous = decodeNamespaceLists(pairing, stored);
  const lists = decodeNamespaceLists(pairing, action.lists);
  const proof = decodeNamespaceProof(action.proof);
  const identity = { chainId, namespace: name, account };
  const longer = lists.A.length > previous.A.length;
  demand(
    longer && verifyNamespaceKeys(pairing, identity, { lists, proof }, previous),
    "namespace-keys-invalid",
  );
  const columns = lists.A.length;
  save(state, entries.namespace, utf8(name), { ...namespace, columns, listsHash: sha256(action.lists) });
  save(state, entries.namespaceLists, utf8(name), action.lists);
};
