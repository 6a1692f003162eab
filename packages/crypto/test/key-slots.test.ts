/** The slots that unlock a vault: a passphrase always, passkeys beside it, and no way to be left with a passkey alone. */
import { describe, expect, test } from "vitest";
import {
  addPasskey,
  type ChartsealError,
  concat,
  fromHex,
  hkdf,
  type KeySlots,
  newKeySlots,
  newPrfInput,
  openWithPasskey,
  openWithPassphrase,
  type PrfResult,
  parseKeySlots,
  passkeysMax,
  platform,
  randomBytes,
  removeSlot,
  replacePassphrase,
  toHex,
  utf8,
} from "../src/index.ts";

const passphrase = "correct horse";
const passkey = (): PrfResult => ({
  credentialId: randomBytes(16),
  input: newPrfInput(),
  output: randomBytes(32),
});
const flipped = (hex: string, at: number): string => {
  const bytes = fromHex(hex);
  bytes[at]! ^= 1;
  return toHex(bytes);
};
const codeOf = async (act: () => unknown): Promise<string | undefined> => {
  try {
    await act();
    return undefined;
  } catch (error) {
    return (error as ChartsealError).code;
  }
};

describe("a vault with a passkey", () => {
  test("is unlocked by either to the same key, by no other passphrase and no other passkey", async () => {
    const { slots, key } = await newKeySlots(passphrase);
    const own = passkey();
    const both = await addPasskey(slots, key, own);
    expect(await openWithPassphrase(both, passphrase)).toEqual(key);
    expect(await openWithPasskey(both, own)).toEqual(key);
    expect(await openWithPassphrase(both, "another")).toBeNull();
    expect(await openWithPasskey(both, { ...own, output: randomBytes(32) })).toBeNull();
    expect(await openWithPasskey(both, passkey())).toBeNull();
    expect(await openWithPasskey(slots, own)).toBeNull();
  });

  test("keeps it under another passphrase, and loses one passkey without the other", async () => {
    const { slots, key } = await newKeySlots(passphrase);
    const [phone, laptop] = [passkey(), passkey()];
    const before = await addPasskey(await addPasskey(slots, key, phone), key, laptop);
    const changed = await replacePassphrase(before, key, "next");
    expect(await openWithPassphrase(changed, "next")).toEqual(key);
    expect(await openWithPassphrase(changed, passphrase)).toBeNull();
    expect(await openWithPasskey(changed, phone)).toEqual(key);
    const left = removeSlot(changed, phone.credentialId);
    expect(await openWithPasskey(left, phone)).toBeNull();
    expect(await openWithPasskey(left, laptop)).toEqual(key);
    expect(removeSlot(left, laptop.credentialId)).not.toHaveProperty("passkeys");
  });

  test("never has a passkey as its only way: the passphrase cannot be taken away, nor be missing from the file", async () => {
    const { slots, key } = await newKeySlots(passphrase);
    const both = await addPasskey(slots, key, passkey());
    expect(await codeOf(() => removeSlot(both, "passphrase"))).toBe("input-invalid");
    const { salt: _, ...unsalted } = both;
    const { wrapped: __, ...unwrapped } = both;
    for (const file of [unsalted, unwrapped, { version: 1, passkeys: both.passkeys }]) {
      expect(parseKeySlots(file)).toBeUndefined();
    }
    expect(parseKeySlots(JSON.parse(JSON.stringify(both)))).toEqual(both);
  });

  test("replaces the slot of the same credential, and holds a limited number", async () => {
    const { slots, key } = await newKeySlots(passphrase);
    const own = passkey();
    let many = await addPasskey(await addPasskey(slots, key, own), key, { ...own, output: randomBytes(32) });
    expect(many.passkeys).toHaveLength(1);
    expect(await openWithPasskey(many, own)).toBeNull();
    while (many.passkeys!.length < passkeysMax) many = await addPasskey(many, key, passkey());
    expect(await codeOf(() => addPasskey(many, key, passkey()))).toBe("input-invalid");
    expect(await codeOf(() => removeSlot(many, randomBytes(16)))).toBe("input-invalid");
  });

  /** The attack: whoever can write the folder puts one passkey's slot in another's place, or changes a byte of it. */
  test("opens no slot that was moved or changed", async () => {
    const { slots, key } = await newKeySlots(passphrase);
    const [own, other] = [passkey(), passkey()];
    const both = await addPasskey(await addPasskey(slots, key, own), key, other);
    const [first, second] = both.passkeys!;
    const with1 = (change: object): KeySlots => ({ ...both, passkeys: [{ ...first!, ...change }, second!] });
    expect(await openWithPasskey(with1({ wrapped: second!.wrapped }), own)).toBeNull();
    expect(await openWithPasskey(with1({ prfInput: second!.prfInput }), own)).toBeNull();
    for (const at of [0, 40, 70]) {
      expect(await openWithPasskey(with1({ wrapped: flipped(first!.wrapped, at) }), own)).toBeNull();
    }
    expect(await openWithPasskey(both, { credentialId: own.credentialId, output: other.output })).toBeNull();
  });

  test("takes from an authenticator 32 bytes and a credential id, nothing shorter", async () => {
    const { slots, key } = await newKeySlots(passphrase);
    for (const bad of [
      { output: randomBytes(31) },
      { input: randomBytes(16) },
      { credentialId: new Uint8Array(0) },
    ]) {
      expect(await codeOf(() => addPasskey(slots, key, { ...passkey(), ...bad }))).toBe("input-invalid");
    }
  });
});

/** A sealed value by hand: salt ‖ AES-256-GCM under HKDF(key, salt, tag ‖ name). */
async function openedByHand(key: Uint8Array, name: Uint8Array, hex: string): Promise<Uint8Array | null> {
  const wrapped = fromHex(hex);
  const info = concat(utf8("chartseal-v1/keys/sealed-file\0"), name);
  const sealing = hkdf(key, wrapped.subarray(0, 32), info, 32);
  return await platform.aesGcmOpen(sealing, new Uint8Array(12), name, wrapped.subarray(32));
}

test("both slots' bytes follow from the format by hand, the passphrase's as in every home before", async () => {
  const { slots, key } = await newKeySlots(passphrase);
  const { credentialId, input, output } = passkey();
  const both = await addPasskey(slots, key, { credentialId, input, output });
  const salt = fromHex(slots.salt, 32);
  const kek = await platform.scrypt(utf8(passphrase), salt, { N: 2 ** 15, r: 8, p: 3, size: 32 });
  expect(await openedByHand(kek, utf8("vault.json"), both.wrapped)).toEqual(key);
  const prfKek = hkdf(output, input, concat(utf8("chartseal-v1/keys/passkey-slot\0"), credentialId), 32);
  const name = utf8(`passkey ${toHex(credentialId)}`);
  expect(await openedByHand(prfKek, name, both.passkeys![0]!.wrapped)).toEqual(key);
});
