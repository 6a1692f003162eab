import { gcm } from "@noble/ciphers/aes.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeShared, sharedJson } from "../../../test/shared-data.ts";
import { concat, fromHex, toHex, utf8 } from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";
import { hpkeKeyPair, hpkeKeyPairFromSeed, hpkeOpen, hpkeOverheadBytes, hpkeSeal } from "../src/hpke.ts";
import { seedRandomness } from "../src/random-seam.ts";

/** RFC 9180 once more, written from its text over noble: the base mode of our one suite. */
const version = utf8("HPKE-v1");
const kemSuite = concat(utf8("KEM"), fromHex("0020"));
const suite = concat(utf8("HPKE"), fromHex("002000010002"));
/** The suite of RFC 9180's appendix A.1, which has AES-128-GCM. */
const suiteOfAppendix = concat(utf8("HPKE"), fromHex("002000010001"));
const none = new Uint8Array(0);

function labeledExtract(id: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return extract(sha256, concat(version, id, utf8(label), ikm), salt);
}

function labeledExpand(
  id: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  size: number,
): Uint8Array {
  return expand(sha256, prk, concat(Uint8Array.of(0, size), version, id, utf8(label), info), size);
}

function deriveKeyPair(seed: Uint8Array): { privateKey: Uint8Array; publicKey: Uint8Array } {
  const prk = labeledExtract(kemSuite, none, "dkp_prk", seed);
  const privateKey = labeledExpand(kemSuite, prk, "sk", none, 32);
  return { privateKey, publicKey: x25519.getPublicKey(privateKey) };
}

function sharedSecret(dh: Uint8Array, enc: Uint8Array, receiver: Uint8Array): Uint8Array {
  const prk = labeledExtract(kemSuite, none, "eae_prk", dh);
  return labeledExpand(kemSuite, prk, "shared_secret", concat(enc, receiver), 32);
}

function schedule(id: Uint8Array, shared: Uint8Array, info: Uint8Array, keySize: number) {
  const context = concat(
    Uint8Array.of(0),
    labeledExtract(id, none, "psk_id_hash", none),
    labeledExtract(id, none, "info_hash", info),
  );
  const secret = labeledExtract(id, shared, "secret", none);
  return {
    key: labeledExpand(id, secret, "key", context, keySize),
    nonce: labeledExpand(id, secret, "base_nonce", context, 12),
  };
}

function sealAgain(
  ephemeral: Uint8Array,
  receiver: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
) {
  const pair = deriveKeyPair(ephemeral);
  const dh = x25519.getSharedSecret(pair.privateKey, receiver);
  const { key, nonce } = schedule(suite, sharedSecret(dh, pair.publicKey, receiver), info, 32);
  return concat(pair.publicKey, gcm(key, nonce, aad).encrypt(text));
}

const bytes = fc.uint8Array({ maxLength: 100 });

describe("HPKE", () => {
  it("derives RFC 9180's published receiver key from its seed (appendix A.1)", async () => {
    const seed = fromHex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037");
    const pair = await hpkeKeyPairFromSeed(seed);
    expect(toHex(pair.privateKey)).toBe("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
    expect(toHex(pair.publicKey)).toBe("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
  });

  it("is compared with a composition that itself reproduces appendix A.1 to the key and the nonce", () => {
    const receiver = deriveKeyPair(
      fromHex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"),
    );
    const sender = deriveKeyPair(fromHex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"));
    expect(toHex(sender.publicKey)).toBe("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
    const dh = x25519.getSharedSecret(sender.privateKey, receiver.publicKey);
    const shared = sharedSecret(dh, sender.publicKey, receiver.publicKey);
    expect(toHex(shared)).toBe("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc");
    const info = utf8("Ode on a Grecian Urn");
    const { key, nonce } = schedule(suiteOfAppendix, shared, info, 16);
    expect(toHex(key)).toBe("4531685d41d65f03dc48f6b8302c05b0");
    expect(toHex(nonce)).toBe("56d890e5accaaf011cff4b7d");
  });

  it("opens, and is byte for byte, what an independent composition from RFC 9180 makes", async () => {
    const receiver = await hpkeKeyPair();
    await fc.assert(
      fc.asyncProperty(bytes, bytes, bytes, async (info, associated, plaintext) => {
        const restore = seedRandomness("hpke");
        const sealed = await hpkeSeal({ receiver: receiver.publicKey, info, associated, plaintext });
        restore();
        const again = seedRandomness("hpke");
        const { randomBytes } = await import("../src/random.ts");
        const ephemeral = randomBytes(32);
        again();
        expect(toHex(sealed)).toBe(
          toHex(sealAgain(ephemeral, receiver.publicKey, info, associated, plaintext)),
        );
        expect(sealed.length).toBe(plaintext.length + hpkeOverheadBytes);
        const opened = await hpkeOpen({ privateKey: receiver.privateKey, info, associated, sealed });
        expect(opened !== null && toHex(opened)).toBe(toHex(plaintext));
      }),
      { numRuns: 25 },
    );
  });

  it("draws a fresh ephemeral key for every message", async () => {
    const { publicKey } = await hpkeKeyPair();
    const message = { receiver: publicKey, info: utf8("i"), plaintext: utf8("p") };
    expect(toHex(await hpkeSeal(message))).not.toBe(toHex(await hpkeSeal(message)));
    expect(toHex((await hpkeKeyPair()).privateKey)).not.toBe(toHex((await hpkeKeyPair()).privateKey));
  });

  it("opens nothing under another key, info, associated data, or with any bit altered or byte missing", async () => {
    const [mine, other] = [await hpkeKeyPair(), await hpkeKeyPair()];
    const [info, associated, plaintext] = [utf8("info"), utf8("associated"), utf8("plaintext")];
    const sealed = await hpkeSeal({ receiver: mine.publicKey, info, associated, plaintext });
    const box = { privateKey: mine.privateKey, info, associated, sealed };
    expect(await hpkeOpen(box)).toEqual(plaintext);
    expect(await hpkeOpen({ ...box, privateKey: other.privateKey })).toBeNull();
    expect(await hpkeOpen({ ...box, info: utf8("inf") })).toBeNull();
    expect(await hpkeOpen({ ...box, associated: none })).toBeNull();
    for (let at = 0; at < sealed.length; at++) {
      const altered = Uint8Array.from(sealed);
      altered[at]! ^= 1 << (at % 8);
      expect(await hpkeOpen({ ...box, sealed: altered })).toBeNull();
      expect(await hpkeOpen({ ...box, sealed: sealed.subarray(0, at) })).toBeNull();
    }
    // An ephemeral key of small order gives the shared secret zero, which anyone knows.
    const small = concat(new Uint8Array(32), sealed.subarray(32));
    expect(await hpkeOpen({ ...box, sealed: small })).toBeNull();
  });

  it("refuses a receiver's key that is no key or of small order", async () => {
    for (const receiver of [none, new Uint8Array(31), new Uint8Array(32), fromHex(`01${"00".repeat(31)}`)]) {
      const sealing = hpkeSeal({ receiver, info: none, plaintext: utf8("secret") });
      await expect(sealing).rejects.toSatisfy((error) => hasCode(error, "input-invalid"));
    }
  });
});

describeShared("Wycheproof on X25519, which HPKE rests on", () => {
  it("the host's X25519 gives the published secrets and refuses those that are zero", async () => {
    type Test = {
      readonly tcId: number;
      readonly public: string;
      readonly private: string;
      readonly shared: string;
    };
    const file = sharedJson("vectors", "wycheproof", "x25519_test.json") as {
      readonly testGroups: readonly { readonly tests: readonly Test[] }[];
    };
    const prefix = fromHex("302e020100300506032b656e04220420");
    const { subtle } = crypto;
    for (const test of file.testGroups.flatMap((group) => group.tests)) {
      const secret = concat(prefix, fromHex(test.private)) as Uint8Array<ArrayBuffer>;
      const own = await subtle.importKey("pkcs8", secret, "X25519", false, ["deriveBits"]);
      const raw = fromHex(test.public) as Uint8Array<ArrayBuffer>;
      const theirs = await subtle.importKey("raw", raw, "X25519", true, []);
      const derived = subtle.deriveBits({ name: "X25519", public: theirs }, own, 256);
      const zero = /^0*$/.test(test.shared);
      const shared = await derived.then(
        (bits) => toHex(new Uint8Array(bits)),
        () => "refused",
      );
      expect([test.tcId, shared]).toEqual([test.tcId, zero ? "refused" : test.shared]);
    }
  });
});
