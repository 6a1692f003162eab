/** A node verifies an Ed25519 signature once, and takes nothing for verified but the very key, signature and message that were. */
import { ed25519KeyPair, signTagged, utf8, verifyTagged } from "@chartseal/crypto";
import { describe, expect, it } from "vitest";
import { decodeTransaction, encodeTransaction, ledgerRules } from "../src/index.ts";
import { rememberingSignatures, type SignatureCheck } from "../src/signature-memory.ts";
import { Overlay } from "../src/state.ts";
import { service } from "./world.ts";
import { builtWorld } from "./world-build.ts";

/** What is verified in truth. */
function counted(): { check: SignatureCheck; count: () => number } {
  let count = 0;
  const check: SignatureCheck = (...asked) => {
    count++;
    return verifyTagged(...asked);
  };
  return { check: rememberingSignatures(8, check), count: () => count };
}

describe("a memory of signatures", () => {
  const { publicKey, seed } = ed25519KeyPair();
  const message = utf8("a message");
  const signature = signTagged(seed, "ledger/tx", message);

  it("verifies what it has not seen and not again what held", () => {
    const { check, count } = counted();
    expect(check(publicKey, signature, "ledger/tx", message)).toBe(true);
    expect(check(publicKey, signature, "ledger/tx", message)).toBe(true);
    expect(count()).toBe(1);
  });

  it("refuses another message, use, key or signature, each time anew", () => {
    const { check, count } = counted();
    check(publicKey, signature, "ledger/tx", message);
    const other = Uint8Array.from(signature, (byte, at) => (at === 40 ? byte ^ 1 : byte));
    for (let i = 0; i < 2; i++) {
      expect(check(publicKey, signature, "ledger/tx", utf8("a massage"))).toBe(false);
      expect(check(publicKey, signature, "ledger/one-time", message)).toBe(false);
      expect(check(ed25519KeyPair().publicKey, signature, "ledger/tx", message)).toBe(false);
      expect(check(publicKey, other, "ledger/tx", message)).toBe(false);
    }
    expect(count()).toBe(9);
  });

  it("does not mix up where a key ends and a signature begins", () => {
    const { check } = counted();
    check(publicKey, signature, "ledger/tx", message);
    const longer = Uint8Array.of(...publicKey, signature[0]!);
    expect(check(longer, signature.subarray(1), "ledger/tx", message)).toBe(false);
    const shorter = Uint8Array.of(publicKey[31]!, ...signature);
    expect(check(publicKey.subarray(0, 31), shorter, "ledger/tx", message)).toBe(false);
  });
});

describe("the rules", () => {
  it("refuse a transaction whose signature was altered after the true one was taken", async () => {
    const world = await builtWorld();
    const rules = ledgerRules(world.pairing, world.genesis);
    const position = {
      height: world.height + 1,
      timestampMs: world.timestampMs,
      proposer: service.publicKey,
    };
    const apply = (bytes: Uint8Array) => rules.apply(new Overlay(world.state), position, bytes);
    const bytes = world.ownerDeposit("record");
    for (let i = 0; i < 2; i++) expect(apply(bytes).identifier).toHaveLength(32);
    const refused = expect.objectContaining({ code: "transaction-refused" });
    const { bodyBytes, authorisation } = decodeTransaction(bytes);
    for (const part of ["account", "oneTime", "storageReceipt"] as const) {
      const signature = Uint8Array.from(authorisation[part]!.signature);
      signature[40]! ^= 1;
      const altered = { ...authorisation, [part]: { ...authorisation[part]!, signature } };
      expect(() => apply(encodeTransaction(bodyBytes, altered)), part).toThrow(refused);
    }
  });
});
