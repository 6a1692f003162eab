/**
 * The recipe of spec/3-file.md and spec/tags.md once more, over noble and a CBOR writer of a few lines: what made
 * spec/vectors/file.json, and the oracle that file/ is held to. It imports nothing of src/.
 */
import { gcm } from "@noble/ciphers/aes.js";
import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

type Item = number | string | Uint8Array | readonly Item[];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const tag = (use: string): Uint8Array => Uint8Array.from(Buffer.from(`chartseal-v1/${use}\0`, "ascii"));
const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;

function big(value: number, size: number): Uint8Array {
  return bytes(value.toString(16).padStart(2 * size, "0"));
}

/** RFC 8949 §4.2.1 for unsigned integers, text, byte strings and arrays. */
function cbor(item: Item): Uint8Array {
  const head = (major: number, value: number): Uint8Array => {
    const sizes = [
      [24, 0],
      [2 ** 8, 1],
      [2 ** 16, 2],
      [2 ** 32, 4],
      [2 ** 53, 8],
    ] as const;
    const at = sizes.findIndex(([limit]) => value < limit);
    const first = 32 * major + (at === 0 ? value : 23 + at);
    return join(Uint8Array.of(first), at === 0 ? new Uint8Array(0) : big(value, sizes[at]![1]));
  };
  if (typeof item === "number") return head(0, item);
  if (item instanceof Uint8Array) return join(head(2, item.length), item);
  if (typeof item !== "string") return join(head(4, item.length), ...item.map(cbor));
  const text = Uint8Array.from(Buffer.from(item, "utf8"));
  return join(head(3, text.length), text);
}

/** RFC 6962 §2.1, by its recursion. */
function root(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return sha256(join(Uint8Array.of(1), root(leaves.slice(0, k)), root(leaves.slice(k))));
}

/** Secrets of the vectors: SHA-256 of a name. */
const secret = (name: string): Uint8Array => sha256(Uint8Array.from(Buffer.from(name, "ascii")));

/** Byte i is (i·i + 7·i) mod 251. */
export function plaintextOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * i + 7 * i) % 251);
}

const keySizes = { A128GCM: 16, A192GCM: 24, A256GCM: 32 } as const;

export interface PayloadVector {
  readonly suite: keyof typeof keySizes;
  readonly chunkBytes: number;
  readonly payloadId: string;
  readonly fileKey: string;
  readonly length: number;
  readonly descriptor: string;
  readonly payloadKey: string;
  readonly keyCommitment: string;
  /** Hex up to 1,000 bytes, else its SHA-256 only. */
  readonly ciphertext?: string;
  readonly ciphertextSha256: string;
  readonly leafHashes: readonly string[];
  readonly digest: string;
}

export function payloadVector(
  suite: keyof typeof keySizes,
  chunkBytes: number,
  length: number,
): PayloadVector {
  const name = `${suite} ${chunkBytes} ${length}`;
  const [payloadId, fileKey] = [secret(`payload id ${name}`), secret(`file key ${name}`)];
  const descriptor = cbor([1, suite, payloadId, chunkBytes]);
  const salt = sha256(descriptor);
  const key = hkdf(sha256, fileKey, salt, tag("file/payload"), keySizes[suite]);
  const plaintext = plaintextOf(length);
  const count = Math.max(1, Math.ceil(length / chunkBytes));
  const chunks = Array.from({ length: count }, (_, i) => {
    const nonce = join(big(i, 11), Uint8Array.of(i === count - 1 ? 1 : 0));
    return gcm(key, nonce, salt).encrypt(plaintext.subarray(chunkBytes * i, chunkBytes * (i + 1)));
  });
  const leaves = chunks.map((chunk) => sha256(join(Uint8Array.of(0), chunk)));
  const ciphertext = join(...chunks);
  return {
    suite,
    chunkBytes,
    payloadId: hex(payloadId),
    fileKey: hex(fileKey),
    length,
    descriptor: hex(descriptor),
    payloadKey: hex(key),
    keyCommitment: hex(hkdf(sha256, fileKey, salt, tag("file/commit"), 32)),
    ...(ciphertext.length <= 1000 ? { ciphertext: hex(ciphertext) } : {}),
    ciphertextSha256: hex(sha256(ciphertext)),
    leafHashes: leaves.map(hex),
    digest: hex(root(leaves)),
  };
}

const headerSecrets = {
  masterKeyHash: secret("mpk"),
  recordId: secret("record id"),
  owner: secret("owner").subarray(0, 20),
  message: secret("message"),
  transcript: secret("transcript"),
  salt: secret("salt"),
};

/** A header over the first payload vector; the encapsulation is a stand-in, since file/ does not read it. */
export function headerVector(payload: PayloadVector) {
  const { message, transcript, salt, masterKeyHash, recordId, owner } = headerSecrets;
  const policy = `doctor@cedars or ${hex(owner)}@self or emergency.${hex(owner)}@self`;
  const context: Item[] = [
    1,
    payload.suite,
    masterKeyHash,
    policy,
    recordId,
    owner,
    bytes(payload.payloadId),
    payload.chunkBytes,
    payload.length,
    bytes(payload.digest),
    bytes(payload.keyCommitment),
  ];
  const metadata = cbor([1, "scan.dcm", "application/dicom", [["modality", "CT"]]]);
  const encapsulation: Item = [
    secret("c1"),
    [secret("c2")],
    [secret("c3")],
    secret("mask"),
    secret("R"),
    secret("s"),
  ];
  const associated = sha256(cbor(context));
  const sealed = (use: string, plaintext: Uint8Array): Uint8Array =>
    gcm(hkdf(sha256, message, transcript, tag(use), 32), new Uint8Array(12), associated).encrypt(plaintext);
  const wrappedKey = sealed("file/wrap", bytes(payload.fileKey));
  const header = cbor([...context, encapsulation, wrappedKey, sealed("file/meta", cbor([salt, metadata]))]);
  const length = big(metadata.length, 8);
  return {
    policy,
    masterKeyHash: hex(masterKeyHash),
    recordId: hex(recordId),
    owner: hex(owner),
    message: hex(message),
    transcript: hex(transcript),
    salt: hex(salt),
    encapsulation: hex(cbor(encapsulation)),
    metadata: hex(metadata),
    metadataCommitment: hex(sha256(join(tag("file/metadata"), salt, length, metadata))),
    context: hex(cbor(context)),
    header: hex(header),
    recordDigest: hex(sha256(join(tag("file/record"), sha256(header), bytes(payload.digest)))),
  };
}

/** H_p(tag, parts), every part behind its 8-byte length. */
export function scalarVector(use: string, parts: readonly string[]) {
  const message = join(...parts.flatMap((part) => [big(part.length / 2, 8), bytes(part)]));
  const expanded = expand_message_xmd(message, tag(use), 48, sha256);
  return { tag: use, parts, scalar: (BigInt(`0x${hex(expanded)}`) % order).toString(16).padStart(64, "0") };
}

/** Everything that spec/vectors/file.json holds. */
export function allVectors() {
  const payloads = [
    payloadVector("A256GCM", 64, 200),
    payloadVector("A256GCM", 64, 0),
    payloadVector("A256GCM", 64, 64),
    payloadVector("A256GCM", 64, 128),
    payloadVector("A192GCM", 64, 65),
    payloadVector("A128GCM", 128, 1),
    payloadVector("A256GCM", 262_144, 1_000_000),
  ];
  return {
    description: "Vectors of spec/3-file.md and spec/tags.md. Byte i of a plaintext is (i*i + 7*i) mod 251.",
    payloads,
    header: headerVector(payloads[0]!),
    scalars: [
      scalarVector("cpabe/encaps-pok", []),
      scalarVector("cpabe/encaps-pok", [""]),
      scalarVector("authority/issue-pok", ["00", "ff".repeat(100)]),
    ],
  };
}
