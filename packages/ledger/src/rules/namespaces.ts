/** Namespaces as rules look them up, and lists of attributes that must all be of one. */
import { compareBytes, namespaceOf, selfNamespace, utf8 } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { entries, load, type NamespaceValue } from "../state-kinds.ts";

/** @throws Refusal `namespace-unknown` */
export function registeredNamespace(state: Pick<StateAccess, "get">, name: string): NamespaceValue {
  const namespace = load(state, entries.namespace, utf8(name));
  demand(namespace && !isRemoved(state, name), "namespace-unknown", { namespace: name });
  return namespace;
}

/** Voted out: its attributes are signed and vouched for no more. */
export function isRemoved(state: Pick<StateAccess, "get">, name: string): boolean {
  return load(state, entries.removedNamespace, utf8(name)) !== undefined;
}

/** @throws Refusal `attribute-unknown` for an attribute whose namespace is neither registered nor `self` */
export function demandKnown(state: Pick<StateAccess, "get">, attributes: readonly string[]): void {
  for (const namespace of new Set(attributes.map(namespaceOf))) {
    const known =
      namespace === selfNamespace || load(state, entries.namespace, utf8(namespace)) !== undefined;
    demand(known, "attribute-unknown", { namespace });
  }
}

/** In rising order of their bytes, none twice. @throws Refusal `attributes-invalid` */
export function demandSorted(attributes: readonly string[]): void {
  for (const [at, attribute] of attributes.entries()) {
    const next = attributes[at + 1];
    demand(next === undefined || compareBytes(utf8(attribute), utf8(next)) < 0, "attributes-invalid");
  }
}
