/**
 * A hospital's registration where no single validator decides (CRYPTO §3.1, relay and admissions): it is proposed with
 * exactly the fields that will be registered, voted on, and done by the hospital's own transaction.
 */
import { equalBytes, sha256 } from "@chartseal/crypto";
import { type ActionOf, ballotKey, decodeProposed, entries, lists } from "@chartseal/ledger";
import { encodeProposed, type Operator, readConsortium } from "./consortium.ts";
import { type NewNamespace, newNamespace, submitRegistration } from "./namespace.ts";
import type { Identity, Surroundings } from "./parties.ts";
import { readEntry, readList } from "./state.ts";

/** How long the others have for their votes. */
const votesForMs = 7 * 86_400_000;

/** Where a registration stands: on the ledger, or waiting for the votes on a proposal. */
export type Registration =
  | { readonly registered: true }
  | { readonly registered: false; readonly proposalId: Uint8Array };

type Registering = ActionOf<"register-namespace">;

/** Proposes a new namespace and votes for it. @returns where it stands: one validator alone may hold enough */
export async function proposeNamespace(
  surroundings: Surroundings,
  options: NewNamespace & { readonly operator: Operator },
): Promise<Registration> {
  const { name, identity, operator } = options;
  const { action } = await newNamespace(surroundings, options);
  const note = `the hospital ${name}`;
  const { identifier: proposalId } = await operator.propose(action, { note, forMs: votesForMs });
  return await goOn(surroundings, { identity, operator, found: { proposalId, action } });
}

/**
 * Goes on with a namespace that was proposed before, by the same account.
 * @returns undefined where nothing was, or the time for votes is over: it is proposed again
 */
export async function registerProposed(
  surroundings: Surroundings,
  options: { readonly name: string; readonly identity: Identity; readonly operator: Operator },
): Promise<Registration | undefined> {
  const { identity, operator } = options;
  const found = await proposedBefore(surroundings, options);
  return found === undefined ? undefined : await goOn(surroundings, { identity, operator, found });
}

interface Found {
  readonly proposalId: Uint8Array;
  readonly action: Registering;
}

/** The last such proposal that can still come to something. */
async function proposedBefore(
  { ledger, now }: Surroundings,
  { name, identity }: { readonly name: string; readonly identity: Identity },
): Promise<Found | undefined> {
  for (const proposalId of (await readList(ledger, lists.proposals)).reverse()) {
    const value = await readEntry(ledger, entries.proposal, proposalId);
    if (value === undefined) continue;
    const action = decodeProposed(value.action);
    if (action.kind !== "register-namespace" || action.name !== name) continue;
    if (!equalBytes(action.account, identity.account)) continue;
    const isOpen = value.executedHeight === null && value.lapsesMs > now();
    if (isOpen || (await readEntry(ledger, entries.approval, sha256(value.action))) !== undefined) {
      return { proposalId, action };
    }
  }
  return undefined;
}

/** Executes what has enough votes, then registers; what has not waits. */
async function goOn(
  surroundings: Surroundings,
  options: { readonly identity: Identity; readonly operator: Operator; readonly found: Found },
): Promise<Registration> {
  const { ledger } = surroundings;
  const { identity, operator, found } = options;
  const { proposalId, action } = found;
  const isApproved = async (): Promise<boolean> =>
    (await readEntry(ledger, entries.approval, sha256(encodeProposed(action)))) !== undefined;
  if (!(await isApproved())) {
    await voteOnce(surroundings, operator, proposalId);
    if (!(await hasVotes(surroundings, proposalId))) return { registered: false, proposalId };
    await operator.execute(proposalId);
  }
  await submitRegistration(surroundings, { identity, action });
  return { registered: true };
}

/** The operator's own vote, where an earlier attempt did not come to it. */
async function voteOnce(
  surroundings: Surroundings,
  operator: Operator,
  proposalId: Uint8Array,
): Promise<void> {
  const { validators } = await readConsortium(surroundings);
  for (const { publicKey } of validators.filter((one) => equalBytes(one.operator, operator.account))) {
    const ballot = await readEntry(surroundings.ledger, entries.ballot, ballotKey(proposalId, publicKey));
    if (ballot === undefined) return void (await operator.vote(proposalId, true));
  }
}

/** Validators of more than two thirds of the power are in favour, by the stakes of now. */
async function hasVotes(surroundings: Surroundings, proposalId: Uint8Array): Promise<boolean> {
  const { proposals } = await readConsortium(surroundings);
  const found = proposals.find(({ id }) => equalBytes(id, proposalId));
  return found !== undefined && 3 * found.inFavour > 2 * found.all;
}
