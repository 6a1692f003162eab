/** The portable form's framing: what is written is read again, and whatever else is refused, never a crash. */
import { hasCode } from "@chartseal/crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PortableFile, portableMagic, readPortable, writePortable } from "../src/portable/format.ts";
import { decodeReceipt, encodeReceipt } from "../src/portable/receipt.ts";

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

function fileOf(bytes: Uint8Array): PortableFile {
  return {
    size: bytes.length,
    async *read(offset, length) {
      // In small pieces, as a file system may give them.
      const end = Math.min(bytes.length, offset + length);
      for (let at = offset; at < end; at += 7) yield bytes.slice(at, Math.min(at + 7, end));
    },
  };
}

async function written(header: Uint8Array, receipt: Uint8Array, payload: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const parts = { header, receipt, payloadLength: payload.length, payload: once(payload) };
  for await (const chunk of writePortable(parts)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

describe("the framing of a portable record", () => {
  test("is the magic and three parts, each behind its length in eight bytes", async () => {
    const file = await written(Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(4, 5, 6));
    const lengths = "0000000000000002 0102 0000000000000001 03 0000000000000003 040506".replaceAll(" ", "");
    expect(Buffer.from(file).toString("hex")).toBe(`894353500d0a1a0a${lengths}`);
  });

  test("is read as it was written, whatever the parts", async () => {
    await fc.assert(
      fc.asyncProperty(bytes(300), bytes(300), bytes(300), async (header, receipt, payload) => {
        const file = await written(header, receipt, payload);
        const parts = await readPortable(fileOf(file));
        expect([parts.header, parts.receipt].map((one) => [...one])).toEqual([[...header], [...receipt]]);
        expect([...file.subarray(parts.payload.offset)]).toEqual([...payload]);
        expect(parts.payload.length).toBe(payload.length);
      }),
    );
  });

  test("cut anywhere or lengthened is refused", async () => {
    const file = await written(Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(4, 5, 6));
    for (let length = 0; length < file.length; length++) {
      await expect(readPortable(fileOf(file.subarray(0, length)))).rejects.toMatchObject({
        code: "input-invalid",
      });
    }
    const longer = Buffer.concat([file, Buffer.of(0)]);
    await expect(readPortable(fileOf(longer))).rejects.toMatchObject({ code: "input-invalid" });
  });

  test("of lengths that no file can have is refused before anything is allotted", async () => {
    for (const length of ["ffffffffffffffff", "0000000000100000", "7fffffffffffffff"]) {
      const file = Buffer.concat([portableMagic, Buffer.from(length, "hex"), Buffer.alloc(64)]);
      await expect(readPortable(fileOf(file))).rejects.toMatchObject({ code: "input-invalid" });
    }
  });

  test("of random bytes is refused, never a crash", async () => {
    await fc.assert(
      fc.asyncProperty(bytes(200), fc.boolean(), async (tail, magic) => {
        const file = magic ? Buffer.concat([portableMagic, tail]) : tail;
        const outcome = await readPortable(fileOf(file)).catch((error: unknown) => error);
        const isParts = typeof outcome === "object" && outcome !== null && "payload" in outcome;
        expect(isParts || hasCode(outcome, "input-invalid")).toBe(true);
      }),
    );
  });
});

describe("the receipt's encoding", () => {
  const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
  const receipt = {
    chainId: hash(1),
    recordId: hash(2),
    evidence: {
      blocks: [
        { header: new Uint8Array(156), commit: [{ publicKey: hash(3), signature: new Uint8Array(64) }] },
      ],
      transactions: [{ bytes: Uint8Array.of(0x80), height: 5, index: 0, proof: [hash(4)] }],
      states: [{ kind: 22, key: hash(2), height: 5, value: null, proof: Uint8Array.of(1) }],
    },
  };

  test("is read as it was written", () => {
    expect(encodeReceipt(decodeReceipt(encodeReceipt(receipt)))).toEqual(encodeReceipt(receipt));
    expect(decodeReceipt(encodeReceipt(receipt)).evidence.states[0]).toMatchObject({ kind: 22, value: null });
  });

  test("of anything else is chain-altered, never a crash", () => {
    fc.assert(
      fc.property(bytes(200), (noise) => {
        expect(() => decodeReceipt(noise)).toThrow(expect.objectContaining({ code: "chain-altered" }));
      }),
    );
    const encoded = encodeReceipt(receipt);
    for (let length = 0; length < encoded.length; length++) {
      expect(() => decodeReceipt(encoded.subarray(0, length))).toThrow(/receipt does not hold/);
    }
    const wide = {
      ...receipt,
      evidence: { ...receipt.evidence, states: [{ ...receipt.evidence.states[0]!, kind: 256 }] },
    };
    expect(() => decodeReceipt(encodeReceipt(wide))).toThrow(/receipt does not hold/);
  });
});
