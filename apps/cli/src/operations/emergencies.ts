/** Emergencies as commands take and show them: names for accounts, times for milliseconds, ids in hex. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { type Emergency, emergencyAttributesOf, listEmergencies, readSettings } from "@chartseal/sharing";
import { type Home, memberNameOf, parseRecordId, requireMember } from "../home/home.ts";
import type { ReadSession } from "../services/session.ts";

export interface EmergencyLine {
  readonly emergencyId: string;
  readonly status: string;
  readonly owner: string;
  readonly ownerAccount: string;
  readonly first: string;
  readonly second: string | null;
  readonly records: readonly string[];
  readonly reason: string;
  /** RFC 3339. */
  readonly until: string;
  /** When somebody ended it before its time, and who. */
  readonly ended: { readonly by: string; readonly at: string } | null;
  readonly keyIssued: boolean;
  readonly declaration: string;
  readonly reviews: { readonly owner: Review | null; readonly authority: Review | null };
  readonly reviewsOpen: readonly string[];
}

interface Review {
  readonly outcome: string;
  readonly note: string;
}

/** The member's name where this home has one, else the account in hex. */
export function nameOf(home: Home, account: Uint8Array): string {
  return memberNameOf(home, toHex(account)) ?? toHex(account);
}

export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

export function emergencyLine(home: Home, emergency: Emergency): EmergencyLine {
  const { owner, first, second, ended, ownerReview, nodeReview } = emergency;
  return {
    emergencyId: toHex(emergency.id),
    status: emergency.status,
    owner: nameOf(home, owner),
    ownerAccount: toHex(owner),
    first: nameOf(home, first),
    second: second === null ? null : nameOf(home, second.account),
    records: emergency.records.map(toHex),
    reason: emergency.reason,
    until: timeText(emergency.endMs),
    ended: ended === null ? null : { by: nameOf(home, ended.account), at: timeText(ended.timestampMs) },
    keyIssued: emergency.keyIssued,
    declaration: toHex(emergency.declaration),
    reviews: { owner: reviewOf(ownerReview), authority: reviewOf(nodeReview) },
    reviewsOpen: emergency.reviewsOpen,
  };
}

function reviewOf(review: Emergency["ownerReview"]): Review | null {
  return review === null ? null : { outcome: review.outcome, note: review.note };
}

/** What a person reads, on several lines. */
export function emergencyText(line: EmergencyLine): string {
  const { reviews } = line;
  const review = (who: string, value: Review | null): string[] =>
    value === null ? [] : [`review      ${who}: ${value.outcome}, ${JSON.stringify(value.note)}`];
  return [
    `emergency   ${line.emergencyId}, ${line.status}`,
    `owner       ${line.owner}`,
    `clinicians  ${line.first}, ${line.second ?? "nobody has confirmed"}`,
    `reason      ${JSON.stringify(line.reason)}`,
    `until       ${line.until}`,
    ...line.records.map((record) => `record      ${record}`),
    `declaration ${line.declaration}`,
    ...(line.ended === null ? [] : [`ended       by ${line.ended.by} at ${line.ended.at}`]),
    ...review("owner", reviews.owner),
    ...review("authority", reviews.authority),
    ...(line.reviewsOpen.length === 0 ? [] : [`to review   ${line.reviewsOpen.join(", ")}`]),
  ].join("\n");
}

/** An id as given on a command line. @throws ChartsealError `input-invalid` */
export function parseGrantId(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, 32);
  throw new ChartsealError("input-invalid", "the id of an emergency or proxy is 64 lower-case hex digits", {
    hint: "chartseal emergency list and chartseal proxy list show them.",
  });
}

/** The reason or a note. @throws ChartsealError `input-invalid` */
export function checkNote(option: string, text: string): void {
  if (text.trim() !== "" && text.length <= 1024 && text.isWellFormed()) return;
  throw new ChartsealError("input-invalid", `${option} takes 1 to 1,024 characters`);
}

/** Records of that owner, each once. @throws ChartsealError `record-unknown`, `input-invalid` */
export async function recordsOf(
  { home, ledger }: ReadSession,
  options: { readonly owner: string; readonly records: readonly string[] },
  read: (ledger: ReadSession["ledger"], recordId: Uint8Array) => Promise<{ readonly owner: Uint8Array }>,
): Promise<Uint8Array[]> {
  const { account } = requireMember(home, options.owner);
  const ids: Uint8Array[] = [];
  for (const text of new Set(options.records)) {
    const recordId = parseRecordId(text);
    const record = await read(ledger, recordId);
    if (toHex(record.owner) !== account) {
      throw new ChartsealError("input-invalid", `${options.owner} is not the owner of ${text}`, {
        data: { recordId: text, owner: options.owner },
      });
    }
    ids.push(recordId);
  }
  return ids;
}

/**
 * The attribute that makes the member a clinician: the one given, or the first listed one that it holds.
 * @throws ChartsealError `emergency-missing` where it holds none
 */
export async function clinicianAttribute(
  { ledger }: Pick<ReadSession, "ledger">,
  member: { readonly name: string; readonly account: Uint8Array },
  given: string | undefined,
): Promise<string> {
  const held = await emergencyAttributesOf(ledger, member.account);
  const attribute = given ?? held[0];
  if (attribute !== undefined && held.includes(attribute)) return attribute;
  const listed = (await readSettings(ledger)).emergencyAttributes;
  throw new ChartsealError("emergency-missing", `${member.name} holds no attribute listed for emergencies`, {
    data: { member: member.name, listed },
    hint:
      listed.length === 0
        ? "The consortium lists none: chartseal settings set --emergency-attributes."
        : `Listed: ${listed.join(", ")}.`,
  });
}

/** Emergencies over one member's records, or all of them. */
export async function emergencyLines(session: ReadSession, owner?: string): Promise<EmergencyLine[]> {
  const account = owner === undefined ? undefined : fromHex(requireMember(session.home, owner).account, 20);
  return (await listEmergencies(session, account)).map((one) => emergencyLine(session.home, one));
}
