/**
 * A passkey unlocks a member's vault in a browser: a real Chromium, its own WebAuthn, and a virtual authenticator with
 * the PRF extension behind it, as the DevTools protocol gives one.
 */
import {
  fromHex,
  newKeySlots,
  openWithPasskey,
  openWithPassphrase,
  parseKeySlots,
  toHex,
} from "@chartseal/crypto";
import { expect, it } from "vitest";
import { describeTool } from "../tools.ts";
import { bundle } from "./bundle.ts";
import type { PasskeyAnswer, PasskeyJob } from "./passkey-page.ts";
import { runPage } from "./run-page.ts";

const authenticator = {
  protocol: "ctap2",
  ctap2Version: "ctap2_1",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
  hasPrf: true,
};

describeTool("chromium", "a passkey in Chromium", (chromium) => {
  it("unlocks what a passphrase made by Node unlocks, and is never the only way", {
    timeout: 120_000,
  }, async () => {
    const passphrase = "correct horse";
    const { slots, key } = await newKeySlots(passphrase);
    const job: PasskeyJob = { slots, passphrase };
    const run = await runPage({ chromium, files: await bundle("passkey"), job, authenticator });
    const answer = run.answer as PasskeyAnswer | { readonly error: string };
    if ("error" in answer) throw new Error(answer.error);
    expect(answer.prf).toBe(true);
    expect(answer.keys).toEqual([toHex(key), toHex(key)]);
    expect(answer.removing).toBe("input-invalid");
    // Node reads the file that the page made: the passphrase still opens it, the slot is one of its own.
    const made = parseKeySlots(answer.slots)!;
    expect(await openWithPassphrase(made, passphrase)).toEqual(key);
    const credentialId = fromHex(made.passkeys![0]!.credentialId);
    expect(await openWithPasskey(made, { credentialId, output: new Uint8Array(32) })).toBeNull();
  });
});
