/**
 * A node's memory of the Ed25519 signatures that it verified: a transaction that waits, is proposed and decided is judged
 * several times, and each time its signatures are over the same bytes. Only what verified is kept, under everything that was
 * verified, so that a memory changes the time that a transaction takes and never what becomes of it.
 */
import { hash, verifyTagged } from "@chartseal/crypto";
import { ClaimMemory } from "./attribute-batch.ts";
import { byteText } from "./state.ts";

export type SignatureCheck = typeof verifyTagged;

/** Between `most` and twice as many signatures are kept, the newest; 128 bytes each. `verify`: what checks a new one. */
export function rememberingSignatures(most: number, verify: SignatureCheck = verifyTagged): SignatureCheck {
  const known = new ClaimMemory(most);
  return (publicKey, signature, use, ...parts) => {
    // Sizes are what keeps the three parts of a key apart.
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    const key = byteText(publicKey) + byteText(signature) + byteText(hash(use, ...parts));
    if (known.has(key)) return true;
    const holds = verify(publicKey, signature, use, ...parts);
    if (holds) known.learn(key);
    return holds;
  };
}
