/**
 * Who reads: signed by the reader with the request's one-time key and its own account key at the transform, and sealed
 * on the ledger to the owner and the committee (CRYPTO §3.1, Reveal and Receipt). Whoever opens a receipt's box checks
 * both signatures; a box that opens to anything else convicts the provider that signed it and accuses no reader.
 */
import {
  auditEncrypt,
  auditLabel,
  ChartsealError,
  concat,
  decode,
  encode,
  encodeAuditCiphertext,
  fixed,
  type G1,
  type HashPart,
  hpkeOpen,
  hpkeSeal,
  type Pairing,
  platform,
  randomBytes,
  signTagged,
  tagged,
  verifyTagged,
} from "@chartseal/crypto";
import type { Identity, Reveal } from "../parties.ts";

/** What a reveal is about, as the ledger knows it. */
export interface RevealPlace {
  readonly chainId: Uint8Array;
  readonly provider: Uint8Array;
  readonly recordDigest: Uint8Array;
}

/** What the opener of a receipt learns and has checked. */
export interface Revealed {
  readonly account: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly transformKeyId: Uint8Array;
}

const zeroNonce = new Uint8Array(12);

function parts(
  reveal: Omit<Reveal, "oneTimeSignature" | "accountSignature">,
  place: RevealPlace,
): HashPart[] {
  return [
    fixed(place.chainId),
    fixed(place.provider),
    fixed(reveal.requestId),
    fixed(reveal.recordId),
    fixed(place.recordDigest),
    fixed(reveal.account),
    fixed(reveal.transformKeyId),
  ];
}

/** Signs with both keys. */
export function signReveal(options: {
  readonly reader: Identity;
  readonly oneTime: { readonly seed: Uint8Array; readonly publicKey: Uint8Array };
  readonly requestId: Uint8Array;
  readonly recordId: Uint8Array;
  readonly transformKeyId: Uint8Array;
  readonly place: RevealPlace;
}): Reveal {
  const { reader, oneTime, place, requestId, recordId, transformKeyId } = options;
  const unsigned = {
    requestId,
    recordId,
    account: reader.account,
    publicKey: reader.publicKey,
    transformKeyId,
    oneTimePublicKey: oneTime.publicKey,
  };
  return {
    ...unsigned,
    oneTimeSignature: signTagged(oneTime.seed, "sharing/reveal", ...parts(unsigned, place)),
    accountSignature: signTagged(reader.seed, "sharing/reveal", ...parts(unsigned, place)),
  };
}

/** True if both signatures are over this very place and the account is that of the key. */
export function verifyReveal(reveal: Reveal, place: RevealPlace): boolean {
  const message = parts(reveal, place);
  return (
    verifyTagged(reveal.oneTimePublicKey, reveal.oneTimeSignature, "sharing/reveal", ...message) &&
    verifyTagged(reveal.publicKey, reveal.accountSignature, "sharing/reveal", ...message)
  );
}

function associatedOf(requestId: Uint8Array, provider: Uint8Array): Uint8Array {
  return concat(requestId, provider);
}

function ownerInfo(chainId: Uint8Array, owner: Uint8Array, associated: Uint8Array): Uint8Array {
  return tagged("sharing/receipt-box", fixed(chainId), fixed(owner), associated);
}

/** The three sealed parts of a receipt. The box's plaintext has one length, whoever reads. */
export async function sealReceipt(
  pairing: Pairing,
  options: {
    readonly reveal: Reveal;
    readonly place: RevealPlace;
    readonly owner: { readonly account: Uint8Array; readonly hpkeKey: Uint8Array };
    readonly auditKey: G1;
  },
): Promise<{ box: Uint8Array; ownerEnvelope: Uint8Array; auditCiphertext: Uint8Array }> {
  const { reveal, place, owner, auditKey } = options;
  const associated = associatedOf(reveal.requestId, place.provider);
  const key = randomBytes(32);
  const plaintext = encode([
    reveal.account,
    reveal.publicKey,
    reveal.transformKeyId,
    reveal.oneTimeSignature,
    reveal.accountSignature,
  ]);
  const ciphertext = auditEncrypt(pairing, {
    publicKey: auditKey,
    chainId: place.chainId,
    label: auditLabel(reveal.requestId, place.provider),
    key,
  });
  return {
    box: await platform.aesGcmSeal(key, zeroNonce, associated, plaintext),
    ownerEnvelope: await hpkeSeal({
      receiver: owner.hpkeKey,
      info: ownerInfo(place.chainId, owner.account, associated),
      associated,
      plaintext: key,
    }),
    auditCiphertext: encodeAuditCiphertext(pairing, ciphertext),
  };
}

/**
 * The reader behind a receipt, for the record's owner.
 * @throws ChartsealError `signature-invalid` where the box holds no reveal for this request: the provider's fault. Data
 *   {part}: `envelope` does not open to this key of the owner, `box` does not open, `reveal` is not signed by a reader
 */
export async function openReceipt(options: {
  readonly owner: Identity;
  readonly place: RevealPlace;
  readonly requestId: Uint8Array;
  readonly recordId: Uint8Array;
  readonly oneTimeKey: Uint8Array;
  readonly receipt: { readonly box: Uint8Array; readonly ownerEnvelope: Uint8Array };
}): Promise<Revealed> {
  const { owner, place, requestId, receipt } = options;
  const associated = associatedOf(requestId, place.provider);
  const info = ownerInfo(place.chainId, owner.account, associated);
  const sealed = receipt.ownerEnvelope;
  let key: Uint8Array | null = null;
  // A receipt of before a replacement is sealed to the key of then.
  for (const privateKey of [owner.hpkeSecret, ...(owner.earlierHpkeSecrets ?? [])]) {
    key ??= await hpkeOpen({ privateKey, info, associated, sealed });
  }
  const fault = (part: string): ChartsealError =>
    new ChartsealError("signature-invalid", `a receipt holds no reader's signed reveal: ${part}`, {
      data: { part },
    });
  if (key?.length !== 32) throw fault("envelope");
  const opened = await platform.aesGcmOpen(key, zeroNonce, associated, receipt.box);
  if (opened === null) throw fault("box");
  const revealed = readBox(opened, options);
  if (revealed === undefined) throw fault("reveal");
  return revealed;
}

function readBox(
  opened: Uint8Array,
  options: {
    readonly place: RevealPlace;
    readonly requestId: Uint8Array;
    readonly recordId: Uint8Array;
    readonly oneTimeKey: Uint8Array;
  },
): Revealed | undefined {
  let fields: unknown;
  try {
    fields = decode(opened, { sizeMax: 1024 });
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length !== 5) return undefined;
  const sizes = [20, 32, 32, 64, 64];
  const whole = fields.every((field, at) => field instanceof Uint8Array && field.length === sizes[at]);
  if (!whole) return undefined;
  const [account, publicKey, transformKeyId, oneTimeSignature, accountSignature] = fields as Uint8Array[];
  const reveal: Reveal = {
    requestId: options.requestId,
    recordId: options.recordId,
    account: account!,
    publicKey: publicKey!,
    transformKeyId: transformKeyId!,
    oneTimePublicKey: options.oneTimeKey,
    oneTimeSignature: oneTimeSignature!,
    accountSignature: accountSignature!,
  };
  // Whether the key was the account's then, the ledger's history says to the caller: it may be another by now.
  return verifyReveal(reveal, options.place) ? reveal : undefined;
}
