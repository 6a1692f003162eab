/** The bytes of transactions: one form each, strict decoders, what each signature covers. */
import { ChartsealError, ed25519KeyPairFromSeed, encode } from "@chartseal/crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Action } from "../src/actions.ts";
import {
  accountOf,
  idOf,
  signAsAccount,
  signOneTime,
  verifyAsAccount,
  verifyOneTime,
} from "../src/authorisation.ts";
import {
  type Body,
  decodeBody,
  decodeTransaction,
  encodeBody,
  encodeTransaction,
  identifierOf,
} from "../src/transaction.ts";

const chainId = new Uint8Array(32).fill(7);
const seed = new Uint8Array(32).fill(1);

function bodyOf(action: Action): Body {
  return { chainId, era: 0, lastValidMs: 1000, head: { height: 0, hash: chainId }, action };
}

test("a body and a transaction come back as they were encoded", () => {
  const action: Action = { kind: "revoke-rule", namespace: "cedars" };
  const body = encodeBody(bodyOf(action));
  expect(decodeBody(body)).toEqual(bodyOf(action));
  const bytes = encodeTransaction(body, {
    account: signAsAccount({ seed, sequence: 3, body }),
    oneTime: signOneTime(seed, body),
  });
  expect(bytes[0]).toBeGreaterThanOrEqual(0x80);
  const { identifier, authorisation } = decodeTransaction(bytes);
  expect(identifier).toEqual(identifierOf(body));
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  expect(authorisation.account?.account).toEqual(accountOf(publicKey));
  expect(verifyAsAccount(publicKey, authorisation.account!, body, { chainId, era: 0 })).toBe(true);
  expect(verifyAsAccount(publicKey, authorisation.account!, body, { chainId, era: 1 })).toBe(false);
  expect(verifyOneTime(authorisation.oneTime!, identifier)).toBe(true);
  expect(idOf(chainId, publicKey)).toHaveLength(32);
});

test("mutated transactions give a typed error or another transaction, never anything else", () => {
  const body = encodeBody(bodyOf({ kind: "alert", alert: "other", recordId: null, detail: "x" }));
  const bytes = encodeTransaction(body, { account: signAsAccount({ seed, sequence: 0, body }) });
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = bytes.slice();
      changed[at]! ^= flip;
      try {
        const { bodyBytes, authorisation } = decodeTransaction(changed);
        expect(encodeTransaction(bodyBytes, authorisation)).toEqual(changed);
        expect(encodeBody(decodeBody(bodyBytes))).toEqual(bodyBytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ChartsealError);
        expect((error as ChartsealError).code).toBe("encoding-invalid");
      }
    }),
    { numRuns: 2000 },
  );
});

test("fields outside their limits are not even encoded", () => {
  const fields = [
    { kind: "revoke-rule", namespace: "Cedars" },
    { kind: "erase", recordId: new Uint8Array(31) },
    { kind: "alert", alert: "other", recordId: null, detail: "x".repeat(1025) },
    { kind: "raise-era", lostHeight: -1, lostHash: chainId, missing: [] },
  ] as unknown as Action[];
  for (const action of fields) expect(() => encodeBody(bodyOf(action))).toThrow(ChartsealError);
  expect(() => decodeBody(encode([1, chainId, 0, 9999, 0, 0, chainId, []]))).toThrow(ChartsealError);
  expect(() => decodeBody(encode([2, chainId, 0, 71, 0, 0, chainId, [chainId]]))).toThrow(ChartsealError);
});
