/**
 * open-period: the label under which an attribute is signed from now on (CRYPTO §3, Periods). A label holds no dot and
 * is opened once for an attribute, so that no earlier period, with or without its revocations, ever comes back.
 */
import { equalBytes, namespaceOf, utf8 } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { append, entries, lists, load, save } from "../state-kinds.ts";
import { registeredNamespace } from "./namespaces.ts";
import { type Rule, signerOf } from "./setting.ts";

const labelForm = /^[a-z0-9][a-z0-9-]{0,23}$/;

export const openPeriod: Rule<"open-period"> = (setting, { namespace, attribute, label }) => {
  const { state, block } = setting;
  const { account } = registeredNamespace(state, namespace);
  demand(equalBytes(account, signerOf(setting).account), "role-missing");
  demand(namespaceOf(attribute) === namespace, "attributes-invalid");
  const key = utf8(attribute);
  const used = utf8(`${attribute}#${label}`);
  demand(labelForm.test(label) && load(state, entries.periodUsed, used) === undefined, "period-used");
  if (load(state, entries.period, key) === undefined) {
    append(state, lists.attributesOfNamespace, utf8(namespace), key);
  }
  save(state, entries.periodUsed, used, block.height);
  save(state, entries.period, key, { label, revocations: 0, height: block.height });
};
