/** Written policies as they stand in transactions: canonical text, of registered namespaces (CONTRACT, Who may). */
import { ChartsealError, checkAuthorPolicy, checkWritten, type Policy, parsePolicy } from "@chartseal/crypto";
import { demand, Refusal } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { demandKnown } from "./namespaces.ts";

type Reading = Pick<StateAccess, "get">;

function canonical(text: string, check: (policy: Policy) => void): Policy {
  try {
    const policy = parsePolicy(text);
    check(policy);
    demand(policy.text === text, "policy-invalid");
    return policy;
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code === "defect" || error instanceof Refusal)
      throw error;
    throw new Refusal("policy-invalid", { ...error.data, cause: error.code });
  }
}

/** @throws Refusal `policy-invalid`, `attribute-unknown` */
export function writtenPolicy(state: Reading, text: string): Policy {
  const policy = canonical(text, checkWritten);
  demandKnown(state, policy.attributes);
  return policy;
}

/** An author's: no person, and every leaf of that namespace where one is given. */
export function authorPolicy(state: Reading, text: string, namespace: string | null): Policy {
  const policy = canonical(text, (one) => {
    checkAuthorPolicy(one, namespace ?? one.attributes[0]!.slice(one.attributes[0]!.indexOf("@") + 1));
  });
  demandKnown(state, policy.attributes);
  return policy;
}
