/**
 * How a command knows the server of its home: by what only who holds the token can say to a nonce, over the home's folder.
 * A program that took a stopped server's port cannot say it, and the server of a home that was copied says another.
 */
import { fixed, hash, utf8 } from "@chartseal/crypto";

/** 32 bytes. `token` and `nonce`: 32 bytes; `folder`: the home's, as the system resolves it. */
export function helloProof(parts: {
  readonly token: Uint8Array;
  readonly nonce: Uint8Array;
  readonly folder: string;
}): Uint8Array {
  return hash("server/hello", fixed(parts.token), fixed(parts.nonce), utf8(parts.folder));
}
