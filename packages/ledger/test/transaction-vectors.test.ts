/** Published vectors of transactions: our bytes are the file's, and the file follows from the spec's recipe by hand. */
import { readFileSync } from "node:fs";
import { concat, fromHex, platform, sha256, toHex, u64, utf8 } from "@chartseal/crypto";
import { expect, test } from "vitest";
import { type ActionOf, actionKinds } from "../src/actions.ts";
import { decodeBody, decodeTransaction, encodeBody } from "../src/transaction.ts";
import { bytes32, transactionVectors, vectorActions } from "./transaction-vectors.ts";

interface Vectors {
  readonly genesis: string;
  readonly chainId: string;
  readonly member: { readonly publicKey: string; readonly account: string };
  readonly id: { readonly oneTimeKey: string; readonly id: string };
  readonly kinds: readonly { readonly kind: string; readonly body: string; readonly identifier: string }[];
  readonly deposit: {
    readonly account: { readonly sequence: number; readonly account: string; readonly signature: string };
    readonly oneTime: string;
    readonly relay: { readonly account: string; readonly signature: string };
    readonly storageReceipt: string;
    readonly admission: string;
    readonly erasedCopy: string;
    readonly transaction: string;
  };
  readonly log: readonly string[];
}

const file = new URL("../../../spec/vectors/ledger-transactions.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const deposit = vectors.kinds.find(({ kind }) => kind === "deposit")!;
const tag = (use: string): Uint8Array => utf8(`chartseal-v1/ledger/${use}\0`);
const hex = (text: string): Uint8Array => fromHex(text);

test("what we make is what is published, and every kind is there", () => {
  expect(transactionVectors()).toEqual(vectors);
  expect(vectorActions.map(({ kind }) => kind)).toEqual(actionKinds);
});

test("every published body decodes to its action and encodes to its bytes again", () => {
  for (const [at, { body }] of vectors.kinds.entries()) {
    const decoded = decodeBody(hex(body));
    expect(decoded.action).toEqual(vectorActions[at]);
    expect(toHex(encodeBody(decoded))).toBe(body);
  }
});

test("chain id, account, id, identifiers and the log follow from the recipe by hand", () => {
  expect(toHex(sha256(tag("genesis"), hex(vectors.genesis)))).toBe(vectors.chainId);
  const { member, id } = vectors;
  expect(toHex(sha256(tag("account"), hex(member.publicKey))).slice(0, 40)).toBe(member.account);
  expect(toHex(sha256(tag("id"), hex(vectors.chainId), hex(id.oneTimeKey)))).toBe(id.id);
  for (const { body, identifier } of vectors.kinds) {
    const bytes = hex(body);
    expect(toHex(sha256(tag("tx-id"), u64(bytes.length), bytes))).toBe(identifier);
  }
  let log: Uint8Array = new Uint8Array(32);
  for (const expected of vectors.log) {
    log = sha256(tag("log"), log, bytes32("identifier"), Uint8Array.of(1));
    expect(toHex(log)).toBe(expected);
  }
});

test("every signature is over what the recipe says, by hand", () => {
  const { account, oneTime, relay, storageReceipt, admission, erasedCopy, transaction } = vectors.deposit;
  const key = (label: string): Uint8Array => platform.ed25519PublicKey(bytes32(`seed ${label}`));
  const chainId = hex(vectors.chainId);
  const body = hex(deposit.body);
  const identifier = hex(deposit.identifier);
  const check = (label: string, message: Uint8Array, signature: string): void => {
    expect(platform.ed25519Verify(key(label), message, hex(signature)), label).toBe(true);
  };
  const own = concat(tag("tx"), chainId, u64(0), hex(account.account), u64(5), u64(body.length), body);
  check("member", own, account.signature);
  check("one-time", concat(tag("one-time"), identifier), oneTime);
  const proof = bytes32("attribute signature");
  const content = sha256(u64(body.length), body, hex(oneTime), u64(proof.length), proof);
  check("provider", concat(tag("relay"), chainId, hex(relay.account), content), relay.signature);
  const address = utf8("objects/0011");
  const place = concat(u64(address.length), address);
  const receipt = [bytes32("record"), place, bytes32("header"), bytes32("payload"), u64(1000)];
  check("provider", concat(tag("storage-receipt"), ...receipt), storageReceipt);
  check("validator", concat(tag("admission"), identifier), admission);
  const gone = [chainId, hex(relay.account), bytes32("record"), place];
  check("provider", concat(utf8("chartseal-v1/sharing/certificate\0"), ...gone), erasedCopy);
  const start = vectorActions.find(({ kind }) => kind === "start-recovery") as ActionOf<"start-recovery">;
  const offer = concat(tag("new-key"), bytes32("chain"), start.account, bytes32("hpke"));
  check("new", offer, toHex(start.proof));
  const decoded = decodeTransaction(hex(transaction));
  expect(toHex(decoded.identifier)).toBe(deposit.identifier);
  expect(decoded.authorisation.account).toBeNull();
});
