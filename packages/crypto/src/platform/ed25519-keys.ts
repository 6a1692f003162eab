/**
 * Which 32 bytes count as an Ed25519 public key, on every platform alike.
 *
 * RFC 8032 leaves room: OpenSSL takes non-canonical and small-order keys, noble's default (ZIP 215) takes more still,
 * and two verifiers of one ledger must never disagree. Ours: y < 2^255 − 19, and no point of order 1, 2, 4 or 8.
 * Beyond that both platforms verify without the cofactor: encode([S]B − [k]A) = R byte for byte, S < L.
 */

/** The y coordinates of the eight points of small order, little-endian hex, sign bit cleared. */
const smallOrder: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map((hex) => Uint8Array.from(hex.match(/../g)!, (byte) => Number.parseInt(byte, 16)));

/** True for 32 bytes that encode y canonically and no point of small order; the curve equation is not tested here. */
export function isUsablePublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  const y = Uint8Array.from(publicKey);
  y[31] = (y[31] ?? 0) & 0x7f;
  if (smallOrder.some((point) => point.every((byte, at) => y[at] === byte))) return false;
  // p = 2^255 − 19 in little-endian is ed ff … ff 7f; y ≥ p only if bytes 1 to 31 are all at their highest.
  const highest = y[31] === 0x7f && y.subarray(1, 31).every((byte) => byte === 0xff);
  return !(highest && (y[0] ?? 0) >= 0xed);
}
