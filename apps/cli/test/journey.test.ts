/**
 * The whole journey through the operations of an embedded home: init, hospital, members, grant, rule, deposit, retrieve,
 * rekey with and without the payload, revocation, the access log, erasure; the home is closed and opened in between.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concat, fromUtf8, parsePolicy, utf8 } from "@chartseal/crypto";
import { accessLog, deposit, erase, rekey, retrieve, setRule } from "@chartseal/sharing";
import { afterAll, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { init } from "../src/operations/init.ts";
import { addMember, addNamespace, grantAttributes, revokeAttributes } from "../src/operations/members.ts";
import { memberOf, openSession, refreshKeys, type Session } from "../src/services/session.ts";

const folder = mkdtempSync(join(tmpdir(), "chartseal-journey-"));
const home = join(folder, "home");
const passphrase = "journey";
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const policy = parsePolicy("doctor@cedars and cardiology@cedars");

async function text(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part.slice());
  return fromUtf8(concat(...parts));
}

async function populated(): Promise<{ session: Session; recordId: Uint8Array }> {
  await init(home, { name: "metro", nodes: 3, threshold: 2, passphrase, now: Date.now });
  const session = await openSession(openHome(home), { passphrase, waitMs: 0 });
  await addNamespace(session, "cedars");
  const { keys: alice } = await addMember(session, { name: "alice", passphrase });
  const { keys: bob } = await addMember(session, { name: "bob", passphrase });
  const granted = await grantAttributes(session, bob, ["doctor@cedars", "cardiology@cedars"]);
  expect(granted.attributes).toEqual(["cardiology@cedars", "doctor@cedars"]);
  await setRule(session, { owner: alice.keys, namespace: "cedars", policy });
  const deposited = await deposit(session, {
    by: bob.keys,
    owner: alice.keys.account,
    namespace: "cedars",
    policy,
    authorPolicy: policy,
    source: (async function* () {
      yield utf8("hello record");
    })(),
    metadata: async () => ({ name: "note.txt", mediaType: "text/plain", validation: "not-checked" }),
  });
  return { session, recordId: deposited.recordId };
}

test("a record is deposited, read, rekeyed, withdrawn from a reader, and erased; its log says all of it", async () => {
  const first = await populated();
  const { recordId } = first;
  await first.session.close();

  const session = await openSession(openHome(home), { passphrase, waitMs: 0, members: ["alice", "bob"] });
  const alice = memberOf(session, "alice").keys;
  const bobMember = memberOf(session, "bob");
  const bob = bobMember.keys;
  const opened = await retrieve(session, { member: bob, recordId });
  expect(await text(opened.read())).toBe("hello record");
  expect(opened.author).toMatchObject({ policy: policy.text, verified: true });
  await rekey(session, { owner: alice, recordId });
  expect(await text((await retrieve(session, { member: bob, recordId })).read())).toBe("hello record");
  await rekey(session, { owner: alice, recordId, payload: true });
  const again = await retrieve(session, { member: bob, recordId });
  expect(await text(again.read())).toBe("hello record");
  expect(again.author).toMatchObject({ verified: false, reencrypted: true });

  await revokeAttributes(session, { name: "bob", account: bob.account, attributes: ["cardiology@cedars"] });
  await expect(retrieve(session, { member: bob, recordId })).rejects.toThrow();
  await refreshKeys(session, bobMember);
  await expect(retrieve(session, { member: bob, recordId })).rejects.toMatchObject({ code: "revoked" });
  expect(await text((await retrieve(session, { member: alice, recordId })).read())).toBe("hello record");

  const log = await accessLog(session.ledger, { recordId, owner: alice });
  const readers = log.entries.filter(({ event }) => event === "transformed").map(({ reader }) => reader);
  expect(readers).toEqual([bob, alice, bob, alice, bob, alice].map(({ account }) => account));
  await erase(session, { owner: alice, recordId });
  await expect(retrieve(session, { member: alice, recordId })).rejects.toMatchObject({ code: "erased" });
  await session.close();
});
