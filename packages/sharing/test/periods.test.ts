/** Signing periods that roll over by themselves: who can sign in the next one, what still verifies, and what two rollers do. */
import { parsePolicy, utf8 } from "@chartseal/crypto";
import { entries, toBytes } from "@chartseal/ledger";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  AccountWriter,
  checkReceipt,
  collectReceipt,
  currentPeriod,
  deposit,
  HospitalNamespace,
  namespacesBehind,
  quarterLabel,
  readEntry,
  requireRecord,
  retrieve,
} from "../src/index.ts";
import { failure, type Member, readOut, source, World } from "./world.ts";

const quarterMs = 92 * 24 * 3600 * 1000;
const policy = "physician@cedars";
let world: World;
let cedars: HospitalNamespace;
let ana: Member;
let ben: Member;

beforeEach(async () => {
  world = await World.create();
  cedars = await world.hospital("cedars");
  ana = await world.member();
  ben = await world.member(policy, "nurse@cedars", "surgeon@cedars");
  await world.rule(ana, "cedars", policy);
});
afterEach(() => world.close());

const deposited = (author: Member) => world.byAuthor(author, ana, { namespace: "cedars", policy });
const periodOf = (attribute: string) => currentPeriod(world.ledger, attribute);
const height = async () => (await world.ledger.head()).height;

/** Time passes; hospital and member do what they do at next use. */
async function nextQuarter(...members: Member[]): Promise<void> {
  world.advance(quarterMs);
  await cedars.rollPeriods();
  for (const member of members) await world.refresh(member);
}

describe("when the quarter is over", () => {
  test("every attribute moves to the next label at once, and a second look finds nothing to do", async () => {
    expect(await periodOf(policy)).toBe("2025q4");
    expect(await namespacesBehind(world, ["cedars"])).toEqual([]);
    world.advance(quarterMs);
    expect(await namespacesBehind(world, ["cedars", "nowhere"])).toEqual(["cedars"]);
    expect((await cedars.rollPeriods()).sort()).toEqual([
      "nurse@cedars",
      "physician@cedars",
      "surgeon@cedars",
    ]);
    for (const name of ["nurse", "physician", "surgeon"])
      expect(await periodOf(`${name}@cedars`)).toBe("2026q1");
    const before = await height();
    expect(await cedars.rollPeriods()).toEqual([]);
    expect(await height()).toBe(before);
  });

  test("a member collects the new keys and signs; keys of the last quarter sign nothing", async () => {
    const left = { ...ben, signingKeys: new Map(ben.signingKeys) };
    await nextQuarter(ben);
    expect([...ben.signingKeys.keys()].sort()).toEqual([
      "nurse@cedars#2026q1",
      "physician@cedars#2026q1",
      "surgeon@cedars#2026q1",
    ]);
    await deposited(ben);
    await failure("policy-unsatisfied", () => deposited(left));
  });

  test("what was signed before still verifies, at a reader and in a portable receipt", async () => {
    const { recordId } = await deposited(ben);
    const cleo = await world.member(policy);
    await nextQuarter(ben, cleo);
    await world.revoke(ben, policy);
    await nextQuarter(cleo);
    const opened = await retrieve(world, { member: cleo, recordId });
    expect(opened.author).toMatchObject({ policy, verified: true });
    const receipt = await collectReceipt(world.ledger, recordId, await requireRecord(world.ledger, recordId));
    expect(checkReceipt(world.pairing, receipt, world.ledger.genesis).author).toMatchObject({
      verified: true,
    });
  });

  test("a member who was away for three quarters collects and signs", async () => {
    const cleo = await world.member(policy);
    for (let quarter = 0; quarter < 3; quarter++) await nextQuarter(ben);
    await failure("policy-unsatisfied", () => deposited(cleo));
    await world.refresh(cleo);
    expect([...cleo.signingKeys.keys()]).toEqual(["physician@cedars#2026q3"]);
    await deposited(cleo);
  });
});

describe("an attribute that nobody was ever granted", () => {
  const either = "physician@cedars or chief@cedars";

  test("keeps nobody out who satisfies the policy without it, neither reader nor author", async () => {
    await world.rule(ana, "cedars", either);
    const { recordId } = await world.byAuthor(ben, ana, { namespace: "cedars", policy: either });
    const opened = await retrieve(world, { member: ben, recordId });
    expect(opened.author).toMatchObject({ policy: either, verified: true });
    const receipt = await collectReceipt(world.ledger, recordId, await requireRecord(world.ledger, recordId));
    const authorNow = () => checkReceipt(world.pairing, receipt, world.ledger.genesis).author;
    expect(authorNow()).toMatchObject({ policy: either, verified: true });
    // A receipt that does not show that it was not opened shows nothing.
    const periods = receipt.evidence.states.filter(({ kind }) => kind === entries.period.kind);
    expect(periods.map(({ value }) => value === null)).toEqual([false, true]);
    const states = receipt.evidence.states.filter((one) => one !== periods[1]);
    const without = { ...receipt, evidence: { ...receipt.evidence, states } };
    await failure("signature-invalid", async () =>
      checkReceipt(world.pairing, without, world.ledger.genesis),
    );
    // Once it is granted, both ways open, and what was signed before still verifies.
    const chief = await world.member("chief@cedars");
    for (const member of [chief, ben])
      expect(await readOut(await retrieve(world, { member, recordId }))).toBe("a record");
    expect((await retrieve(world, { member: chief, recordId })).author).toMatchObject({ verified: true });
    expect(authorNow()).toMatchObject({ verified: true });
  });

  test("is nobody's: who lacks the rest is told who can grant it", async () => {
    const { recordId } = await world.byOwner(ana, { policy: "surgeon@cedars and chief@cedars" });
    const { data } = await failure("policy-unsatisfied", () => retrieve(world, { member: ben, recordId }));
    expect(data).toMatchObject({ missing: [["chief@cedars"]], grantedBy: ["cedars"] });
  });
});

describe("a revoked signer, who kept every key it ever had", () => {
  async function revokedEve(): Promise<Member> {
    const eve = await world.member(policy);
    const kept = new Map(eve.signingKeys);
    await world.revoke(eve, policy);
    await world.refresh(eve);
    for (const [name, key] of kept) eve.signingKeys.set(name, key);
    return eve;
  }

  /** Her client asks no courtesy check: it is shown a ledger on which nothing has ended since `label`. */
  function pastDue(label: string): World["ledger"] {
    return new Proxy(world.ledger, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== "read") return typeof value === "function" ? value.bind(target) : value;
        return async (kind: number, key: Uint8Array) => {
          if (kind === entries.period.kind) {
            return toBytes(entries.period.codec, { label, revocations: 0, height: 1 });
          }
          return await world.ledger.read(kind, key);
        };
      },
    });
  }

  const forcedBy = (author: Member, ledger: World["ledger"]) =>
    deposit(
      { ...world.surroundings, ledger, provider: world.provider },
      {
        by: author,
        owner: ana.account,
        policy: parsePolicy(policy),
        authorPolicy: parsePolicy(policy),
        namespace: "cedars",
        source: source(utf8("a record")),
        metadata: async () => ({ name: "x.txt", mediaType: "text/plain", validation: "not-checked" }),
      },
    );

  test("signs neither in the period that the revocation opened nor in the next quarter", async () => {
    const eve = await revokedEve();
    expect(await periodOf(policy)).toBe("2025q4.1");
    await failure("revoked", () => deposited(eve));
    await failure("policy-unsatisfied", () => forcedBy(eve, pastDue("2025q4")));
    await nextQuarter();
    expect(await periodOf(policy)).toBe("2026q1");
    await failure("revoked", () => deposited(eve));
    await failure("policy-unsatisfied", () => forcedBy(eve, pastDue("2025q4")));
    // The hospital gives her nothing that she does not hold, whatever she asks.
    await world.refresh(eve);
    expect([...eve.signingKeys.keys()].filter((name) => name.endsWith("#2026q1"))).toEqual([]);
  });

  test("and whose forgery would pass if the period had not moved: the same keys, the same steps", async () => {
    const eve = await world.member(policy);
    await forcedBy(eve, pastDue("2025q4"));
  });

  test("gains nothing from a hospital's old label: the ledger opens none twice", async () => {
    await revokedEve();
    await nextQuarter();
    const again = { kind: "open-period", namespace: "cedars", attribute: policy, label: "2025q4" } as const;
    const writer = new AccountWriter(world, world.hospitalParts.get("cedars")!.identity);
    await failure("input-invalid", () => writer.submit(again));
  });
});

describe("rolling over", () => {
  test("twice at once, by two processes, opens each label once", async () => {
    world.advance(quarterMs);
    const twin = new HospitalNamespace(world.surroundings, world.hospitalParts.get("cedars")!);
    const rolled = await Promise.all([cedars.rollPeriods(), twin.rollPeriods()]);
    expect(rolled.flat().sort()).toEqual(["nurse@cedars", "physician@cedars", "surgeon@cedars"]);
    for (const name of ["nurse", "physician", "surgeon"]) {
      const period = await readEntry(world.ledger, entries.period, utf8(`${name}@cedars`));
      expect(period).toMatchObject({ label: "2026q1", revocations: 0 });
    }
  });

  test("killed halfway, it goes on: the first attribute is the last, so that its label speaks for all", async () => {
    world.advance(quarterMs);
    let left = 1;
    const ledger = new Proxy(world.ledger, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== "submit") return typeof value === "function" ? value.bind(target) : value;
        return async (transaction: Uint8Array) => {
          if (left-- === 0) throw new Error("the process died here");
          return await world.ledger.submit(transaction);
        };
      },
    });
    const parts = world.hospitalParts.get("cedars")!;
    const dying = new HospitalNamespace({ ...world.surroundings, ledger }, parts);
    await expect(dying.rollPeriods()).rejects.toThrow("died");
    expect([await periodOf("physician@cedars"), await periodOf("surgeon@cedars")].sort()).toEqual([
      "2025q4",
      "2026q1",
    ]);
    expect(await namespacesBehind(world, ["cedars"])).toEqual(["cedars"]);
    expect(await cedars.rollPeriods()).toHaveLength(2);
    expect(await namespacesBehind(world, ["cedars"])).toEqual([]);
  });

  test("a clock that goes back reopens nothing, and nothing new gets a label of the past", async () => {
    await nextQuarter(ben);
    world.advance(-2 * quarterMs);
    expect(quarterLabel(world.now())).toBe("2025q3");
    expect(await cedars.rollPeriods()).toEqual([]);
    expect(await periodOf(policy)).toBe("2026q1");
    await world.member("porter@cedars");
    expect(await periodOf("porter@cedars")).toBe("2026q1");
    await deposited(ben);
  });
});
