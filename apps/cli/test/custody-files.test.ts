/**
 * The provider's files of transform keys (spec/7-sharing.md, Issuance): what they hold comes back, also in the form of
 * before; and a key that was made off the ledger and put in the place of the live one, sealed as the provider seals, is
 * refused by the command that would use it.
 */
import { renameSync } from "node:fs";
import { join } from "node:path";
import {
  encode,
  encodeAttributeKey,
  fromHex,
  hasCode,
  keygenDirect,
  loadPairing,
  type Pairing,
  randomScalar,
  sha256,
  toHex,
} from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { type ProviderStores, readEntry } from "@chartseal/sharing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openHome, requireMember } from "../src/home/home.ts";
import { KeyVault } from "../src/home/key-vault.ts";
import { openProviderStores } from "../src/services/provider-stores.ts";
import { openForReading } from "../src/services/session.ts";
import { type Clinic, clinic, passphrase, run } from "./care-home.ts";

let place: Clinic;
let pairing: Pairing;
let vault: KeyVault;
let keys: ProviderStores["keys"];
let bob: Uint8Array;

beforeAll(async () => {
  place = await clinic();
  pairing = await loadPairing();
  const home = openHome(place.home);
  vault = await KeyVault.open(home.paths.service, passphrase);
  keys = (await openProviderStores(home.paths, { vault, pairing })).keys;
  bob = fromHex(requireMember(home, "bob").account, 20);
});
afterAll(() => place.remove());

async function liveId(): Promise<Uint8Array> {
  const { ledger, close } = await openForReading(place.home);
  const live = await readEntry(ledger, entries.liveKey, bob);
  await close();
  return live!.keyId;
}

const forged = () =>
  keygenDirect(pairing, { alpha: randomScalar(), attributes: ["doctor@cedars", "cardiology@cedars"] });
const open = () => run(["--home", place.home, "open", place.record, "--as", "bob", "--json"]);

describe("a file of a transform key", () => {
  test("comes back as it was kept, with the hashes of the parts that went", async () => {
    const account = new Uint8Array(20).fill(7);
    const dropped = new Map([["nurse@cedars", new Uint8Array(32).fill(3)]]);
    const kept = { keyId: new Uint8Array(32).fill(1), key: forged(), dropped };
    await keys.put(account, kept);
    const back = (await keys.get(account, kept.keyId))!;
    expect([...back.dropped]).toEqual([...dropped]);
    expect(encode(encodeAttributeKey(pairing, back.key))).toEqual(
      encode(encodeAttributeKey(pairing, kept.key)),
    );
    await keys.remove(account);
    expect(await keys.get(account, kept.keyId)).toBeUndefined();
  });

  test("of before, the key alone, is read too", async () => {
    const key = encodeAttributeKey(pairing, forged());
    const keyId = sha256(encode(key));
    await vault.save(`transform-keys/${"07".repeat(20)}/${toHex(keyId)}.sealed`, key);
    const back = (await keys.get(new Uint8Array(20).fill(7), keyId))!;
    expect(encode(encodeAttributeKey(pairing, back.key))).toEqual(encode(key));
    expect(back.dropped.size).toBe(0);
    await keys.remove(new Uint8Array(20).fill(7));
  });

  test("that holds something else is damaged", async () => {
    const account = new Uint8Array(20).fill(7);
    const name = `transform-keys/${toHex(account)}/${"01".repeat(32)}.sealed`;
    const key = encodeAttributeKey(pairing, forged());
    for (const bad of [
      [2, key, [["a@b"]]],
      [2, key, [[1, new Uint8Array(32)]]],
      [2],
      [],
      "x",
      [3, key, []],
    ]) {
      await vault.save(name, bad as never);
      const error = await keys.get(account, fromHex("01".repeat(32), 32)).catch((thrown: unknown) => thrown);
      expect(hasCode(error, "chain-altered") || hasCode(error, "encoding-invalid")).toBe(true);
    }
    vault.remove(name);
  });
});

describe("a key off the ledger, put into the folder", () => {
  test("under the live key's id is refused at the next read, and serves again once the right one is back", async () => {
    const keyId = await liveId();
    const right = (await keys.get(bob, keyId))!;
    await keys.put(bob, { keyId, key: forged(), dropped: new Map() });
    const refused = await open();
    expect([refused.code, refused.json().error.code]).toEqual([3, "issue-refused"]);
    await keys.put(bob, right);
    expect((await open()).code).toBe(0);
  });

  test("as another's file under the live key's name, it does not open: the name is bound", async () => {
    const keyId = await liveId();
    const right = (await keys.get(bob, keyId))!;
    const folder = join(place.home, "service", "transform-keys", toHex(bob));
    await keys.put(bob, { keyId: new Uint8Array(32).fill(9), key: forged(), dropped: new Map() });
    renameSync(join(folder, `${"09".repeat(32)}.sealed`), join(folder, `${toHex(keyId)}.sealed`));
    const refused = await open();
    expect([refused.code, refused.json().error.code]).toEqual([4, "chain-altered"]);
    await keys.put(bob, right);
  });

  test("of one's own, new from the committee, is what brings a reader back", async () => {
    await keys.put(bob, { keyId: await liveId(), key: forged(), dropped: new Map() });
    expect((await open()).code).toBe(3);
    expect((await run(["--home", place.home, "keys", "renew", "bob", "--json"])).code).toBe(0);
    expect((await open()).code).toBe(0);
  });
});
