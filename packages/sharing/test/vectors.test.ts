/** spec/vectors/sharing.json: the reveal's bytes and signatures, and a receipt that opens to it (spec/7-sharing.md). */
import { readFileSync } from "node:fs";
import { concat, ed25519KeyPairFromSeed, fromHex, sha256, tag, toHex, utf8 } from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import { expect, test } from "vitest";
import { identityOf } from "../src/index.ts";
import { openReceipt, signReveal, verifyReveal } from "../src/provider/reveal.ts";

const path = new URL("../../../spec/vectors/sharing.json", import.meta.url);
const label = (text: string): Uint8Array => sha256(utf8(`chartseal sharing vector ${text}`));

/** Every input follows from a label. */
async function inputs() {
  const reader = await identityOf({ seed: label("reader"), hpkeSeed: label("reader hpke") });
  const owner = await identityOf({ seed: label("owner"), hpkeSeed: label("owner hpke") });
  const oneTime = ed25519KeyPairFromSeed(label("one-time"));
  const place = {
    chainId: label("chain"),
    provider: accountOf(label("provider")),
    recordDigest: label("digest"),
  };
  const ids = { requestId: label("request"), recordId: label("record"), transformKeyId: label("key") };
  return { reader, owner, oneTime, place, ids };
}

test("the reveal is signed as the chapter says, and the receipt opens to it", async () => {
  const vector = JSON.parse(readFileSync(path, "utf8")) as Record<string, string>;
  const { reader, owner, oneTime, place, ids } = await inputs();
  const message = concat(
    utf8(tag("sharing/reveal")),
    place.chainId,
    place.provider,
    ids.requestId,
    ids.recordId,
    place.recordDigest,
    reader.account,
    ids.transformKeyId,
  );
  expect(vector.signed).toBe(toHex(message));
  const reveal = signReveal({ reader, oneTime, ...ids, place });
  expect(verifyReveal(reveal, place)).toBe(true);
  expect(vector.oneTimeSignature).toBe(toHex(reveal.oneTimeSignature));
  expect(vector.accountSignature).toBe(toHex(reveal.accountSignature));
  expect(vector.account).toBe(toHex(reader.account));
  const box = fromHex(vector.box!);
  const ownerEnvelope = fromHex(vector.ownerEnvelope!);
  expect([box.length, ownerEnvelope.length]).toEqual([238, 80]);
  const { requestId, recordId } = ids;
  const receipt = { box, ownerEnvelope };
  const opened = await openReceipt({
    owner,
    place,
    requestId,
    recordId,
    oneTimeKey: oneTime.publicKey,
    receipt,
  });
  expect(toHex(opened.account)).toBe(vector.account);
});
