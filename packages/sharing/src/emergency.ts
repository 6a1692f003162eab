/**
 * Break-glass (DESIGN decision 8; CRYPTO §3.1, Emergency leaf): a clinician declares an emergency over named records of
 * an owner who cannot be asked, a second one confirms that very text, the first one gets a key for it and opens with
 * purpose BTG; it ends by itself. The owner learns of it from the ledger, the review waits for owner and authority, and
 * the owner's client rekeys what such a key could open.
 */
import { ChartsealError, compareBytes, equalBytes, randomBytes } from "@chartseal/crypto";
import {
  type ActionOf,
  decodeTransaction,
  type EmergencyValue,
  emptyKey,
  entries,
  type FoundTransaction,
  type Ledger,
  lists,
  type RecordValue,
  type ReviewOutcome,
  type Submitted,
} from "@chartseal/ledger";
import type { Identity, MemberKeys, Provider, Surroundings } from "./parties.ts";
import { rekey } from "./rekey.ts";
import { readSettings } from "./settings.ts";
import { isVouched, type Reader, readEntry, readList } from "./state.ts";
import { AccountWriter } from "./submit.ts";

/** Whoever signs: an account and the seed of its key. */
type Signing = Pick<Identity, "account" | "seed">;

/** `declared` waits for the second clinician; `lapsed` ended without one; `void`: an era was raised since. */
export type EmergencyStatus = "declared" | "in-force" | "over" | "lapsed" | "void";

export interface Emergency extends EmergencyValue {
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly status: EmergencyStatus;
  /** Whether a key was ever issued for it. */
  readonly keyIssued: boolean;
  /** What has not been reviewed yet of a confirmed emergency that is over. */
  readonly reviewsOpen: readonly ("owner" | "authority")[];
}

export interface Declaration {
  readonly owner: Uint8Array;
  readonly records: readonly Uint8Array[];
  readonly reason: string;
  readonly endMs: number;
  /** The listed attribute that the clinician holds. */
  readonly attribute: string;
}

/** The first clinician's. @throws ChartsealError `emergency-missing`, `input-invalid` */
export async function declareEmergency(
  surroundings: Surroundings,
  options: { readonly clinician: Signing; readonly declaration: Declaration },
): Promise<{ readonly emergencyId: Uint8Array; readonly submitted: Submitted }> {
  const { clinician, declaration } = options;
  const emergencyId = randomBytes(32);
  const records = [...declaration.records].sort(compareBytes);
  const action = { kind: "declare-emergency", emergencyId, ...declaration, records } as const;
  const submitted = await new AccountWriter(surroundings, clinician).submit(action);
  return { emergencyId, submitted };
}

/**
 * The text that a second clinician is asked to stand behind, from the transaction itself: its identifier is made of these
 * bytes, so that nobody has one text shown and another confirmed.
 * @throws ChartsealError `emergency-missing`; `chain-altered` where the state names another transaction
 */
export async function readDeclaration(
  ledger: Ledger,
  emergencyId: Uint8Array,
): Promise<{ readonly identifier: Uint8Array; readonly action: ActionOf<"declare-emergency"> }> {
  const value = await requireValue(ledger, emergencyId);
  const found = await ledger.transaction(value.declaration);
  const { identifier, body } = found === undefined ? {} : decodeTransaction(found.bytes);
  const { action } = body ?? {};
  if (identifier !== undefined && action?.kind === "declare-emergency") {
    if (equalBytes(action.emergencyId, emergencyId)) return { identifier, action };
  }
  throw new ChartsealError("chain-altered", "the chain does not hold the declaration that its state names");
}

/** The second clinician's, of the declaration with this identifier. @throws ChartsealError `emergency-missing` */
export async function confirmEmergency(
  surroundings: Surroundings,
  options: {
    readonly clinician: Signing;
    readonly emergencyId: Uint8Array;
    readonly declaration: Uint8Array;
    readonly attribute: string;
  },
): Promise<Submitted> {
  const { clinician, ...confirmed } = options;
  return await new AccountWriter(surroundings, clinician).submit({ kind: "confirm-emergency", ...confirmed });
}

/** Before its time, by the owner or either clinician; the provider deletes the key when it follows the ledger. */
export async function endEmergency(
  surroundings: Surroundings & { readonly provider: Provider },
  options: { readonly by: Signing; readonly emergencyId: Uint8Array },
): Promise<Submitted> {
  const { by, emergencyId } = options;
  const submitted = await new AccountWriter(surroundings, by).submit({ kind: "end-emergency", emergencyId });
  await surroundings.provider.follow();
  return submitted;
}

/** By the owner, or by an authority node. @throws ChartsealError `input-invalid` before the end, or a second time */
export async function reviewEmergency(
  surroundings: Surroundings,
  options: {
    readonly by: Signing;
    readonly emergencyId: Uint8Array;
    readonly outcome: ReviewOutcome;
    readonly note: string;
  },
): Promise<Submitted> {
  const { by, ...review } = options;
  return await new AccountWriter(surroundings, by).submit({ kind: "review-emergency", ...review });
}

/** The attributes that make this account a clinician in an emergency: held and listed. */
export async function emergencyAttributesOf(ledger: Reader, account: Uint8Array): Promise<string[]> {
  const held: string[] = [];
  for (const attribute of (await readSettings(ledger)).emergencyAttributes) {
    if (await isVouched(ledger, account, attribute)) held.push(attribute);
  }
  return held;
}

async function requireValue(ledger: Reader, emergencyId: Uint8Array): Promise<EmergencyValue> {
  const value = await readEntry(ledger, entries.emergency, emergencyId);
  if (value !== undefined) return value;
  throw new ChartsealError("emergency-missing", "no such emergency is on the ledger");
}

/** As of now: by block time or one's own clock, whichever is later. @throws ChartsealError `emergency-missing` */
export async function readEmergency(
  { ledger, now }: Pick<Surroundings, "ledger" | "now">,
  id: Uint8Array,
): Promise<Emergency> {
  const value = await requireValue(ledger, id);
  const era = (await readEntry(ledger, entries.era, emptyKey))?.era ?? 0;
  const isPast = Math.max((await ledger.head()).timestampMs, now()) >= value.endMs;
  const isOver = isPast || value.ended !== null || value.era !== era;
  const isConfirmed = value.second !== null;
  const running = isConfirmed ? "in-force" : "declared";
  const ended = isConfirmed ? "over" : "lapsed";
  const status = value.era !== era ? "void" : isOver ? ended : running;
  const keyIssued = (await readEntry(ledger, entries.specialKey, id)) !== undefined;
  const reviewsOpen = isOver && isConfirmed ? openReviews(value) : [];
  return { ...value, id, status, keyIssued, reviewsOpen };
}

function openReviews({ ownerReview, nodeReview }: EmergencyValue): ("owner" | "authority")[] {
  return [
    ...(ownerReview === null ? (["owner"] as const) : []),
    ...(nodeReview === null ? (["authority"] as const) : []),
  ];
}

/** Every emergency, or every one over an owner's records, oldest first. */
export async function listEmergencies(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  owner: Uint8Array = emptyKey,
): Promise<Emergency[]> {
  const emergencies: Emergency[] = [];
  for (const id of await readList(surroundings.ledger, lists.emergencies, owner)) {
    emergencies.push(await readEmergency(surroundings, id));
  }
  return emergencies;
}

/**
 * The owner's records whose header is older than the end of an emergency in which a key was issued. The key could have
 * opened any of them at a provider that asks no ledger, named or not.
 */
export async function recordsToRekey(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  owner: Uint8Array,
): Promise<readonly { readonly recordId: Uint8Array; readonly record: RecordValue }[]> {
  const { ledger } = surroundings;
  const over = (await listEmergencies(surroundings, owner)).filter(
    ({ status, keyIssued }) => keyIssued && (status === "over" || status === "void"),
  );
  if (over.length === 0) return [];
  const raisedHeight = (await readEntry(ledger, entries.era, emptyKey))?.height ?? 0;
  const old: { recordId: Uint8Array; record: RecordValue }[] = [];
  for (const recordId of await readList(ledger, lists.recordsOfOwner, owner)) {
    const record = await readEntry(ledger, entries.record, recordId);
    if (record === undefined || record.erasedHeight !== null) continue;
    const sealed = await ledger.transaction(record.rekey ?? record.deposit);
    if (sealed === undefined) continue;
    if (over.some((one) => isBefore(sealed, one, raisedHeight))) old.push({ recordId, record });
  }
  return old;
}

/** Whether a header was registered before the emergency was over: ended by somebody, void, or by its time. */
function isBefore(
  { height, header }: FoundTransaction,
  { ended, status, endMs }: Emergency,
  raisedHeight: number,
): boolean {
  if (ended !== null) return height <= ended.height;
  return status === "void" ? height <= raisedHeight : header.timestampMs < endMs;
}

/**
 * What the owner's client does at its next use: new headers for all of those records. One that fails is named and does
 * not stop the others.
 */
export async function rekeyAfterEmergencies(
  surroundings: Surroundings & { readonly provider: Provider },
  owner: MemberKeys,
): Promise<{
  readonly rekeyed: readonly Uint8Array[];
  readonly failed: readonly { readonly recordId: Uint8Array; readonly error: ChartsealError }[];
}> {
  const rekeyed: Uint8Array[] = [];
  const failed: { recordId: Uint8Array; error: ChartsealError }[] = [];
  for (const { recordId } of await recordsToRekey(surroundings, owner.account)) {
    try {
      await rekey(surroundings, { owner, recordId });
      rekeyed.push(recordId);
    } catch (error) {
      if (!(error instanceof ChartsealError) || error.family === "defect") throw error;
      failed.push({ recordId, error });
    }
  }
  return { rekeyed, failed };
}
