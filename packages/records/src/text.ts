/** Text from bytes without ever throwing: what every recogniser and validator of text starts from. */

const byteOrderMarks: readonly (readonly [encoding: string, mark: readonly number[]])[] = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16le", [0xff, 0xfe]],
  ["utf-16be", [0xfe, 0xff]],
];

/** The encoding that a byte-order mark announces, and the mark's size in bytes; size 0 where there is none. */
export function byteOrderMark(bytes: Uint8Array): { encoding: string; size: number } {
  for (const [encoding, mark] of byteOrderMarks) {
    if (mark.every((byte, i) => bytes[i] === byte)) return { encoding, size: mark.length };
  }
  return { encoding: "utf-8", size: 0 };
}

/**
 * The text of bytes in an encoding (a WHATWG label), or undefined where they are not that, or the label is unknown. A
 * byte-order mark is taken off. `partial` forgives a character cut at the end, for the beginning of a longer text.
 */
export function decodeText(bytes: Uint8Array, encoding = "utf-8", partial = false): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: partial });
  } catch {
    return undefined;
  }
}

/** Any bytes as text, one character a byte: for formats whose structure is ASCII whatever their text is in. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += 8192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  }
  return text;
}
