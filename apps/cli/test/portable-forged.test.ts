/**
 * Validators who lie: with the consortium's own validator key a chain is made whose every commit, inclusion and state
 * proof holds, and in which a deposit's author or a rekey's owner never signed. A receipt from it must convince nobody.
 */
import { join } from "node:path";
import { fromHex, type Pairing, toHex, utf8 } from "@chartseal/crypto";
import {
  type Authorisation,
  decodeTransaction,
  encodeTransaction,
  entries,
  fromBytes,
  type Ledger,
  ledgerRules,
  type RecordValue,
  type Rules,
  toBytes,
} from "@chartseal/ledger";
import { openEmbedded } from "@chartseal/ledger/embedded";
import { checkReceipt, collectReceipt, requireRecord } from "@chartseal/sharing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { memberOf, type OwnSession, openSession } from "../src/services/session.ts";
import { type Clinic, clinic, depositFor, passphrase, policyText, run } from "./care-home.ts";

let place: Clinic;
let session: OwnSession;
let other: string;
let number = 0;

beforeAll(async () => {
  place = await clinic();
  await run(["--home", place.home, "rekey", place.record, "--as", "alice"]);
  session = await openSession(openHome(place.home), { passphrase, members: ["alice", "bob"], waitMs: 0 });
  other = await depositFor(session, memberOf(session, "alice"), memberOf(session, "bob"), "another");
});

afterAll(async () => {
  await session.close();
  place.remove();
});

/** Rules that take everything, over a state that says what the liars want. */
function lies(
  pairing: Pairing,
  genesis: Uint8Array,
  state: readonly (readonly [number, Uint8Array, Uint8Array])[],
): Rules {
  const { prepare: _, ...honest } = ledgerRules(pairing, genesis);
  return {
    ...honest,
    initialise: (into) => {
      honest.initialise(into);
      for (const [kind, key, value] of state) into.put(kind, key, value);
    },
    apply: (_state, _position, transaction) => ({ identifier: decodeTransaction(transaction).identifier }),
  };
}

async function transactionOf(identifier: Uint8Array) {
  const found = await session.ledger.transaction(identifier);
  return decodeTransaction(found!.bytes);
}

/** A chain of the real genesis and validator key with these transactions in blocks of their own, and a receipt of it. */
async function receiptOf(record: RecordValue, transactions: readonly Uint8Array[]) {
  const { ledger, pairing, validatorSeed } = session;
  const keys: (readonly [number, Uint8Array])[] = [
    [entries.committee.kind, utf8("reading")],
    [entries.committee.kind, utf8("signing")],
    [entries.account.kind, record.owner],
    [entries.namespaceLists.kind, utf8("cedars")],
    [entries.period.kind, utf8("doctor@cedars")],
    [entries.period.kind, utf8("cardiology@cedars")],
  ];
  const values = await Promise.all(
    keys.map(async ([kind, key]) => [kind, key, (await ledger.read(kind, key))!] as const),
  );
  const recordId = fromHex(place.record, 32);
  const state = [...values, [entries.record.kind, recordId, toBytes(entries.record.codec, record)] as const];
  const forged: Ledger = await openEmbedded({
    directory: join(place.folder, `forged-${number++}`),
    rulesOf: (genesis) => lies(pairing, genesis, state),
    proposerSeed: validatorSeed,
    now: Date.now,
    create: ledger.genesis,
  });
  try {
    for (const transaction of transactions) await forged.submit(transaction);
    return await collectReceipt(forged, recordId, record);
  } finally {
    await forged.close();
  }
}

type Change = (authorisation: Authorisation) => Partial<Authorisation>;

/** The record's own deposit and rekey, their authorisations changed. */
async function forgedReceipt(deposit: Change, rekey: Change) {
  const record = await requireRecord(session.ledger, fromHex(place.record, 32));
  const changed = async (identifier: Uint8Array, change: Change): Promise<Uint8Array> => {
    const { bodyBytes, authorisation } = await transactionOf(identifier);
    return encodeTransaction(bodyBytes, { ...authorisation, ...change(authorisation) });
  };
  return await receiptOf(record, [
    await changed(record.deposit, deposit),
    await changed(record.rekey!, rekey),
  ]);
}

const as: Change = () => ({});
const check = async (deposit: Change, rekey: Change) =>
  checkReceipt(session.pairing, await forgedReceipt(deposit, rekey), session.ledger.genesis);

describe("a receipt of validators who lie", () => {
  test("holds where they told the truth, so that what follows shows the signatures' worth", async () => {
    const { author, record } = await check(as, as);
    expect(author).toMatchObject({ kind: "attributes", policy: policyText, verified: true });
    expect(record.version).toBe(2);
  });

  test("with an author's signature from another deposit is signature-invalid", async () => {
    const stranger = await requireRecord(session.ledger, fromHex(other, 32));
    const { authorisation } = await transactionOf(stranger.deposit);
    const { attributes } = authorisation;
    await expect(check(() => ({ attributes }), as)).rejects.toMatchObject({ code: "signature-invalid" });
  });

  test("with no signature at all is chain-altered: nobody wrote it", async () => {
    await expect(check(() => ({ attributes: null }), as)).rejects.toMatchObject({ code: "chain-altered" });
  });

  test("with a rekey that the owner did not sign is signature-invalid", async () => {
    const flipped: Change = ({ account }) => {
      const signature = Uint8Array.from(account!.signature);
      signature[5] = signature[5]! ^ 1;
      return { account: { ...account!, signature } };
    };
    await expect(check(as, flipped)).rejects.toMatchObject({ code: "signature-invalid" });
    const bob: Change = ({ account }) => ({
      account: { ...account!, account: memberOf(session, "bob").keys.account },
    });
    await expect(check(as, bob)).rejects.toMatchObject({ code: "signature-invalid" });
  });

  test("of the real chain holds, and its record is the ledger's", async () => {
    const recordId = fromHex(place.record, 32);
    const record = await requireRecord(session.ledger, recordId);
    const receipt = await collectReceipt(session.ledger, recordId, record);
    const proved = checkReceipt(session.pairing, receipt, session.ledger.genesis);
    expect(toHex(proved.record.digest)).toBe(toHex(record.digest));
    const [state] = receipt.evidence.states;
    expect(fromBytes(entries.record.codec, state!.value!).version).toBe(2);
  });
});
