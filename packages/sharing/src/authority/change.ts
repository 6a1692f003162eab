/**
 * A change of the committee as the validators decide it: who is admitted as a node, and which nodes hold shares of the
 * same keys from then on. The nodes do the rest by themselves (driver.ts).
 */
import { ChartsealError, equalBytes } from "@chartseal/crypto";
import { decodeTransaction, emptyKey, encodeTransaction, entries, type Submitted } from "@chartseal/ledger";
import { readNodes } from "../committee.ts";
import type { Surroundings } from "../parties.ts";
import { readEntry } from "../state.ts";
import { type Admitter, admissionsOf, currentBody, refusalForUsers } from "../submit.ts";

export interface CommitteeChangeOptions {
  readonly admittedBy: readonly Admitter[];
  /** The committee that results; for a refresh nothing. */
  readonly reshare?: {
    /** Accounts 1 … n. */
    readonly nodes: readonly Uint8Array[];
    readonly threshold: number;
    /** Indices of exactly t present nodes, ascending. */
    readonly dealers: readonly number[];
  };
}

/** Opens a change by a vote. @throws ChartsealError `input-invalid`, `transaction-refused` */
export async function openCommitteeChange(
  surroundings: Surroundings,
  { admittedBy, reshare }: CommitteeChangeOptions,
): Promise<{ readonly submitted: Submitted; readonly epoch: number }> {
  const { ledger } = surroundings;
  const { nodes, threshold, epoch } = await readNodes(ledger);
  const refresh = { nodes, threshold, dealers: nodes.map((_, at) => at + 1) };
  const change = reshare === undefined ? "refresh" : "reshare";
  const action = { kind: "open-committee-change", change, ...(reshare ?? refresh) } as const;
  const body = await currentBody(surroundings, action);
  const admissions = await admissionsOf(admittedBy, body);
  try {
    const submitted = await ledger.submit(encodeTransaction(body, { admissions }));
    return { submitted, epoch: epoch + 1 };
  } catch (error) {
    throw refusalForUsers(error);
  }
}

/** The height at which the change to an epoch was over, or undefined while it is under way. */
export async function changeEnded(
  { ledger }: Pick<Surroundings, "ledger">,
  epoch: number,
): Promise<number | undefined> {
  const change = await readEntry(ledger, entries.committeeChange, emptyKey);
  return change !== undefined && change.epoch >= epoch ? (change.closedHeight ?? undefined) : undefined;
}

/**
 * Admits a node that has signed its own registration. @throws ChartsealError `input-invalid` for what is none, or of
 * another node than the one expected
 */
export async function admitNode(
  { ledger }: Pick<Surroundings, "ledger">,
  options: {
    readonly registration: Uint8Array;
    /** The node's Ed25519 key, as its institution gave it. */
    readonly publicKey: Uint8Array;
    readonly admittedBy: readonly Admitter[];
  },
): Promise<Submitted> {
  const { body, bodyBytes, authorisation } = decodeTransaction(options.registration);
  const { action } = body;
  const own = action.kind === "register-node" && equalBytes(action.publicKey, options.publicKey);
  if (!own) {
    throw new ChartsealError("input-invalid", "a node offers a registration that is not its own", {
      hint: "Check the address and the public key of the node.",
    });
  }
  const admissions = await admissionsOf(options.admittedBy, bodyBytes);
  try {
    return await ledger.submit(encodeTransaction(bodyBytes, { ...authorisation, admissions }));
  } catch (error) {
    throw refusalForUsers(error);
  }
}
