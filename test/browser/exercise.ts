/**
 * One round of what a client does, written once and run on both sides: `produce` makes one thing of every kind with a
 * party's secrets, `examine` opens and verifies what the other side made. Uses the library's public entry alone.
 * What travels is JSON; bytes in it are hex.
 */
import {
  type AttributeKey,
  concat,
  decapsulate,
  decode,
  decodeAttributeKey,
  decodeEncapsulation,
  decodeHeader,
  decodeNamespaceLists,
  decodeScalar,
  decodeSignature,
  decodeSigningKeys,
  type Encapsulation,
  ed25519KeyPairFromSeed,
  encapsulate,
  encodeContext,
  encodeEncapsulation,
  encodeSignature,
  fromHex,
  fromUtf8,
  hash,
  hkdf,
  hpkeKeyPairFromSeed,
  hpkeOpen,
  hpkeSeal,
  loadPairing,
  openHeader,
  openPayload,
  type Pairing,
  parsePolicy,
  platform,
  type RecordContext,
  randomBytes,
  recomputeEncapsulation,
  recoverFromTransform,
  recoverMessage,
  type Statement,
  sealHeader,
  sealPayload,
  sha256,
  sign,
  signTagged,
  toHex,
  utf8,
  verify,
  verifyEncapsulation,
  verifyTagged,
} from "@chartseal/crypto";

/** What both sides hold: one member's keys, and the public ones. */
export interface Party {
  readonly masterKey: string;
  readonly fullKey: string;
  readonly transformKey: string;
  readonly recoveryKey: string;
  readonly signingKeys: string;
  readonly namespaceLists: string;
  readonly committeeKey: string;
  readonly chainId: string;
  readonly seed: string;
}

/** One of each kind. */
export interface Product {
  readonly platform: string;
  /** Functions without chance: equal on both sides. */
  readonly fixed: {
    readonly hash: string;
    readonly hkdf: string;
    readonly scrypt: string;
    readonly policy: string;
  };
  readonly ed25519: string;
  readonly hpke: string;
  readonly header: string;
  readonly payload: string;
  readonly leaves: string;
  readonly signature: string;
}

/** What was found in the other side's product; all of it is compared with what is expected. */
export interface Findings {
  readonly ed25519: boolean;
  readonly ed25519Altered: boolean;
  readonly hpke: string | null;
  readonly encapsulation: boolean;
  /** The message by a full key and by a transform are the same. */
  readonly transformAgrees: boolean;
  readonly recomputed: boolean;
  readonly metadataName: string;
  readonly plaintextHash: string;
  readonly range: string;
  readonly alteredPayload: string;
  readonly signature: boolean;
  readonly signatureAltered: boolean;
}

export const policyText = "doctor@cedars AND (cardiology@cedars or 2 of (a@cedars, b@cedars, c@cedars))";
export const metadataName = "Befund – 心電図.pdf";
const period = "2026q4";
const hpkeInfo = utf8("browser test");
const message = sha256(utf8("a deposit"));

/** 300,001 bytes: several chunks, the last one odd. */
export const plaintext: Uint8Array = Uint8Array.from({ length: 300_001 }, (_, i) => (i * i + 7 * i) % 251);
export const range = { from: 65_000, to: 70_000 };

function statementOf(pairing: Pairing, party: Party): Statement {
  const policy = parsePolicy(policyText);
  return {
    policy,
    periods: new Map(policy.attributes.map((attribute) => [attribute, period])),
    namespaces: new Map([["cedars", decodeNamespaceLists(pairing, fromHex(party.namespaceLists))]]),
    chainId: fromHex(party.chainId),
    kind: "deposit",
    message,
  };
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part.slice());
  return concat(...parts);
}

async function sealRecord(
  pairing: Pairing,
  party: Party,
): Promise<Pick<Product, "header" | "payload" | "leaves">> {
  const leaves: Uint8Array[] = [];
  const sealing = sealPayload({
    source: [plaintext],
    chunkBytes: 65_536,
    onLeaf: (leaf) => void leaves.push(leaf.slice()),
  });
  const payload = await collect(sealing.chunks);
  const { length, digest } = await sealing.finished;
  const masterKey = fromHex(party.masterKey);
  const policy = parsePolicy(policyText);
  const context: RecordContext = {
    ...sealing.descriptor,
    masterKeyHash: sha256(masterKey),
    policy: policy.text,
    recordId: randomBytes(32),
    owner: fromHex(party.chainId).slice(0, 20),
    length,
    digest,
    keyCommitment: sealing.keyCommitment,
  };
  const mpk = pairing.gt.decode(masterKey);
  const made = encapsulate(pairing, { mpk, policy, context: encodeContext(context) });
  const header = await sealHeader({
    context,
    encapsulation: encodeEncapsulation(pairing, made.encapsulation),
    message: made.message,
    transcript: made.transcript,
    fileKey: sealing.fileKey,
    salt: randomBytes(32),
    metadata: { name: metadataName, mediaType: "application/pdf", hints: [] },
  });
  return { header: toHex(header), payload: toHex(payload), leaves: toHex(concat(...leaves)) };
}

/** Makes one of each kind. */
export async function produce(party: Party): Promise<Product> {
  const pairing = await loadPairing();
  const seed = fromHex(party.seed);
  const receiver = (await hpkeKeyPairFromSeed(seed)).publicKey;
  const keys = decodeSigningKeys(pairing, fromHex(party.signingKeys));
  const scrypt = await platform.scrypt(utf8("a passphrase"), seed, { N: 2 ** 12, r: 8, p: 1, size: 32 });
  return {
    platform: platform.name,
    fixed: {
      hash: toHex(hash("file/record", seed, utf8("é"))),
      hkdf: toHex(hkdf(seed, utf8("salt"), utf8("info"), 100)),
      scrypt: toHex(scrypt),
      policy: parsePolicy(policyText).text,
    },
    ed25519: toHex(signTagged(seed, "ledger/account", message)),
    hpke: toHex(await hpkeSeal({ receiver, info: hpkeInfo, plaintext: utf8(metadataName) })),
    ...(await sealRecord(pairing, party)),
    signature: toHex(encodeSignature(pairing, sign(pairing, statementOf(pairing, party), keys))),
  };
}

function openEncapsulation(
  pairing: Pairing,
  party: Party,
  record: { context: RecordContext; encapsulation: Encapsulation },
): Pick<Findings, "encapsulation" | "transformAgrees" | "recomputed"> & {
  recovered: { message: Uint8Array; transcript: Uint8Array };
} {
  const bound = {
    policy: parsePolicy(record.context.policy),
    context: encodeContext(record.context),
    encapsulation: record.encapsulation,
  };
  const keyOf = (hex: string): AttributeKey =>
    decodeAttributeKey(pairing, decode(fromHex(hex), { sizeMax: 100_000 }));
  const shared = decapsulate(pairing, { key: keyOf(party.fullKey), ...bound });
  const recovered = recoverMessage(pairing, { shared, ...bound });
  // The provider's part, then the reader's one exponentiation.
  const transform = pairing.gt.encode(decapsulate(pairing, { key: keyOf(party.transformKey), ...bound }));
  const recoveryKey = decodeScalar(fromHex(party.recoveryKey));
  const again = recoverFromTransform(pairing, { transform, recoveryKey, ...bound });
  const mpk = pairing.gt.decode(fromHex(party.masterKey));
  recomputeEncapsulation(pairing, { mpk, message: recovered.message, ...bound });
  return {
    encapsulation: verifyEncapsulation(pairing, bound),
    transformAgrees: toHex(again.message) === toHex(recovered.message),
    recomputed: true,
    recovered,
  };
}

async function openRecord(pairing: Pairing, party: Party, product: Product) {
  const header = decodeHeader(fromHex(product.header));
  const { context } = header;
  const policy = parsePolicy(context.policy);
  const encapsulation = decodeEncapsulation(pairing, header.encapsulation, policy);
  const { recovered, ...found } = openEncapsulation(pairing, party, { context, encapsulation });
  const { fileKey, metadata } = await openHeader(header, recovered);
  const open = (payload: Uint8Array, part?: typeof range) =>
    collect(
      openPayload({
        fileKey,
        descriptor: context,
        length: context.length,
        digest: context.digest,
        keyCommitment: context.keyCommitment,
        leaves: { list: fromHex(product.leaves) },
        source: (offset, length) => [payload.subarray(offset, offset + length)],
        ...(part === undefined ? {} : { range: part }),
      }),
    );
  const payload = fromHex(product.payload);
  const altered = payload.with(payload.length - 1, (payload.at(-1) ?? 0) ^ 1);
  return {
    ...found,
    metadataName: metadata.name,
    plaintextHash: toHex(sha256(await open(payload))),
    range: toHex(await open(payload, range)),
    alteredPayload: await open(altered).then(
      () => "opened",
      (error: unknown) => String((error as { code?: unknown }).code),
    ),
  };
}

/** Opens and verifies everything that the other side made. */
export async function examine(party: Party, product: Product): Promise<Findings> {
  const pairing = await loadPairing();
  const seed = fromHex(party.seed);
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  const { privateKey } = await hpkeKeyPairFromSeed(seed);
  const ed25519 = fromHex(product.ed25519);
  const opened = await hpkeOpen({ privateKey, info: hpkeInfo, sealed: fromHex(product.hpke) });
  const committeeKey = pairing.g2.decode(fromHex(party.committeeKey));
  const signed = {
    ...statementOf(pairing, party),
    signature: decodeSignature(pairing, fromHex(product.signature)),
  };
  return {
    ed25519: verifyTagged(publicKey, ed25519, "ledger/account", message),
    ed25519Altered: verifyTagged(publicKey, ed25519, "ledger/account", seed),
    hpke: opened === null ? null : fromUtf8(opened),
    ...(await openRecord(pairing, party, product)),
    signature: verify(pairing, committeeKey, signed),
    signatureAltered: verify(pairing, committeeKey, { ...signed, message: sha256(message) }),
  };
}
