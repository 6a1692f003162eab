import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concat, equalBytes, fromUtf8, parsePolicy, toHex, utf8 } from "@chartseal/crypto";
import { accessLog, deposit, erase, rekey, retrieve, setRule } from "@chartseal/sharing";
import { expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { init } from "../src/operations/init.ts";
import { addMember, addNamespace, grantAttributes, revokeAttributes } from "../src/operations/members.ts";
import { memberOf, openSession, refreshKeys } from "../src/services/session.ts";

test("e2e", async () => {
  const dir = join(mkdtempSync(join(tmpdir(), "cs-")), "home");
  const t0 = performance.now();
  const lap = (s: string) => console.log(s, Math.round(performance.now() - t0));
  console.log(await init(dir, { name: "demo", nodes: 3, threshold: 2, passphrase: "x", now: Date.now }));
  lap("init");
  let s = await openSession(openHome(dir), { passphrase: "x", waitMs: 0 });
  lap("open");
  await addNamespace(s, "cedars");
  lap("ns");
  const a = await addMember(s, { name: "alice", passphrase: "x" });
  lap("alice");
  const b = await addMember(s, { name: "bob", passphrase: "x" });
  console.log(await grantAttributes(s, b.keys, ["doctor@cedars", "cardiology@cedars"]));
  lap("grant");
  const policy = parsePolicy("doctor@cedars and cardiology@cedars");
  await setRule(s, { owner: a.keys.keys, namespace: "cedars", policy });
  lap("rule");
  async function* src() {
    yield utf8("hello record");
  }
  const d = await deposit(s, {
    by: b.keys.keys,
    owner: a.keys.keys.account,
    namespace: "cedars",
    policy,
    authorPolicy: policy,
    source: src(),
    metadata: async () => ({ name: "x.txt", mediaType: "text/plain", validation: "not-checked" }),
  });
  lap("deposit");
  console.log(toHex(d.recordId), d.sealedBytes);
  const o = await retrieve(s, { member: b.keys.keys, recordId: d.recordId });
  lap("retrieve");
  const parts: Uint8Array[] = [];
  for await (const c of o.read()) parts.push(c.slice());
  expect(fromUtf8(concat(...parts))).toBe("hello record");
  console.log(o.author, o.metadata);
  await s.close();
  s = await openSession(openHome(dir), { passphrase: "x", waitMs: 0, members: ["alice", "bob"] });
  lap("reopen");
  const alice = memberOf(s, "alice"),
    bob = memberOf(s, "bob");
  const r = await rekey(s, { owner: alice.keys, recordId: d.recordId });
  lap("rekey");
  await retrieve(s, { member: bob.keys, recordId: d.recordId });
  lap("retrieve2");
  await rekey(s, { owner: alice.keys, recordId: d.recordId, payload: true });
  lap("rekey payload");
  console.log((await retrieve(s, { member: bob.keys, recordId: d.recordId })).author);
  console.log(
    await revokeAttributes(s, { name: "bob", account: bob.keys.account, attributes: ["cardiology@cedars"] }),
  );
  lap("revoke");
  await expect(retrieve(s, { member: bob.keys, recordId: d.recordId })).rejects.toThrow();
  await refreshKeys(s, bob);
  await expect(retrieve(s, { member: bob.keys, recordId: d.recordId })).rejects.toMatchObject({
    code: "policy-unsatisfied",
  });
  await retrieve(s, { member: alice.keys, recordId: d.recordId });
  console.log(
    (await accessLog(s.ledger, { recordId: d.recordId, owner: alice.keys })).entries.map((e) => [
      e.event,
      e.reader && toHex(e.reader),
    ]),
  );
  console.log(await erase(s, { owner: alice.keys, recordId: d.recordId }));
  await expect(retrieve(s, { member: alice.keys, recordId: d.recordId })).rejects.toMatchObject({
    code: "erased",
  });
  await s.close();
});
