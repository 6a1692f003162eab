/** Disputes about transforms, as commands open and show them: names for accounts, times for milliseconds, ids in hex. */
import { ChartsealError, equalBytes, fromHex, isFamily, toHex } from "@chartseal/crypto";
import { disputeAnswerMs, entries, type Verdict } from "@chartseal/ledger";
import {
  type Dispute,
  demandDisputable,
  disputeOf,
  disputeTransform,
  doesOpen,
  giveEvidence,
  type KeptAnswer,
  readDispute,
  readDisputes,
  readEntry,
} from "@chartseal/sharing";
import { requireMember } from "../home/home.ts";
import { judgeOwn } from "../services/own-judges.ts";
import type { OwnSession, ReadSession, Session, SessionMember } from "../services/session.ts";
import { nameOf, timeText } from "./emergencies.ts";
import { readerOf } from "./special-reading.ts";

export interface DisputeLine {
  readonly disputeId: string;
  readonly status: "open" | "settled";
  /** Who is at fault: null while it is open, and where it was dismissed. */
  readonly atFault: "provider" | "sealer" | "reader" | null;
  readonly outcome: Verdict | null;
  readonly recordId: string;
  readonly requestId: string;
  readonly reader: string;
  readonly readerAccount: string;
  readonly provider: string;
  /** Id of the transform key that the answer was made with, and the block in which it was retired. */
  readonly keyId: string;
  readonly keyRetiredHeight: number | null;
  /** RFC 3339. */
  readonly opened: string;
  readonly height: number;
  /** Until when both sides may show the judges what they must. */
  readonly answersUntil: string;
  readonly providerAnswered: boolean;
  readonly readerAnswered: boolean;
  /** How many equal verdicts settle it. */
  readonly threshold: number;
  readonly verdicts: readonly {
    readonly node: number;
    readonly account: string;
    readonly verdict: Verdict | null;
  }[];
  readonly settledHeight: number | null;
}

export async function disputeLine(
  { home, ledger }: Pick<ReadSession, "home" | "ledger">,
  dispute: Dispute,
): Promise<DisputeLine> {
  const { outcome, nodes, verdicts, keyId, timestampMs, reader } = dispute;
  const key = await readEntry(ledger, entries.key, keyId);
  return {
    disputeId: toHex(dispute.disputeId),
    status: outcome === null ? "open" : "settled",
    atFault: outcome === "dismissed" ? null : outcome,
    outcome,
    recordId: toHex(dispute.recordId),
    requestId: toHex(dispute.requestId),
    reader: nameOf(home, reader),
    readerAccount: toHex(reader),
    provider: toHex(dispute.provider),
    keyId: toHex(keyId),
    keyRetiredHeight: key?.retiredHeight ?? null,
    opened: timeText(timestampMs),
    height: dispute.height,
    answersUntil: timeText(timestampMs + disputeAnswerMs),
    providerAnswered: dispute.opening !== null,
    readerAnswered: dispute.evidence !== null,
    threshold: dispute.threshold,
    verdicts: nodes.map((account, at) => ({
      node: at + 1,
      account: toHex(account),
      verdict: verdicts.find(({ node }) => equalBytes(node, account))?.verdict ?? null,
    })),
    settledHeight: dispute.endedHeight,
  };
}

/** Of all records, or of one; or those that are open alone. */
export async function disputeLines(
  session: ReadSession,
  { recordId, openOnly = false }: { readonly recordId?: Uint8Array; readonly openOnly?: boolean } = {},
): Promise<DisputeLine[]> {
  const wanted = (await readDisputes(session)).filter(
    (one) =>
      (recordId === undefined || equalBytes(one.recordId, recordId)) && (!openOnly || one.outcome === null),
  );
  return await Promise.all(wanted.map((one) => disputeLine(session, one)));
}

const findings: Readonly<Record<Verdict, string>> = {
  provider: "The provider is at fault: its transform is not what the reader's key makes of this record.",
  sealer:
    "The record's sealer is at fault: its header does not fit its policy. The provider answered rightly.",
  reader: "The reader is at fault: the provider's transform is right, and opens the record.",
  dismissed: "Dismissed: the reader showed the judges nothing in its day.",
};

/** What a person reads, on several lines. */
export function disputeText(line: DisputeLine): string {
  const answered = (yes: boolean): string =>
    yes ? "has shown the judges its part" : "has shown nothing yet";
  const retired =
    line.keyRetiredHeight === null ? "in use until the verdict" : `retired in block ${line.keyRetiredHeight}`;
  return [
    `dispute   ${line.disputeId}, ${line.status}`,
    `record    ${line.recordId}`,
    `request   ${line.requestId}`,
    `reader    ${line.reader}, ${answered(line.readerAnswered)}`,
    `provider  ${line.provider}, ${answered(line.providerAnswered)}`,
    `opened    ${line.opened}, answers until ${line.answersUntil}`,
    `key       ${line.keyId}, ${retired}`,
    ...line.verdicts.map(
      ({ node, account, verdict }) => `node ${node}    ${account}  ${verdict ?? "no verdict yet"}`,
    ),
    line.outcome === null
      ? `Open: ${line.threshold} equal verdicts settle it.`
      : `${findings[line.outcome]}\n${goOn(line)}`,
  ].join("\n");
}

/** How the reader goes on: its judges know the key that was in dispute. */
function goOn({ outcome, recordId }: DisputeLine): string {
  const next =
    "The key is retired: the next chartseal open asks for a new one under a new secret (chartseal keys renew).";
  if (outcome !== "sealer") return next;
  return `${next} The record's owner seals it again with chartseal rekey ${recordId.slice(0, 8)}….`;
}

/** @throws ChartsealError `input-invalid` */
export function parseDisputeId(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, 32);
  throw new ChartsealError("input-invalid", "a dispute's id is 64 lower-case hex digits");
}

/**
 * Before any passphrase: the evidence is this record's, a provider signed it, and the key is the member's.
 * @throws ChartsealError `input-invalid`, `signature-invalid`
 */
export async function checkEvidence(
  session: ReadSession,
  asked: { readonly kept: KeptAnswer; readonly recordId: Uint8Array; readonly name: string },
): Promise<void> {
  const { kept, recordId, name } = asked;
  const { account } = requireMember(session.home, name);
  if (!equalBytes(kept.recordId, recordId)) {
    throw new ChartsealError("input-invalid", "the evidence is of another record", {
      data: { recordId: toHex(kept.recordId) },
    });
  }
  await demandDisputable(session, kept);
  const key = await readEntry(session.ledger, entries.key, kept.transformKeyId);
  if (key === undefined || toHex(key.account) !== account) {
    throw new ChartsealError("input-invalid", `the answer was not made with a key of ${name}`);
  }
  if (key.retiredHeight === null || (await disputeOf(session, kept)) !== undefined) return;
  throw new ChartsealError(
    "input-invalid",
    "the key of this answer is retired: it cannot be disputed any more",
    {
      data: { retiredHeight: key.retiredHeight },
      hint: "Open the record again, and dispute that answer before another key is issued.",
    },
  );
}

/**
 * Opens the dispute, or gives the evidence that is still missing where a client stopped between the two; what the home's
 * own provider and nodes have to do follows at once.
 * @throws ChartsealError `input-invalid` for an answer that opens: its reader would be found at fault
 */
export async function openDispute(
  session: Session,
  { member, kept }: { readonly member: SessionMember; readonly kept: KeptAnswer },
): Promise<DisputeLine> {
  const found = await disputeOf(session, kept);
  const disputeId = found?.evidence != null ? found.disputeId : await claim(session, { member, kept, found });
  await answerNow(session);
  return await disputeLine(session, await readDispute(session, disputeId));
}

async function claim(
  session: Session,
  asked: { readonly member: SessionMember; readonly kept: KeptAnswer; readonly found: Dispute | undefined },
): Promise<Uint8Array> {
  const { member, kept, found } = asked;
  const { transformKeyId, recoveryKey } = await readerOf(session, member, kept.requestId);
  const isSame = transformKeyId !== null && equalBytes(transformKeyId, kept.transformKeyId);
  if (!isSame || recoveryKey === null) {
    throw new ChartsealError(
      "input-invalid",
      `${member.name} has not the secret of this answer's key any more`,
    );
  }
  if (await doesOpen(session, { kept, recoveryKey })) {
    throw new ChartsealError("input-invalid", "this answer opens the record: its reader would be at fault", {
      hint: "Open the record again.",
    });
  }
  const { requestId, answer } = kept;
  const failed = { requestId, transformKeyId: kept.transformKeyId, recoveryKey, answer };
  if (found === undefined)
    return (await disputeTransform(session, { member: member.keys, failed })).disputeId;
  await giveEvidence(session, { member: member.keys, failed, dispute: found });
  return found.disputeId;
}

/** The provider looks at the ledger now; nodes of this process judge. Those that are away or slow find it by themselves. */
async function answerNow(session: Session): Promise<void> {
  try {
    await session.provider.follow();
  } catch (error) {
    if (!isFamily(error, "unavailable") && !isFamily(error, "integrity")) throw error;
  }
  if ("drivers" in session) await judgeOwn(session as OwnSession);
}

/** How many wait for judges, or for somebody's answer. */
export async function countOpenDisputes(session: Pick<ReadSession, "ledger">): Promise<number> {
  return (await readDisputes(session)).filter(({ outcome }) => outcome === null).length;
}
