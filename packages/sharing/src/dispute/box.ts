/**
 * What provider and reader show the judges of a dispute and nobody else: one box under a key of its own, and that key
 * sealed to each judge. The info names purpose, chain, judge, dispute and sender, so that nothing sealed for one dispute
 * opens in another, or as the other side's.
 */
import { ChartsealError, fixed, hpkeOpen, hpkeSeal, platform, randomBytes, tagged } from "@chartseal/crypto";
import type { DisputeValue, FieldsOf } from "@chartseal/ledger";
import type { Surroundings } from "../parties.ts";
import { readAccount } from "../state.ts";

export type Sealed = Pick<FieldsOf<"open-transform-key">, "box" | "envelopes">;

/** A dispute with its id. */
export interface Dispute extends DisputeValue {
  readonly disputeId: Uint8Array;
}

/** Which side's box it is. */
export type Side = "provider" | "reader";

const zeroNonce = new Uint8Array(12);
const envelopeBytes = 80;

function infoOf(
  chainId: Uint8Array,
  dispute: Dispute,
  { side, judge }: { side: Side; judge: Uint8Array },
): Uint8Array {
  const sender = dispute[side];
  return tagged("dispute/judge", fixed(chainId), fixed(judge), fixed(dispute.disputeId), fixed(sender));
}

/** Seals to every judge. One that has registered no key gets an envelope that nobody opens. */
export async function sealToJudges(
  { ledger }: Pick<Surroundings, "ledger">,
  dispute: Dispute,
  { side, plaintext }: { readonly side: Side; readonly plaintext: Uint8Array },
): Promise<Sealed> {
  const key = randomBytes(32);
  const box = await platform.aesGcmSeal(key, zeroNonce, dispute.disputeId, plaintext);
  const envelopes: Uint8Array[] = [];
  for (const judge of dispute.nodes) {
    const receiver = (await readAccount(ledger, judge))?.hpkeKey;
    const info = infoOf(ledger.chainId, dispute, { side, judge });
    envelopes.push(
      receiver == null ? randomBytes(envelopeBytes) : await hpkeSeal({ receiver, info, plaintext: key }),
    );
  }
  return { box, envelopes };
}

/** What this judge was shown; undefined where its envelope or the box does not open. */
export async function openAsJudge(
  { ledger }: Pick<Surroundings, "ledger">,
  dispute: Dispute,
  shown: {
    readonly side: Side;
    readonly sealed: Sealed;
    readonly judge: Uint8Array;
    readonly secrets: readonly Uint8Array[];
  },
): Promise<Uint8Array | undefined> {
  const { side, sealed, judge, secrets } = shown;
  const at = dispute.nodes.findIndex((one) => one.every((byte, place) => byte === judge[place]));
  const envelope = sealed.envelopes[at];
  if (envelope === undefined) throw new ChartsealError("defect", "this node is no judge of the dispute");
  const info = infoOf(ledger.chainId, dispute, { side, judge });
  for (const privateKey of secrets) {
    const key = await hpkeOpen({ privateKey, info, sealed: envelope });
    if (key === null) continue;
    if (key.length !== 32) return undefined;
    return (await platform.aesGcmOpen(key, zeroNonce, dispute.disputeId, sealed.box)) ?? undefined;
  }
  return undefined;
}
