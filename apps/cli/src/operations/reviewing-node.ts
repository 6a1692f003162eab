/** An authority node's own signature under a review: made where its keys lie, never through a server. */
import { ChartsealError } from "@chartseal/crypto";
import type { Identity } from "@chartseal/sharing";
import { loadNode } from "../services/service-keys.ts";
import type { OwnSession, Session } from "../services/session.ts";

/** @throws ChartsealError `input-invalid` for a node that this home does not hold */
export async function reviewingNode(
  session: Session,
  index: number,
): Promise<Pick<Identity, "account" | "seed">> {
  const { nodes } = session.home.config;
  if (!("vault" in session) || index < 1 || index > nodes) {
    throw new ChartsealError("input-invalid", `the keys of node ${index} are not in this home`, {
      hint: "A node reviews on the machine that holds its keys.",
    });
  }
  return (await loadNode((session as OwnSession).vault, index)).identity;
}
