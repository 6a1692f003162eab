/** JSON forms that several roles take: byte strings are lower-case hex, as everywhere in the project's JSON. */
import { z } from "zod";

/** Hex of exactly `size` bytes. */
export function hexOf(size: number) {
  return z.string().regex(new RegExp(`^[0-9a-f]{${2 * size}}$`), `not ${size} bytes in lower-case hex`);
}

/** Hex of at most `sizeMax` bytes. */
export function hexUpTo(sizeMax: number) {
  return z
    .string()
    .max(2 * sizeMax)
    .regex(/^(?:[0-9a-f]{2})*$/, "not lower-case hex");
}
