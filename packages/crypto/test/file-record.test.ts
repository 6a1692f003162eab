import { beforeAll, describe, expect, it } from "vitest";
import { toHex } from "../src/bytes.ts";
import { decapsulate, encapsulate, recoverMessage, verifyEncapsulation } from "../src/cpabe/cpabe.ts";
import { keygen, setup } from "../src/cpabe/scheme.ts";
import { decodeEncapsulation, encodeEncapsulation } from "../src/cpabe/wire.ts";
import {
  decodeHeader,
  encodeContext,
  headerBytesMax,
  openHeader,
  type RecordContext,
  recordDigest,
  sealHeader,
} from "../src/file/header.ts";
import { sha256 } from "../src/hash.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import type { Pairing } from "../src/pairing/pairing.ts";
import { type Policy, parsePolicy } from "../src/policy/policy.ts";
import { sealedPolicy } from "../src/policy/sealed.ts";
import { open, pattern, type Sealed, seal } from "./file-fixtures.ts";
import { metadata, metadataOf } from "./file-header-fixtures.ts";

const owner = pattern(20);
const salt = pattern(32);
let pairing: Pairing;
let master: ReturnType<typeof setup>;

beforeAll(async () => {
  pairing = await loadPairing();
  master = setup(pairing);
});

async function headerOf(sealed: Sealed, policy: Policy, described = metadata): Promise<Uint8Array> {
  const { mpk } = master;
  const context: RecordContext = {
    ...sealed.descriptor,
    masterKeyHash: sha256(pairing.gt.encode(mpk)),
    policy: policy.text,
    recordId: sha256(sealed.digest),
    owner,
    length: sealed.length,
    digest: sealed.digest,
    keyCommitment: sealed.keyCommitment,
  };
  const made = encapsulate(pairing, { mpk, policy, context: encodeContext(context) });
  const encapsulation = encodeEncapsulation(pairing, made.encapsulation);
  const { message, transcript } = made;
  const { fileKey } = sealed;
  return sealHeader({ context, encapsulation, message, transcript, fileKey, salt, metadata: described });
}

describe("a record, header and payload", () => {
  it("opens from its bytes for a key that satisfies the policy, and again after a new header", async () => {
    const plaintext = pattern(1000);
    const sealed = await seal(plaintext);
    const written = parsePolicy("doctor@cedars and (cardiology@cedars or icu@cedars)");
    const digests = new Set<string>();
    for (const policy of [sealedPolicy(written, toHex(owner)), parsePolicy("icu@cedars and doctor@cedars")]) {
      const bytes = await headerOf(sealed, policy);
      digests.add(toHex(recordDigest(bytes, sealed.digest)));
      const header = decodeHeader(bytes);
      const context = encodeContext(header.context);
      const encapsulation = decodeEncapsulation(pairing, header.encapsulation, policy);
      expect(verifyEncapsulation(pairing, { policy, context, encapsulation })).toBe(true);
      const key = keygen(pairing, { alpha: master.alpha, attributes: ["doctor@cedars", "icu@cedars"] });
      const shared = decapsulate(pairing, { key, policy, encapsulation });
      const recovered = recoverMessage(pairing, { shared, policy, context, encapsulation });
      const secrets = await openHeader(header, recovered);
      expect(secrets.metadata).toEqual(metadata);
      const { suite, payloadId, chunkBytes, length, digest, keyCommitment } = header.context;
      const described = { descriptor: { suite, payloadId, chunkBytes }, length, digest, keyCommitment };
      expect(toHex(await open(sealed, { ...described, fileKey: secrets.fileKey }))).toBe(toHex(plaintext));
    }
    expect(digests.size).toBe(2);
  });

  it("has a header within its bound under the largest policy and metadata", async () => {
    const name = (i: number): string => `${String(i).padStart(3, "0")}${"x".repeat(61)}@${"n".repeat(32)}`;
    const policy = parsePolicy(Array.from({ length: 256 }, (_, i) => name(i)).join(" or "));
    const sealedUnder = sealedPolicy(policy, toHex(owner));
    const bytes = await headerOf(await seal(pattern(10)), sealedUnder, metadataOf(65_536));
    expect(bytes.length).toBeLessThan(headerBytesMax / 1.5);
    expect(decodeHeader(bytes).context.policy).toBe(sealedUnder.text);
  });
});
