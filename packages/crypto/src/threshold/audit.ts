/**
 * Threshold encryption to the committee, secure against chosen ciphertexts: TDH2 of Shoup, Gennaro, *Securing Threshold
 * Cryptosystems against Chosen Ciphertext Attack*, J. Cryptology 15 (2002), in G1, for a 32-byte key (CRYPTO §3.1).
 *
 *   R = [x]g1, R̄ = [x]ḡ, ḡ = H1("…/audit-base"), masked = key ⊕ pad, pad = HKDF([x]D ‖ R ‖ label)
 *   with a proof that log_{g1} R = log_ḡ R̄, its challenge over label, masked key, R, R̄ and both commitments.
 * The proof is what makes it safe: who copies a stranger's R cannot prove it for another label, so a node that opens
 * only what verifies never serves as an oracle. Opened by t values [δ_i]R, each with a Chaum–Pedersen proof.
 * A ciphertext is 32 + 48 + 48 + 64 bytes and framing.
 */
import { concat, u64 } from "../bytes.ts";
import { encode } from "../encoding.ts";
import { assert, ChartsealError } from "../errors.ts";
import { tagOf } from "../hash.ts";
import { hkdf } from "../kdf.ts";
import type { G1, Pairing } from "../pairing/pairing.ts";
import { randomScalar } from "../random.ts";
import { tag } from "../tags.ts";
import type { NodeShare } from "./dkg.ts";
import { type CommitteeKey, nodeKey } from "./generation.ts";
import { auditKeySpace, curveGroup } from "./group.ts";
import { type Claim, claim, type Proof, type ProofPurpose, prove, verify } from "./proofs.ts";
import { chooseParts } from "./shamir.ts";
import { readBytes, readEpoch, readIndex, readMessage, readProof, writeMessage, writeProof } from "./wire.ts";

const keySizeBytes = 32;

/** A 32-byte key encrypted to the committee. */
export interface AuditCiphertext {
  readonly masked: Uint8Array;
  /** R */
  readonly point: G1;
  /** R̄ */
  readonly twin: G1;
  readonly proof: Proof;
}

/** [δ_i]R. */
export interface AuditShare {
  readonly epoch: number;
  readonly node: number;
  readonly value: G1;
  readonly proof: Proof;
}

/** A ciphertext with the label that it was made for, and the chain it is on. */
export interface AuditBox {
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  /** request id ‖ provider. */
  readonly label: Uint8Array;
  readonly ciphertext: AuditCiphertext;
}

/** label = request id ‖ provider, each length-prefixed. */
export function auditLabel(requestId: Uint8Array, provider: Uint8Array): Uint8Array {
  return concat(u64(requestId.length), requestId, u64(provider.length), provider);
}

/** ḡ */
function twinBase(pairing: Pairing): G1 {
  return pairing.g1.hash(tag("authority/audit-base"), [new Uint8Array(0)])[0]!;
}

function pad(pairing: Pairing, shared: G1, point: G1, label: Uint8Array): Uint8Array {
  const { g1 } = pairing;
  // Both points are of one size, so the label needs no length.
  const material = concat(g1.encode(shared), g1.encode(point), label);
  return hkdf(material, new Uint8Array(0), tagOf("authority/audit-pad"), keySizeBytes);
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, k) => byte ^ b[k]!);
}

function claimsOf(pairing: Pairing, point: G1, twin: G1): Claim[] {
  const group = curveGroup(pairing.g1);
  return [claim(group, pairing.g1.generator, point), claim(group, twinBase(pairing), twin)];
}

function purposeOf(chainId: Uint8Array, label: Uint8Array, masked: Uint8Array): ProofPurpose {
  return { use: "authority/audit-proof", context: encode([chainId, label, masked]) };
}

/** Encrypts a 32-byte key to D under a label. */
export function auditEncrypt(
  pairing: Pairing,
  options: {
    readonly publicKey: G1;
    readonly chainId: Uint8Array;
    readonly label: Uint8Array;
    readonly key: Uint8Array;
  },
): AuditCiphertext {
  const { publicKey, chainId, label, key } = options;
  assert(key.length === keySizeBytes, "the committee's box holds a key of 32 bytes");
  const { g1 } = pairing;
  const x = randomScalar({ nonZero: true });
  const [point, twin, shared] = g1.linear([
    [{ point: g1.generator, scalar: x, fixed: true }],
    [{ point: twinBase(pairing), scalar: x, fixed: true }],
    [{ point: publicKey, scalar: x, fixed: true }],
  ]);
  const masked = xor(key, pad(pairing, shared!, point!, label));
  const proof = prove(claimsOf(pairing, point!, twin!), x, purposeOf(chainId, label, masked));
  return { masked, point: point!, twin: twin!, proof };
}

/** Whether the ciphertext was made for this label on this chain by one who knows x. The ledger and every node ask. */
export function verifyAuditCiphertext(pairing: Pairing, { chainId, label, ciphertext }: AuditBox): boolean {
  const { masked, point, twin, proof } = ciphertext;
  if (pairing.g1.isZero(point) || pairing.g1.isZero(twin)) return false;
  return verify(claimsOf(pairing, point, twin), proof, purposeOf(chainId, label, masked));
}

/**
 * A node's share of the opening. The caller has seen the dispute on the ledger; the proof is checked here, first.
 * @throws ChartsealError `signature-invalid` for a ciphertext whose proof fails: nothing else of the node is used on it
 */
export function auditShare(
  pairing: Pairing,
  options: { readonly box: AuditBox; readonly key: CommitteeKey<G1>; readonly share: NodeShare },
): AuditShare {
  const { box, key, share } = options;
  const { g1 } = pairing;
  if (!verifyAuditCiphertext(pairing, box)) {
    throw new ChartsealError("signature-invalid", "the ciphertext's proof does not verify: it is not opened");
  }
  const value = g1.multiplySplit(box.ciphertext.point, share.secret);
  const claims = shareClaims(pairing, box, nodeKey(key, share.index), value);
  const proof = prove(claims, share.secret, sharePurpose(pairing, box, share.epoch, share.index));
  return { epoch: share.epoch, node: share.index, value, proof };
}

function shareClaims(pairing: Pairing, { ciphertext }: AuditBox, own: G1, value: G1): Claim[] {
  const { group, base } = auditKeySpace(pairing);
  return [claim(group, base, own), claim(group, ciphertext.point, value)];
}

function sharePurpose(pairing: Pairing, box: AuditBox, epoch: number, node: number): ProofPurpose {
  const { chainId, label, ciphertext } = box;
  const context = encode([chainId, label, encodeAuditCiphertext(pairing, ciphertext), epoch, node]);
  return { use: "authority/audit-share", context };
}

/** @throws ChartsealError `issue-invalid` with the node whose share is wrong */
export function checkAuditShare(
  pairing: Pairing,
  options: { readonly box: AuditBox; readonly key: CommitteeKey<G1>; readonly share: AuditShare },
): void {
  const { box, key, share } = options;
  const { epoch, node, value, proof } = share;
  const known = epoch === key.epoch && node <= key.nodeKeys.length && !pairing.g1.isZero(value);
  const claims = known ? shareClaims(pairing, box, nodeKey(key, node), value) : undefined;
  if (claims === undefined || !verify(claims, proof, sharePurpose(pairing, box, epoch, node))) {
    throw new ChartsealError("issue-invalid", "a node's share of the opening is wrong", { data: { node } });
  }
}

/**
 * The key from t shares of distinct nodes of one epoch; of more, the lowest t. Ciphertext and shares are checked.
 * @throws ChartsealError `signature-invalid` for the ciphertext, `issue-invalid` with the node of a wrong share,
 * `input-invalid` for fewer than t or a node twice
 */
export function auditCombine(
  pairing: Pairing,
  options: {
    readonly box: AuditBox;
    readonly key: CommitteeKey<G1>;
    readonly shares: readonly AuditShare[];
  },
): Uint8Array {
  const { box, key, shares } = options;
  if (!verifyAuditCiphertext(pairing, box)) {
    throw new ChartsealError("signature-invalid", "the ciphertext's proof does not verify: it is not opened");
  }
  for (const share of shares) checkAuditShare(pairing, { box, key, share });
  const chosen = chooseParts(shares, key.threshold);
  const terms = chosen.map(({ part, weight }) => ({ point: part.value, scalar: weight }));
  const shared = pairing.g1.linear([terms])[0]!;
  return xor(box.ciphertext.masked, pad(pairing, shared, box.ciphertext.point, box.label));
}

/** [1, masked 32, R 48, R̄ 48, [challenge 32, response 32]]. */
export function encodeAuditCiphertext(pairing: Pairing, ciphertext: AuditCiphertext): Uint8Array {
  const { g1 } = pairing;
  const { masked, point, twin, proof } = ciphertext;
  return writeMessage(masked, g1.encode(point), g1.encode(twin), writeProof(proof));
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeAuditCiphertext(pairing: Pairing, bytes: Uint8Array): AuditCiphertext {
  const [masked, point, twin, proof] = readMessage(bytes, 4, 512);
  const head = { masked: readBytes(masked, keySizeBytes), proof: readProof(proof) };
  return { ...head, point: readPoint(pairing, point), twin: readPoint(pairing, twin) };
}

/** [1, epoch, node, value 48, [challenge 32, response 32]]. */
export function encodeAuditShare(pairing: Pairing, { epoch, node, value, proof }: AuditShare): Uint8Array {
  return writeMessage(epoch, node, pairing.g1.encode(value), writeProof(proof));
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeAuditShare(pairing: Pairing, bytes: Uint8Array): AuditShare {
  const [epoch, node, value, proof] = readMessage(bytes, 4, 512);
  const head = { epoch: readEpoch(epoch), node: readIndex(node), proof: readProof(proof) };
  return { ...head, value: readPoint(pairing, value) };
}

function readPoint(pairing: Pairing, value: Parameters<typeof readBytes>[0]): G1 {
  return pairing.g1.decode(readBytes(value, pairing.g1.size), { identity: "reject" });
}
