/**
 * Disputes about answers under the keys of emergencies and proxies, and about keys of which the provider has to delete
 * something meanwhile: nobody is convicted for a deletion that it owes.
 */

import { parsePolicy } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  askTransform,
  type Dispute,
  disputeTransform,
  endEmergency,
  endProxy,
  type FailedAnswer,
  failedAnswer,
  type GrantName,
  open,
  readDispute,
  readDisputes,
  rekey,
  request,
  requireRecord,
  retrieve,
  type SpecialKey,
} from "../src/index.ts";
import { readEntry } from "../src/state.ts";
import { answeredTo, liveKeyOf, nodesJudge, settledIn, signedAs } from "./disputing.ts";
import { carerFor, hospitalOf, hourMs, inForce, keyFor, listed, reading, type Scene } from "./scene.ts";
import { failure, type Member, readOut, World } from "./world.ts";

let world: World;
let owner: Member;
let first: Member;
let carer: Member;
let scene: Scene;
let recordId: Uint8Array;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await hospitalOf(world);
  owner = await world.member();
  first = await world.member(listed);
  carer = await world.member();
  recordId = (await world.byOwner(owner, { policy: "surgeon@cedars", text: "named" })).recordId;
  scene = { owner, first, second: await world.member(listed), records: [recordId] };
});
afterAll(() => world.close());

/** What the reader has in hands under a special key. */
async function answered(
  member: Member,
  { grant, key }: { readonly grant: GrantName; readonly key: SpecialKey },
): Promise<FailedAnswer> {
  const reader = { ...member, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
  const granted = await request(world, { member: reader, recordId, grant });
  return failedAnswer(granted, reader, await askTransform(world, { member: reader, granted }));
}

/** The provider's own word for another T. */
async function wrong(failed: FailedAnswer): Promise<FailedAnswer> {
  const { gt } = world.pairing;
  const right = gt.decode(failed.answer.transform);
  return await signedAs(world, failed, gt.encode(gt.multiply(right, right)));
}

const disputed = (member: Member, failed: FailedAnswer): Promise<Dispute> =>
  disputeTransform(world, { member, failed });
const outcomeOf = async ({ disputeId }: Dispute) => (await readDispute(world, disputeId)).outcome;

describe.each(["emergency", "proxy"] as const)("under the key of one %s", (mode) => {
  const reader = (): Member => (mode === "emergency" ? first : carer);
  const begun = async (aheadMs = hourMs) => {
    const grant =
      mode === "emergency"
        ? await inForce(world, scene, { aheadMs })
        : await carerFor(world, { owner, carer }, aheadMs);
    return { grant, key: await keyFor(world, reader(), grant) };
  };
  const end = ({ grantId }: GrantName) =>
    mode === "emergency"
      ? endEmergency(world, { by: owner, emergencyId: grantId })
      : endProxy(world, { by: owner, proxyId: grantId });

  test("a provider that lies is found out, that key alone is retired, and the next one reads", async () => {
    const special = await begun();
    const before = await liveKeyOf(world, reader());
    const dispute = await disputed(reader(), await wrong(await answered(reader(), special)));
    expect(await settledIn(world, dispute)).toBe("provider");
    const { grantId } = special.grant;
    expect(await readEntry(world.ledger, entries.specialKey, grantId)).toBeUndefined();
    expect(await liveKeyOf(world, reader())).toEqual(before);
    const key = await keyFor(world, reader(), special.grant);
    expect(world.stores.special.idsOf(grantId)).toEqual([key.keyId]);
    const opened = await reading(world, { member: reader(), grant: special.grant, key, recordId });
    expect(await readOut(opened)).toBe("named");
    await end(special.grant);
  });

  test("a reader that lies is found out", async () => {
    const special = await begun();
    const dispute = await disputed(reader(), await answered(reader(), special));
    expect(await settledIn(world, dispute)).toBe("reader");
    await end(special.grant);
  });

  /** Time alone ends it, and the provider deletes at its next look, whatever it looks for. */
  test("one that ends after the dispute was opened is shown to the judges before it is deleted", async () => {
    const special = await begun(120_000);
    const dispute = await disputed(reader(), await answered(reader(), special));
    world.advance(180_000);
    await world.provider.dropEnded();
    expect(world.stores.special.idsOf(special.grant.grantId)).toEqual([]);
    await nodesJudge(world, 1, 2, 3);
    expect(await outcomeOf(dispute)).toBe("reader");
  });

  /** Else every reader could wait for the end, and convict the provider of having no key any more. */
  test("an answer cannot be disputed after the end, nor in its last minute", async () => {
    const special = await begun(120_000);
    const failed = await answered(reader(), special);
    const count = (await readDisputes(world)).length;
    world.advance(60_000);
    const code = mode === "emergency" ? "emergency-missing" : "proxy-missing";
    await failure(code, () => disputed(reader(), failed));
    await end(special.grant);
    await world.provider.follow();
    await failure(code, () => disputed(reader(), failed));
    expect(await readDisputes(world)).toHaveLength(count);
  });
});

describe("an account's own key", () => {
  const policy = "doctor@cedars";
  let ben: Member;
  let shared: Uint8Array;
  beforeAll(async () => {
    shared = (await world.byOwner(owner, { policy, text: "shared" })).recordId;
  });
  beforeEach(async () => {
    ben = await world.member(policy);
  });

  test("a part that is revoked after the dispute was opened is shown to the judges before it is deleted", async () => {
    const dispute = await disputed(ben, await answeredTo(world, ben, shared));
    await world.revoke(ben, policy);
    const kept = await world.stores.keys.get(ben.account, ben.transformKeyId!);
    expect(kept!.key.k2.has(policy)).toBe(false);
    await nodesJudge(world, 1, 2, 3);
    expect(await outcomeOf(dispute)).toBe("reader");
  });

  test("a reader whose attribute was revoked cannot convict the provider of having deleted the part", async () => {
    const failed = await answeredTo(world, ben, shared);
    await world.revoke(ben, policy);
    const error = await failure("input-invalid", () => disputed(ben, failed));
    expect(error.data.refusalName).toBe("transform-key");
    // Nor by being given it again: what the key had is gone all the same.
    await world.hospitals.get("cedars")!.vouch(ben.account, [policy]);
    await failure("input-invalid", () => disputed(ben, failed));
  });

  test("the key that replaces one in dispute leaves that one until it is opened", async () => {
    const failed = await answeredTo(world, ben, shared);
    const dispute = await disputed(ben, failed);
    await world.renew(ben);
    expect(world.stores.keys.idsOf(ben.account)).toEqual([ben.transformKeyId]);
    await nodesJudge(world, 1, 2, 3);
    expect(await outcomeOf(dispute)).toBe("reader");
    expect(await readOut(await retrieve(world, { member: ben, recordId: shared }))).toBe("shared");
  });
});

describe("a swapped header", () => {
  const policy = "nurse@cedars";
  let ben: Member;
  let record: Uint8Array;
  beforeAll(async () => {
    ben = await world.member(policy);
  });
  beforeEach(async () => {
    if ((await liveKeyOf(world, ben)) === undefined) await world.renew(ben);
    record = (await world.byOwner(owner, { policy, text: "mine" })).recordId;
  });

  /** The reader has no header that any judge would take: it asks again, and nothing is kept. */
  test("by the provider is refused by the reader before T is used, and is no dispute", async () => {
    const other = await answeredTo(world, ben, (await world.byOwner(owner, { policy })).recordId);
    const granted = await request(world, { member: ben, recordId: record });
    const transformed = await askTransform(world, { member: ben, granted });
    const swapped = { ...transformed, header: other.answer.header };
    const kept: unknown[] = [];
    const unopened = async (answer: unknown): Promise<void> => void kept.push(answer);
    await failure("header-altered", () =>
      open(world, { member: ben, granted, transformed: swapped, unopened }),
    );
    expect(kept).toEqual([]);
    // With the header that was registered and another record's T there is something to keep.
    const foreign = { ...transformed, transform: other.answer.transform };
    await failure("transform-invalid", () =>
      open(world, { member: ben, granted, transformed: foreign, unopened }),
    );
    expect(kept).toMatchObject([{ requestId: granted.requestId, recordId: record }]);
  });

  /** An answer of before is judged by the header of before, which the provider may have replaced. */
  test("by the reader after a rekey convicts the reader; the header of the answer convicts the provider", async () => {
    const failed = await wrong(await answeredTo(world, ben, record));
    const next = await wrong(await answeredTo(world, ben, record));
    await rekey(world, { owner, recordId: record, policy: parsePolicy(policy) });
    await world.provider.follow();
    const after = await answeredTo(world, ben, record);
    expect(after.answer.header).not.toEqual(failed.answer.header);
    const { header } = after.answer;
    const lie = await disputed(ben, { ...failed, answer: { ...failed.answer, header } });
    expect(await settledIn(world, lie)).toBe("reader");
    await failure("input-invalid", () => disputed(ben, next));
    await world.renew(ben);
    const version = (await requireRecord(world.ledger, record)).version;
    const fresh = await wrong(await answeredTo(world, ben, record));
    await rekey(world, { owner, recordId: record, policy: parsePolicy(policy) });
    await world.provider.follow();
    expect((await requireRecord(world.ledger, record)).version).toBe(version + 1);
    expect(await settledIn(world, await disputed(ben, fresh))).toBe("provider");
  });
});
