/** Byte strings: joining, comparing, hex, big-endian integers. Integers are big-endian everywhere (CONTRACT, Blocks). */
import { ChartsealError } from "./errors.ts";

const hexDigits = /^(?:[0-9a-f]{2})*$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** ‖ of CRYPTO.md. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Equality of public byte strings; not constant time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Strict lower-case hex, of `size` bytes where given. @throws ChartsealError `encoding-invalid` */
export function fromHex(text: string, size?: number): Uint8Array {
  if (!hexDigits.test(text) || (size !== undefined && text.length !== 2 * size)) {
    throw new ChartsealError("encoding-invalid", "not lower-case hex of the expected length");
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** UTF-8 bytes of a well-formed string. @throws ChartsealError `encoding-invalid` for a lone surrogate */
export function utf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new ChartsealError("encoding-invalid", "text holds a lone surrogate");
  return encoder.encode(text);
}

/** Strict UTF-8 decoding. @throws ChartsealError `encoding-invalid` */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ChartsealError("encoding-invalid", "not UTF-8");
  }
}

/** 4 bytes, big-endian. */
export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** 8 bytes, big-endian; a number must be a safe integer. */
export function u64(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  // Nearly all are lengths: a view or a big integer for each would be most of what it costs to join parts.
  if (typeof value === "number" && value >>> 0 === value) {
    for (let at = 7, rest = value; rest > 0; at--, rest >>>= 8) bytes[at] = rest & 0xff;
  } else new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** OS2IP (RFC 8017 §4.2): a big-endian integer of any size. */
export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

/** I2OSP (RFC 8017 §4.1): exactly `size` bytes. @throws ChartsealError `defect` if it does not fit */
export function fromBigInt(value: bigint, size: number): Uint8Array {
  const text = value.toString(16).padStart(2 * size, "0");
  if (value < 0n || text.length > 2 * size) throw new ChartsealError("defect", "integer does not fit");
  return fromHex(text);
}
