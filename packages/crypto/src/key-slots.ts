/**
 * A vault's key (32 bytes, random) and the slots that unlock it, browser and Node alike: one passphrase slot, always, by
 * scrypt N = 2^15, r = 8, p = 3 (RFC 7914; CONTRACT, Keys and passphrases), and beside it any number of passkey slots by
 * the PRF extension of WebAuthn Level 3. A passkey may unlock and is never the only way: the passphrase slot cannot be
 * taken away.
 *
 * A sealed value is salt (32) ‖ AES-256-GCM under HKDF-SHA-256(key, salt, tag ‖ name), zero nonce, the name as associated
 * data. A fresh salt a write makes each derived key seal once; the name is bound, so two values of a vault cannot be
 * swapped.
 */
import { platform } from "#platform";
import { concat, equalBytes, fromHex, toHex, utf8 } from "./bytes.ts";
import { ChartsealError } from "./errors.ts";
import { tagOf } from "./hash.ts";
import { hkdf } from "./kdf.ts";
import { randomBytes } from "./random.ts";

const costs = { N: 2 ** 15, r: 8, p: 3, size: 32 } as const;
const saltBytes = 32;
const prfBytes = 32;
/** Longest credential id in bytes (WebAuthn §5.1). */
const credentialIdBytesMax = 1023;
/** Most passkeys of one vault. */
export const passkeysMax = 16;
const passphraseName = "vault.json";
const zeroNonce = new Uint8Array(12);

/** What a passkey's slot holds, in hex. */
export interface PasskeySlot {
  readonly credentialId: string;
  /** What the authenticator's PRF is evaluated on, 32 bytes; public. */
  readonly prfInput: string;
  /** The vault key, sealed under HKDF of the PRF's output. */
  readonly wrapped: string;
}

/** `vault.json`: all that is needed to unlock a vault, and nothing secret. */
export interface KeySlots {
  readonly version: 1;
  readonly kdf: { readonly name: "scrypt"; readonly N: number; readonly r: number; readonly p: number };
  readonly salt: string;
  /** The vault key, sealed under the passphrase's key; hex. */
  readonly wrapped: string;
  /** Absent where there are none. */
  readonly passkeys?: readonly PasskeySlot[];
}

/** What an authenticator gave for a credential: `output` is the PRF's, 32 bytes, secret. */
export interface PrfResult {
  readonly credentialId: Uint8Array;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

function sealingKey(key: Uint8Array, salt: Uint8Array, name: string): Uint8Array {
  return hkdf(key, salt, concat(tagOf("keys/sealed-file"), utf8(name)), 32);
}

export async function sealNamed(key: Uint8Array, name: string, plaintext: Uint8Array): Promise<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const sealed = await platform.aesGcmSeal(sealingKey(key, salt, name), zeroNonce, utf8(name), plaintext);
  return concat(salt, sealed);
}

/** Null where the key or the name is another, or a byte was changed. */
export async function openNamed(
  key: Uint8Array,
  name: string,
  sealed: Uint8Array,
): Promise<Uint8Array | null> {
  if (sealed.length < saltBytes + 16) return null;
  const opening = sealingKey(key, sealed.subarray(0, saltBytes), name);
  return await platform.aesGcmOpen(opening, zeroNonce, utf8(name), sealed.subarray(saltBytes));
}

function passphraseKey(passphrase: string, salt: Uint8Array): Promise<Uint8Array> {
  return platform.scrypt(utf8(passphrase), salt, costs);
}

async function passphraseSlot(key: Uint8Array, passphrase: string): Promise<Omit<KeySlots, "passkeys">> {
  const salt = randomBytes(saltBytes);
  const wrapped = await sealNamed(await passphraseKey(passphrase, salt), passphraseName, key);
  const kdf = { name: "scrypt", N: costs.N, r: costs.r, p: costs.p } as const;
  return { version: 1, kdf, salt: toHex(salt), wrapped: toHex(wrapped) };
}

/** A new vault key under a passphrase. */
export async function newKeySlots(passphrase: string): Promise<{ slots: KeySlots; key: Uint8Array }> {
  const key = randomBytes(32);
  return { slots: await passphraseSlot(key, passphrase), key };
}

/** The vault key, or null where the passphrase is another. */
export async function openWithPassphrase(slots: KeySlots, passphrase: string): Promise<Uint8Array | null> {
  const kek = await passphraseKey(passphrase, fromHex(slots.salt, saltBytes));
  return await openNamed(kek, passphraseName, fromHex(slots.wrapped));
}

/** Another passphrase for the same key; passkeys stay. */
export async function replacePassphrase(
  slots: KeySlots,
  key: Uint8Array,
  passphrase: string,
): Promise<KeySlots> {
  const { passkeys } = slots;
  const slot = await passphraseSlot(key, passphrase);
  return passkeys === undefined ? slot : { ...slot, passkeys };
}

/** What a new passkey's PRF is to be evaluated on: drawn for each slot, so that no two have one output. */
export function newPrfInput(): Uint8Array {
  return randomBytes(prfBytes);
}

function passkeyKey({ credentialId, input, output }: PrfResult): Uint8Array {
  if (output.length !== prfBytes || input.length !== prfBytes) {
    throw new ChartsealError("input-invalid", "the authenticator's PRF gives 32 bytes for 32");
  }
  if (credentialId.length === 0 || credentialId.length > credentialIdBytesMax) {
    throw new ChartsealError("input-invalid", "a credential id has 1 to 1,023 bytes");
  }
  return hkdf(output, input, concat(tagOf("keys/passkey-slot"), credentialId), 32);
}

const passkeyName = (credentialId: Uint8Array): string => `passkey ${toHex(credentialId)}`;

/** A passkey beside the passphrase; one of the same credential is replaced. @throws ChartsealError `input-invalid` */
export async function addPasskey(slots: KeySlots, key: Uint8Array, prf: PrfResult): Promise<KeySlots> {
  const { credentialId, input } = prf;
  const wrapped = await sealNamed(passkeyKey(prf), passkeyName(credentialId), key);
  const others = (slots.passkeys ?? []).filter((one) => one.credentialId !== toHex(credentialId));
  if (others.length >= passkeysMax) {
    throw new ChartsealError("input-invalid", `a vault has at most ${passkeysMax} passkeys`);
  }
  const slot = { credentialId: toHex(credentialId), prfInput: toHex(input), wrapped: toHex(wrapped) };
  return { ...slots, passkeys: [...others, slot] };
}

/** The vault key, or null where no slot is this credential's or the PRF's output is another. */
export async function openWithPasskey(
  slots: KeySlots,
  prf: Pick<PrfResult, "credentialId" | "output">,
): Promise<Uint8Array | null> {
  const { credentialId, output } = prf;
  const slot = slots.passkeys?.find((one) => equalBytes(fromHex(one.credentialId), credentialId));
  if (slot === undefined) return null;
  const key = passkeyKey({ credentialId, output, input: fromHex(slot.prfInput, prfBytes) });
  return await openNamed(key, passkeyName(credentialId), fromHex(slot.wrapped));
}

/**
 * Takes a slot away: a passkey by its credential id.
 * @throws ChartsealError `input-invalid` for the passphrase's, and for a passkey that is not there
 */
export function removeSlot(slots: KeySlots, which: "passphrase" | Uint8Array): KeySlots {
  if (which === "passphrase") {
    throw new ChartsealError(
      "input-invalid",
      "the passphrase cannot be taken away: a passkey is never the only way",
      {
        hint: "Change it with chartseal passphrase change.",
      },
    );
  }
  const { passkeys = [], ...rest } = slots;
  const left = passkeys.filter((one) => one.credentialId !== toHex(which));
  if (left.length === passkeys.length) {
    throw new ChartsealError("input-invalid", "the vault has no such passkey");
  }
  return left.length === 0 ? rest : { ...rest, passkeys: left };
}

/** `vault.json` as it was read, or undefined for anything else: scrypt with these costs, and the passphrase's slot. */
export function parseKeySlots(value: unknown): KeySlots | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { version, kdf, salt, wrapped, passkeys } = value as Partial<KeySlots>;
  const known =
    version === 1 && kdf?.name === "scrypt" && kdf.N === costs.N && kdf.r === costs.r && kdf.p === costs.p;
  if (!known || !isHex(salt) || !isHex(wrapped)) return undefined;
  const listed = passkeys === undefined || (Array.isArray(passkeys) && passkeys.length <= passkeysMax);
  if (!listed || !(passkeys ?? []).every(isPasskeySlot)) return undefined;
  return value as KeySlots;
}

function isHex(text: unknown): text is string {
  return typeof text === "string" && /^([0-9a-f]{2})+$/.test(text);
}

function isPasskeySlot(slot: unknown): slot is PasskeySlot {
  if (typeof slot !== "object" || slot === null) return false;
  const { credentialId, prfInput, wrapped } = slot as Partial<PasskeySlot>;
  return isHex(credentialId) && isHex(prfInput) && prfInput.length === 2 * prfBytes && isHex(wrapped);
}
