/** An authority node's own signature under a review: made with the node's keys, which never pass through a server. */
import { ChartsealError } from "@chartseal/crypto";
import type { Identity } from "@chartseal/sharing";
import type { KeyVault } from "../home/key-vault.ts";
import { loadNode } from "../services/service-keys.ts";
import type { Session } from "../services/session.ts";

/** `vault`: of the home's services. @throws ChartsealError `input-invalid` for a node that this home does not hold */
export async function reviewingNode(
  { home }: Session,
  { node, vault }: { readonly node: number; readonly vault: () => Promise<KeyVault> },
): Promise<Pick<Identity, "account" | "seed">> {
  if (node < 1 || node > home.config.nodes) {
    throw new ChartsealError("input-invalid", `the keys of node ${node} are not in this home`, {
      hint: "A node reviews on the machine that holds its keys.",
    });
  }
  return (await loadNode(await vault(), node)).identity;
}
