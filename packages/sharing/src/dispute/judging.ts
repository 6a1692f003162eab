/**
 * A node at the disputes that it is a judge of: it reads what both sides showed it, judges, and signs. One that cannot
 * judge yet waits; who shows nothing within the ledger's time is judged by that.
 */
import { ChartsealError, equalBytes, hasCode } from "@chartseal/crypto";
import { type ActionOf, decodeTransaction, disputeAnswerMs, type Verdict } from "@chartseal/ledger";
import { readCommittee } from "../committee.ts";
import type { Surroundings } from "../parties.ts";
import type { AccountWriter } from "../submit.ts";
import { type Dispute, openAsJudge, type Side } from "./box.ts";
import { blindedOf, decodeEvidence, type Evidence } from "./evidence.ts";
import { judge } from "./judge.ts";
import type { OpenDisputes } from "./open-disputes.ts";
import { decodeOpening } from "./opening.ts";

export interface JudgingNode {
  readonly surroundings: Surroundings;
  readonly account: Uint8Array;
  readonly writer: AccountWriter;
  /** Every receiving key that the node still has. */
  readonly secrets: readonly Uint8Array[];
  readonly disputes: OpenDisputes;
}

/** Disputes that this node is still to judge. */
export async function toJudge(
  disputes: Pick<OpenDisputes, "read">,
  account: Uint8Array,
): Promise<readonly Dispute[]> {
  return (await disputes.read()).filter(
    ({ nodes, verdicts }) =>
      nodes.some((one) => equalBytes(one, account)) &&
      !verdicts.some(({ node }) => equalBytes(node, account)),
  );
}

/** Gives the next verdict that can be given. True where it gave one. */
export async function judgeNext(node: JudgingNode): Promise<boolean> {
  for (const dispute of await toJudge(node.disputes, node.account)) {
    const verdict = await verdictOn(node, dispute);
    if (verdict === undefined) continue;
    const { disputeId, opening, evidence } = dispute;
    try {
      await node.writer.submit({ kind: "dispute-verdict", disputeId, verdict, opening, evidence });
      return true;
    } catch (error) {
      // Settled meanwhile, or something was shown since: it is looked at again.
      const passing = ["dispute-unknown", "verdict-unfounded", "verdict-given"];
      if (!(error instanceof ChartsealError) || !passing.includes(String(error.data.refusalName)))
        throw error;
    }
  }
  return false;
}

/** What this node finds by now; undefined where it has to wait. */
async function verdictOn(node: JudgingNode, dispute: Dispute): Promise<Verdict | undefined> {
  const { ledger, pairing } = node.surroundings;
  const isOver = (await ledger.head()).timestampMs > dispute.timestampMs + disputeAnswerMs;
  if (dispute.opening === null) return isOver ? "provider" : undefined;
  const shown = await shownBy(node, dispute, "provider");
  const opened = shown === undefined ? undefined : readable(() => decodeOpening(pairing, shown));
  if (opened === undefined) return "provider";
  const evidence = await evidenceOf(node, dispute);
  if (evidence === undefined) return isOver ? "dismissed" : undefined;
  if (evidence === "malformed") return "reader";
  const mpk = (await readCommittee(ledger, pairing)).reading.publicKey;
  const blinded = await blindedOf(node.surroundings, dispute);
  return judge(pairing, { dispute, chainId: ledger.chainId, mpk, blinded, opened, evidence });
}

async function evidenceOf(node: JudgingNode, dispute: Dispute): Promise<Evidence | "malformed" | undefined> {
  const shown = dispute.evidence === null ? undefined : await shownBy(node, dispute, "reader");
  if (shown === undefined) return undefined;
  return readable(() => decodeEvidence(node.surroundings.pairing, shown)) ?? "malformed";
}

async function shownBy(
  { surroundings, account, secrets }: JudgingNode,
  dispute: Dispute,
  side: Side,
): Promise<Uint8Array | undefined> {
  const identifier = side === "provider" ? dispute.opening : dispute.evidence;
  const found = await surroundings.ledger.transaction(identifier!);
  if (found === undefined) throw new ChartsealError("chain-altered", "the ledger lacks what a dispute names");
  const { action } = decodeTransaction(found.bytes).body;
  const sealed = action as ActionOf<"open-transform-key" | "dispute-evidence">;
  return await openAsJudge(surroundings, dispute, { side, sealed, judge: account, secrets });
}

/** What a side showed may be any bytes. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, "encoding-invalid") || hasCode(error, "input-invalid")) return undefined;
    throw error;
  }
}
