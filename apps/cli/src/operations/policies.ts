/** Policies against what the ledger knows: namespaces that exist, who holds what, what a member lacks. */
import {
  ChartsealError,
  fromHex,
  missing,
  namespaceOf,
  type Policy,
  satisfies,
  selfNamespace,
  utf8,
} from "@chartseal/crypto";
import { type Ledger, lists } from "@chartseal/ledger";
import { attributesInForce, isVouched, namespaceExists, readList } from "@chartseal/sharing";

/** @throws ChartsealError `attribute-unknown` for the first attribute whose namespace is not registered */
export async function demandNamespaces(ledger: Pick<Ledger, "read">, policy: Policy): Promise<void> {
  for (const attribute of policy.attributes) {
    const namespace = namespaceOf(attribute);
    if (namespace === selfNamespace || (await namespaceExists(ledger, namespace))) continue;
    throw new ChartsealError("attribute-unknown", `${attribute} names a hospital that is not registered`, {
      data: { attribute },
      hint: "chartseal namespace list shows the registered ones.",
    });
  }
}

/** How many accounts hold each attribute now. */
export async function holdersOf(ledger: Pick<Ledger, "read">, policy: Policy): Promise<Map<string, number>> {
  const holders = new Map<string, number>();
  for (const attribute of new Set(policy.attributes)) {
    let count = 0;
    for (const account of await readList(ledger, lists.holdersOfAttribute, utf8(attribute))) {
      if (await isVouched(ledger, account, attribute)) count++;
    }
    holders.set(attribute, count);
  }
  return holders;
}

/** Whether an account satisfies a policy now, and what it lacks: alternatives, smallest first. */
export async function standing(
  ledger: Pick<Ledger, "read">,
  policy: Policy,
  account: string,
): Promise<{ readonly satisfied: boolean; readonly missing: readonly (readonly string[])[] }> {
  const held = new Set(await attributesInForce(ledger, fromHex(account, 20)));
  return { satisfied: satisfies(policy.tree, held), missing: missing(policy.tree, held) };
}
