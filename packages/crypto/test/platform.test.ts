import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 as noble256, sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { platform as found } from "#platform";
import { describeShared, sharedJson } from "../../../test/shared-data.ts";
import { concat, fromHex, toHex, utf8 } from "../src/bytes.ts";
import { ChartsealError } from "../src/errors.ts";
import { hkdfExpand, hkdfExtract } from "../src/kdf.ts";
import { isUsablePublicKey } from "../src/platform/ed25519-keys.ts";
import { platform as node } from "../src/platform/node.ts";
import type { Platform } from "../src/platform/platform.ts";
import { platform as web } from "../src/platform/web.ts";

const platforms: readonly Platform[] = [node, web];
const hex = fromHex;
/** The little-endian encoding of an Ed25519 scalar or coordinate. */
const little = (value: bigint): Uint8Array => hex(value.toString(16).padStart(64, "0")).reverse();

interface Group<T> {
  readonly tests: readonly (T & {
    readonly tcId: number;
    readonly result: "valid" | "invalid" | "acceptable";
  })[];
}

function wycheproof<G extends Group<unknown>>(name: string): readonly G[] {
  return (sharedJson("vectors", "wycheproof", `${name}.json`) as { testGroups: readonly G[] }).testGroups;
}

describe("the two platforms", () => {
  it("are chosen by the package's own import: Node's here", () => {
    expect(found.name).toBe("node");
    expect(platforms.map(({ name }) => name)).toEqual(["node", "web"]);
  });

  it("are chosen by condition: WebCrypto's where a bundler or a runtime says browser", async () => {
    const choose = async (...conditions: string[]): Promise<string> => {
      const program = 'import("#platform").then(({ platform }) => console.log(platform.name))';
      const flags = [...conditions, "chartseal-source"].map((condition) => `--conditions=${condition}`);
      const cwd = new URL("../", import.meta.url);
      const { stdout } = await promisify(execFile)(process.execPath, [...flags, "--eval", program], { cwd });
      return stdout.trim();
    };
    expect([await choose(), await choose("browser")]).toEqual(["node", "web"]);
  });

  it("give the same hashes and MACs, however the input is cut", async () => {
    await fc.assert(
      // Node's hashes up to 4,096 bytes in another way than more.
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }),
        fc.nat(4_500),
        async (few, more) => {
          const parts = [...few, new Uint8Array(more).fill(7)];
          const joined = concat(...parts);
          const key = joined.subarray(0, 40);
          for (const platform of platforms) {
            expect(platform.sha256(...parts)).toEqual(noble256(joined));
            expect(platform.doubleSha256(...parts)).toEqual(noble256(noble256(joined)));
            expect(await platform.sha256Bulk(joined)).toEqual(node.sha256(joined));
            expect(platform.hmacSha256(key, ...parts)).toEqual(node.hmacSha256(key, joined));
          }
        },
      ),
    );
  });

  it("hash at each size where the way of hashing changes, and give a result that nothing later changes", () => {
    for (const platform of platforms) {
      for (const size of [0, 1, 55, 56, 63, 64, 65, 4_095, 4_096, 4_097, 100_000]) {
        const data = Uint8Array.from({ length: size }, (_, i) => i % 251);
        const first = platform.sha256(data.subarray(0, size >> 1), data.subarray(size >> 1));
        platform.sha256(utf8("another"));
        expect([size, toHex(first), first.byteOffset]).toEqual([size, toHex(noble256(data)), 0]);
        const twice = platform.doubleSha256(data.subarray(0, size >> 1), data.subarray(size >> 1));
        platform.doubleSha256(utf8("another"));
        const expected = toHex(noble256(noble256(data)));
        expect([size, toHex(twice), twice.byteOffset]).toEqual([size, expected, 0]);
      }
    }
  });

  it("hash bulk data right however many hashes are asked for at once, of bytes that are then overwritten", async () => {
    for (const platform of platforms) {
      const data = Array.from({ length: 20 }, (_, i) => new Uint8Array(70_000).fill(i));
      const asked = data.map((one) => platform.sha256Bulk(one));
      const expected = data.map((one) => toHex(node.sha256(one)));
      for (const one of data) one.fill(255);
      expect((await Promise.all(asked)).map(toHex)).toEqual(expected);
    }
  });

  it("verify by more keys than are kept, and by one that was kept under another's signature", async () => {
    for (const platform of platforms) {
      const message = utf8("message");
      const signers = Array.from({ length: platform.name === "node" ? 600 : 20 }, (_, at) => {
        const seed = new Uint8Array(32).fill(at >> 8);
        seed[0] = at & 0xff;
        return { key: platform.ed25519PublicKey(seed), signature: platform.ed25519Sign(seed, message) };
      });
      const rounds = platform.name === "node" ? 3 : 1;
      for (let round = 0; round < rounds; round++) {
        for (const [at, { key, signature }] of signers.entries()) {
          expect(platform.ed25519Verify(key, message, signature)).toBe(true);
          expect(platform.ed25519Verify(key, message, signers[at === 0 ? 1 : 0]!.signature)).toBe(false);
        }
      }
    }
  });

  it("open what the other sealed, bit for bit the same, with every key size, behind any headroom", async () => {
    for (const size of [16, 24, 32] as const) {
      for (const length of [0, 1, 100, 131_071, 131_072, 131_073, 300_000]) {
        const plaintext = node.randomBytes(length);
        const [key, nonce, associated] = [node.randomBytes(size), node.randomBytes(12), node.randomBytes(33)];
        const sealed = await node.aesGcmSeal(key, nonce, associated, plaintext);
        expect(toHex(await web.aesGcmSeal(key, nonce, associated, plaintext))).toBe(toHex(sealed));
        for (const platform of platforms) {
          const behind = await platform.aesGcmSeal(key, nonce, associated, plaintext, 3);
          expect(toHex(behind)).toBe(`000000${toHex(sealed)}`);
          const opened = await platform.aesGcmOpen(key, nonce, associated, sealed);
          expect(opened !== null && toHex(opened)).toBe(toHex(plaintext));
        }
      }
    }
  });

  it("refuse every altered bit of ciphertext, tag, nonce, key and associated data", async () => {
    const parts = [32, 12, 5].map((size) => node.randomBytes(size)) as [Uint8Array, Uint8Array, Uint8Array];
    const sealed = await node.aesGcmSeal(...parts, utf8("plain"));
    for (const platform of platforms) {
      for (const [which, part] of [...parts, sealed].entries()) {
        for (let bit = 0; bit < 8 * part.length; bit += 7) {
          const altered = [...parts, sealed].map((bytes) => Uint8Array.from(bytes)) as typeof all;
          altered[which]![bit >> 3]! ^= 1 << (bit & 7);
          expect(await platform.aesGcmOpen(...altered)).toBeNull();
        }
      }
      for (const size of [0, 1, 15, 16, sealed.length - 1]) {
        expect(await platform.aesGcmOpen(...parts, sealed.subarray(0, size))).toBeNull();
      }
    }
    type Four = [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const all: Four = [...parts, sealed];
    expect(toHex((await web.aesGcmOpen(...all))!)).toBe(toHex(utf8("plain")));
  });

  it("seal under the key that the bytes are now, whatever they were when they were used before", async () => {
    const [key, other] = [node.randomBytes(32), node.randomBytes(32)];
    const rest = [node.randomBytes(12), utf8("associated"), utf8("plain")] as const;
    for (const platform of platforms) {
      const changing = Uint8Array.from(key);
      const sealed = await platform.aesGcmSeal(changing, ...rest);
      changing.set(other);
      expect(await platform.aesGcmSeal(changing, ...rest)).toEqual(await web.aesGcmSeal(other, ...rest));
      expect(await platform.aesGcmOpen(changing, rest[0], rest[1], sealed)).toBeNull();
      changing.set(key);
      expect(await platform.aesGcmOpen(changing, rest[0], rest[1], sealed)).toEqual(rest[2]);
    }
  });

  it("copy into shared memory and any other, at any place, those bytes and no more", () => {
    for (const platform of platforms) {
      const plain = (size: number) => new Uint8Array(size);
      for (const memory of [platform.bulkMemory, plain]) {
        for (const length of [0, 1, 4_095, 4_096, 4_097, 300_000]) {
          const from = node.randomBytes(length + 3);
          const [target, expected] = [memory(length + 70).subarray(2), plain(length + 68)];
          platform.copyBulk(target, from.subarray(3), 67);
          expected.set(from.subarray(3), 67);
          expect(Buffer.compare(target, expected)).toBe(0);
          expect(() => platform.copyBulk(target, from, 66)).toThrow(RangeError);
          expect(Buffer.compare(target, expected)).toBe(0);
        }
      }
    }
  });

  it("derive the same key from a passphrase (scrypt, RFC 7914)", async () => {
    const expected =
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640";
    for (const platform of platforms) {
      const parameters = { N: 1024, r: 8, p: 16, size: 64 };
      const derived = await platform.scrypt(utf8("password"), utf8("NaCl"), parameters);
      expect(toHex(derived)).toBe(expected);
    }
    const strong = { N: 2 ** 15, r: 8, p: 3, size: 32 };
    expect((await node.scrypt(utf8("p"), utf8("s"), strong)).length).toBe(32);
  });

  it("give as many random bytes as asked, above WebCrypto's 65,536 too, in memory of their own", () => {
    for (const platform of platforms) {
      const bytes = platform.randomBytes(70_000);
      expect(bytes.buffer.byteLength).toBe(70_000);
      expect(toHex(bytes.subarray(-64))).not.toBe(toHex(new Uint8Array(64)));
      expect(toHex(platform.randomBytes(32))).not.toBe(toHex(platform.randomBytes(32)));
    }
  });

  it("call a wrong key size a defect of the program", async () => {
    for (const platform of platforms) {
      const nothing = new Uint8Array(0);
      for (const size of [0, 15, 31, 33]) {
        const key = new Uint8Array(size);
        const seal = (): Promise<Uint8Array> =>
          platform.aesGcmSeal(key, new Uint8Array(12), nothing, nothing);
        await expect((async () => seal())()).rejects.toBeInstanceOf(ChartsealError);
        expect(() => platform.ed25519Sign(key, nothing)).toThrow(ChartsealError);
        expect(() => platform.ed25519PublicKey(key)).toThrow(ChartsealError);
      }
    }
  });
});

describe("Ed25519 on the two platforms", () => {
  const seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");

  it("makes RFC 8032's keys and signatures, and each verifies the other's", () => {
    const message = utf8("message");
    for (const platform of platforms) {
      const publicKey = platform.ed25519PublicKey(seed);
      expect(toHex(publicKey)).toBe("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
      expect(toHex(platform.ed25519Sign(seed, new Uint8Array(0)))).toBe(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
      );
      for (const other of platforms) {
        const signature = other.ed25519Sign(seed, message);
        expect(platform.ed25519Verify(publicKey, message, signature)).toBe(true);
        expect(platform.ed25519Verify(publicKey, utf8("massage"), signature)).toBe(false);
      }
    }
  });

  it("never throws on malformed keys and signatures, and agrees on them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 70 }), (key, signature) => {
        expect(web.ed25519Verify(key, key, signature)).toBe(false);
        expect(node.ed25519Verify(key, key, signature)).toBe(false);
      }),
    );
  });

  it("refuses keys of small order and non-canonical ones, which OpenSSL or noble alone would take", () => {
    const p = 2n ** 255n - 19n;
    const small = ed25519.Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
    const seen = new Set<string>();
    for (let i = 0n, point = ed25519.Point.ZERO; i < 8n; i++, point = point.add(small)) {
      seen.add(point.toHex());
      expect(isUsablePublicKey(point.toBytes())).toBe(false);
      // S = 0 and R = A = a point of small order is a valid signature on some message to a verifier with the cofactor.
      const forged = concat(point.toBytes(), new Uint8Array(32));
      expect(ed25519.verify(forged, utf8("anything"), point.toBytes(), { zip215: true })).toBe(true);
      for (const platform of platforms) {
        expect(platform.ed25519Verify(point.toBytes(), utf8("anything"), forged)).toBe(false);
      }
    }
    expect(seen.size).toBe(8);
    for (const y of [p, p + 1n, p + 18n]) expect(isUsablePublicKey(little(y))).toBe(false);
    expect(isUsablePublicKey(little(p - 2n))).toBe(true);
  });

  it("agrees where cofactored and cofactorless verification part: a key with a component of small order", () => {
    const { Point } = ed25519;
    const small = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
    const order = Point.Fn.ORDER;
    const secret = 12345678901234567890n;
    const publicKey = Point.BASE.multiply(secret).add(small).toBytes();
    let parted = 0;
    for (let tries = 1n; tries <= 16n; tries++) {
      const message = utf8(`message ${tries}`);
      const r = Point.BASE.multiply(tries).toBytes();
      const digest = Uint8Array.from(sha512(concat(r, publicKey, message))).reverse();
      const k = BigInt(`0x${toHex(digest)}`) % order;
      const signature = concat(r, little((tries + k * secret) % order));
      const answers = platforms.map((platform) => platform.ed25519Verify(publicKey, message, signature));
      expect(answers[0]).toBe(answers[1]);
      expect(ed25519.verify(signature, message, publicKey, { zip215: false })).toBe(true);
      if (answers[0] === false) parted++;
    }
    expect(parted).toBeGreaterThan(0);
  });
});

describeShared("Wycheproof on the two platforms", () => {
  interface Aead {
    readonly key: string;
    readonly iv: string;
    readonly aad: string;
    readonly msg: string;
    readonly ct: string;
    readonly tag: string;
  }
  it("AES-GCM with 12-byte nonces and whole tags", async () => {
    type AeadGroup = Group<Aead> & { readonly ivSize: number; readonly tagSize: number };
    const groups = wycheproof<AeadGroup>("aes_gcm_test").filter((g) => g.ivSize === 96 && g.tagSize === 128);
    const tests = groups.flatMap((group) => group.tests);
    expect(tests.length).toBeGreaterThan(100);
    for (const test of tests) {
      const [key, nonce, associated] = [hex(test.key), hex(test.iv), hex(test.aad)];
      for (const platform of platforms) {
        const opened = await platform.aesGcmOpen(key, nonce, associated, hex(test.ct + test.tag));
        const name = `${platform.name} ${test.tcId}`;
        expect([name, opened && toHex(opened)]).toEqual([name, test.result === "valid" ? test.msg : null]);
        if (test.result !== "valid") continue;
        const sealed = await platform.aesGcmSeal(key, nonce, associated, hex(test.msg));
        expect([name, toHex(sealed)]).toEqual([name, test.ct + test.tag]);
      }
    }
  });

  it("HMAC-SHA-256", () => {
    interface Mac {
      readonly key: string;
      readonly msg: string;
      readonly tag: string;
    }
    for (const group of wycheproof<Group<Mac> & { readonly tagSize: number }>("hmac_sha256_test")) {
      for (const test of group.tests) {
        for (const platform of platforms) {
          const tag = toHex(platform.hmacSha256(hex(test.key), hex(test.msg))).slice(0, group.tagSize / 4);
          expect([test.tcId, tag === test.tag]).toEqual([test.tcId, test.result === "valid"]);
        }
      }
    }
  });

  it("HKDF-SHA-256, of sizes up to 8160 bytes", () => {
    interface Kdf {
      readonly ikm: string;
      readonly salt: string;
      readonly info: string;
      readonly size: number;
      readonly okm: string;
    }
    for (const test of wycheproof<Group<Kdf>>("hkdf_sha256_test").flatMap((group) => group.tests)) {
      const derive = (): string =>
        toHex(hkdfExpand(hkdfExtract(hex(test.salt), hex(test.ikm)), hex(test.info), test.size));
      if (test.result === "valid") expect([test.tcId, derive()]).toEqual([test.tcId, test.okm]);
      else expect(derive).toThrow(ChartsealError);
    }
  });

  it("Ed25519, malleable and malformed signatures included", () => {
    interface Signed {
      readonly msg: string;
      readonly sig: string;
    }
    type SignedGroup = Group<Signed> & { readonly publicKey: { readonly pk: string } };
    for (const { publicKey, tests } of wycheproof<SignedGroup>("ed25519_test")) {
      for (const test of tests) {
        for (const platform of platforms) {
          const verified = platform.ed25519Verify(hex(publicKey.pk), hex(test.msg), hex(test.sig));
          const name = `${platform.name} ${test.tcId}`;
          expect([name, verified]).toEqual([name, test.result === "valid"]);
        }
      }
    }
  });
});
