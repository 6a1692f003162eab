/**
 * Opening a portable record with a full key alone. The dishonest sealer of CRYPTO §2.1 is played: rows that do not fit the
 * policy's text under a valid proof of knowledge, which a reader of another row cannot see unless it makes the whole
 * encapsulation again.
 */
import {
  decapsulate,
  decodeEncapsulation,
  decodeHeader,
  encapsulate,
  encodeContext,
  encodeEncapsulation,
  fixed,
  type GT,
  hash,
  hashToScalar,
  hkdf,
  hkdfExpand,
  hkdfExtract,
  keygenDirect,
  loadPairing,
  openHeader,
  order,
  type Pairing,
  parsePolicy,
  type RecordContext,
  randomBytes,
  recoverMessage,
  sealedPolicy,
  sealHeader,
  sealPayload,
  setupDirect,
  sha256,
  tagOf,
  toBigInt,
  toHex,
  utf8,
  verifyEncapsulation,
} from "@chartseal/crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { FullKey } from "../src/full-key.ts";
import { writePortable } from "../src/portable/format.ts";
import { openPortable } from "../src/portable/open.ts";
import { encodeReceipt } from "../src/portable/receipt.ts";

const owner = new Uint8Array(20).fill(7);
const recordId = new Uint8Array(32).fill(9);
const policy = sealedPolicy(parsePolicy("doctor@cedars or nurse@cedars"), toHex(owner));
const text = "sealed for a journey ".repeat(200);
const noReceipt = encodeReceipt({
  chainId: new Uint8Array(32),
  recordId,
  evidence: { blocks: [], transactions: [], states: [] },
});

let pairing: Pairing;
let mpk: GT;
let alpha: bigint;

beforeAll(async () => {
  pairing = await loadPairing();
  ({ mpk, alpha } = setupDirect(pairing));
});

function fullKey(
  attributes: readonly string[],
  committee: { mpk: GT; alpha: bigint } = { mpk, alpha },
): FullKey {
  const key = keygenDirect(pairing, { alpha: committee.alpha, attributes });
  return { chainId: new Uint8Array(32), keyId: new Uint8Array(32), account: owner, mpk: committee.mpk, key };
}

interface Sealed {
  readonly context: RecordContext;
  readonly payload: Uint8Array;
  readonly fileKey: Uint8Array;
}

async function sealText(): Promise<Sealed> {
  const sealed = sealPayload({ source: [utf8(text)], chunkBytes: 64 });
  const chunks: Uint8Array[] = [];
  for await (const chunk of sealed.chunks) chunks.push(Uint8Array.from(chunk));
  const { length, digest }: { length: number; digest: Uint8Array } = await sealed.finished;
  const { keyCommitment, fileKey } = sealed;
  const masterKeyHash = sha256(pairing.gt.encode(mpk));
  const about = { masterKeyHash, policy: policy.text, recordId, owner, length, digest, keyCommitment };
  return { context: { ...sealed.descriptor, ...about }, payload: Buffer.concat(chunks), fileKey };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function fileOf(header: Uint8Array, payload: Uint8Array) {
  const chunks: Uint8Array[] = [];
  const parts = { header, receipt: noReceipt, payloadLength: payload.length, payload: once(payload) };
  for await (const chunk of writePortable(parts)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return {
    size: bytes.length,
    read: (offset: number, length: number) => once(bytes.subarray(offset, offset + length)),
  };
}

const metadata = { name: "a.txt", mediaType: "text/plain", hints: ["not-checked", []] } as const;
const secretsOf = (fileKey: Uint8Array) => ({ fileKey, salt: randomBytes(32), metadata });

async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

/** Scalars of an encapsulation by the recipe of CRYPTO §2.1, as its sealer knows them. */
function scalarsOf(message: Uint8Array, context: Uint8Array): (label: string) => bigint {
  const prk = hkdfExtract(tagOf("cpabe/fo"), message);
  return (label) => toBigInt(hkdfExpand(prk, Buffer.concat([utf8(label), sha256(context)]), 48)) % order;
}

/** A header whose row for nurses opens for nobody, everything else as an honest sealer would make it. */
async function dishonestHeader({ context, fileKey }: Sealed): Promise<Uint8Array> {
  const bound = encodeContext(context);
  const { message, encapsulation } = encapsulate(pairing, { mpk, policy, context: bound });
  const { g1, g2, gt } = pairing;
  const row = policy.attributes.indexOf("nurse@cedars");
  const c3 = encapsulation.c3.map((point, at) => (at === row ? g1.add(point, g1.generator) : point));
  const elements = [
    g2.encode(encapsulation.c1),
    ...encapsulation.c2.map((one) => g2.encode(one)),
    ...c3.map((one) => g1.encode(one)),
  ];
  const x = scalarsOf(message, bound);
  const { R } = encapsulation.proof;
  const e = hashToScalar("cpabe/encaps-pok", bound, ...elements, g2.encode(R));
  const proof = { R, s: (x("pok") + e * x("s1")) % order };
  const transcript = hash("cpabe/transcript", bound, ...elements.map(fixed));
  const shared = gt.encode(gt.power([{ base: mpk, exponent: x("s1") }]));
  const pad = hkdf(shared, transcript, tagOf("cpabe/mask"), 32);
  const mask = message.map((byte, at) => byte ^ pad[at]!);
  const spoiled = encodeEncapsulation(pairing, { ...encapsulation, c3, mask, proof });
  return await sealHeader({ message, transcript, context, encapsulation: spoiled, ...secretsOf(fileKey) });
}

async function honestHeader({ context, fileKey }: Sealed): Promise<Uint8Array> {
  const bound = encodeContext(context);
  const { message, transcript, encapsulation } = encapsulate(pairing, { mpk, policy, context: bound });
  const encoded = encodeEncapsulation(pairing, encapsulation);
  return await sealHeader({ message, transcript, context, encapsulation: encoded, ...secretsOf(fileKey) });
}

describe("a portable record and a full key", () => {
  test("opens for every attribute that the policy takes, whole and in ranges", async () => {
    const sealed = await sealText();
    const file = await fileOf(await honestHeader(sealed), sealed.payload);
    for (const attribute of ["doctor@cedars", "nurse@cedars", `${toHex(owner)}@self`]) {
      const opened = await openPortable(pairing, { file, keys: [fullKey([attribute])] });
      expect(await textOf(opened.read())).toBe(text);
      expect(await textOf(opened.read({ from: 100, to: 199 }))).toBe(text.slice(100, 200));
      expect([opened.author, opened.metadata.mediaType]).toEqual([undefined, "text/plain"]);
    }
  });

  test("takes the key that fits among several, and says what is missing where none does", async () => {
    const sealed = await sealText();
    const file = await fileOf(await honestHeader(sealed), sealed.payload);
    const keys = [fullKey(["porter@cedars"]), fullKey(["doctor@cedars", "porter@cedars"])];
    expect((await openPortable(pairing, { file, keys })).length).toBe(text.length);
    await expect(openPortable(pairing, { file, keys: keys.slice(0, 1) })).rejects.toMatchObject({
      code: "policy-unsatisfied",
      data: { missing: expect.arrayContaining([["doctor@cedars"]]) },
    });
  });

  test("under another committee's key opens nothing, even for the same attribute", async () => {
    const sealed = await sealText();
    const file = await fileOf(await honestHeader(sealed), sealed.payload);
    const other = setupDirect(pairing);
    const strange = fullKey(["doctor@cedars"], other);
    await expect(openPortable(pairing, { file, keys: [strange] })).rejects.toMatchObject({
      code: "policy-unsatisfied",
    });
    // A key of another α that claims this mpk decapsulates to another K, and nothing opens.
    const lying = { ...strange, mpk };
    await expect(openPortable(pairing, { file, keys: [lying] })).rejects.toMatchObject({
      code: "header-altered",
    });
  });

  test("of a sealer whose rows do not fit the policy is refused with the row", async () => {
    const sealed = await sealText();
    const header = await dishonestHeader(sealed);
    const file = await fileOf(header, sealed.payload);
    const doctor = fullKey(["doctor@cedars"]);
    await expect(openPortable(pairing, { file, keys: [doctor] })).rejects.toMatchObject({
      code: "header-altered",
      data: { row: 1, attribute: "nurse@cedars" },
    });
    // The weakened reader, which checks proof and c1 and stops there, opens it and sees nothing wrong.
    const decoded = decodeHeader(header);
    const context = encodeContext(decoded.context);
    const encapsulation = decodeEncapsulation(pairing, decoded.encapsulation, policy);
    expect(verifyEncapsulation(pairing, { policy, context, encapsulation })).toBe(true);
    const shared = decapsulate(pairing, { key: doctor.key, policy, encapsulation });
    const recovered = recoverMessage(pairing, { shared, policy, context, encapsulation });
    expect((await openHeader(decoded, recovered)).metadata.name).toBe("a.txt");
    // And the nurse, whom the policy names, cannot open it.
    await expect(openPortable(pairing, { file, keys: [fullKey(["nurse@cedars"])] })).rejects.toMatchObject({
      code: "header-altered",
    });
  });

  test("whose payload is another one under the same file key is refused before a byte comes out", async () => {
    const sealed = await sealText();
    const header = await honestHeader(sealed);
    const moved = Uint8Array.from(sealed.payload);
    moved.copyWithin(0, 80, 160);
    const file = await fileOf(header, moved);
    const opened = await openPortable(pairing, { file, keys: [fullKey(["doctor@cedars"])] });
    const seen: Uint8Array[] = [];
    const reading = async (): Promise<void> => {
      for await (const chunk of opened.read()) seen.push(chunk);
    };
    await expect(reading()).rejects.toMatchObject({ code: "object-altered" });
    expect(seen).toEqual([]);
    const short = await fileOf(header, sealed.payload.subarray(0, -1));
    await expect(
      openPortable(pairing, { file: short, keys: [fullKey(["doctor@cedars"])] }),
    ).rejects.toMatchObject({
      code: "object-altered",
    });
  });
});
