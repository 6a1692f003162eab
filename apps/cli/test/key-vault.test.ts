/** A vault's folder with a passkey beside its passphrase: either opens it, the passphrase is always there. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newPrfInput, randomBytes } from "@chartseal/crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KeyVault } from "../src/home/key-vault.ts";

const folder = mkdtempSync(join(tmpdir(), "chartseal-vault-"));
const prf = { credentialId: randomBytes(20), input: newPrfInput(), output: randomBytes(32) };
const other = { ...prf, output: randomBytes(32) };
const file = (): { passkeys?: unknown[] } => JSON.parse(readFileSync(join(folder, "vault.json"), "utf8"));

beforeAll(async () => {
  const vault = await KeyVault.create(folder, "first");
  await vault.save("keys.sealed", [1, "a secret"]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a vault has no passkey until one is added, and is then opened by it to the same keys", async () => {
  expect(file()).not.toHaveProperty("passkeys");
  await expect(KeyVault.openByPasskey(folder, prf)).rejects.toMatchObject({ code: "passphrase-wrong" });
  await (await KeyVault.open(folder, "first")).addPasskey(prf);
  expect(await (await KeyVault.openByPasskey(folder, prf)).load("keys.sealed")).toEqual([1, "a secret"]);
  await expect(KeyVault.openByPasskey(folder, other)).rejects.toMatchObject({ code: "passphrase-wrong" });
});

test("another passphrase keeps the passkey; who unlocked by a passkey can set one, as after forgetting it", async () => {
  await (await KeyVault.openByPasskey(folder, prf)).changePassphrase("second");
  await expect(KeyVault.open(folder, "first")).rejects.toMatchObject({ code: "passphrase-wrong" });
  expect(await (await KeyVault.open(folder, "second")).load("keys.sealed")).toEqual([1, "a secret"]);
  expect(file().passkeys).toHaveLength(1);
});

test("the passphrase cannot be taken away, not even by editing the file; the passkey can", async () => {
  const vault = await KeyVault.open(folder, "second");
  expect(() => vault.removeSlot("passphrase")).toThrow(/never the only way/);
  const whole = readFileSync(join(folder, "vault.json"));
  const { wrapped: _, ...without } = JSON.parse(whole.toString()) as Record<string, unknown>;
  writeFileSync(join(folder, "vault.json"), JSON.stringify(without));
  await expect(KeyVault.openByPasskey(folder, prf)).rejects.toMatchObject({ code: "chain-altered" });
  writeFileSync(join(folder, "vault.json"), whole);
  vault.removeSlot(prf.credentialId);
  await expect(KeyVault.openByPasskey(folder, prf)).rejects.toMatchObject({ code: "passphrase-wrong" });
  expect(file()).not.toHaveProperty("passkeys");
});
