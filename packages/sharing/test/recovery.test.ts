/**
 * The way back of a member who has lost everything: guardians or a paper kit, a waiting time in which the member is told
 * and may object, and new keys that read what the old ones read. Nobody holds a share of z.
 */
import { randomBytes } from "@chartseal/crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  accessLog,
  approveRecovery,
  checkWays,
  countWays,
  finishRecovery,
  type Identity,
  identityOf,
  listRecoveries,
  objectRecovery,
  openRecoveriesOf,
  paperSigner,
  readWays,
  recoveriesTo,
  replacingSeeds,
  retrieve,
  setSettings,
  setWays,
  startRecovery,
} from "../src/index.ts";
import { failure, type Member, movedTo, readOut, World } from "./world.ts";

const policy = "physician@cedars";
const weekMs = 7 * 24 * 3_600_000;
let world: World;
let sister: Member;
let friend: Member;
let ana: Member;
let kit: ReturnType<typeof paperSigner>;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  sister = await world.member();
  friend = await world.member();
});
afterAll(() => world.close());

/** A member with two guardians, both of whom it takes, and a paper kit. */
beforeEach(async () => {
  ana = await world.member(policy);
  kit = paperSigner(randomBytes(32));
  const guardians = [sister.account, friend.account];
  await setWays(world, { member: ana, changes: { paperKey: kit.publicKey } });
  await setWays(world, { member: ana, changes: { guardians, threshold: 2 } });
});

/** New keys of an account of which nothing else is left. */
const newKeys = (): Promise<Identity> => identityOf(replacingSeeds(ana.account));

test("ways are set one beside the other, and both stand", async () => {
  const ways = await readWays(world.ledger, ana.account);
  expect(ways).toMatchObject({ threshold: 2, paperKey: kit.publicKey });
  expect(await countWays(world.ledger, ana.account)).toBe(2);
  expect(await countWays(world.ledger, sister.account)).toBe(0);
});

describe("guardians", () => {
  test("give a new key together, after the waiting time; it reads and signs what the lost one did", async () => {
    await world.rule(ana, "cedars", policy);
    const { recordId } = await world.byOwner(ana, { policy });
    const next = await newKeys();
    const { recoveryId } = await startRecovery(world, { by: sister, next });
    await approveRecovery(world, { by: friend, recoveryId });
    const early = await failure("transaction-refused", () => finishRecovery(world, { next, recoveryId }));
    expect(early.data).toMatchObject({
      refusalName: "recovery-waiting",
      readyMs: world.clock.nowMs + weekMs,
    });
    world.advance(weekMs);
    await finishRecovery(world, { next, recoveryId });
    await world.provider.follow();
    const moved = movedTo(world, ana, next);
    await world.collect(moved);
    expect(await readOut(await retrieve(world, { member: moved, recordId }))).toBe("a record");
    await world.byAuthor(moved, moved, { namespace: "cedars", policy });
    // The lost device, should it turn up, is a stranger's.
    await failure("signature-invalid", () => retrieve(world, { member: ana, recordId }));
    await failure("signature-invalid", () => setWays(world, { member: ana, changes: { paperKey: null } }));
  });

  test("one alone gives nothing, however long it waits", async () => {
    const next = await newKeys();
    const { recoveryId } = await startRecovery(world, { by: sister, next });
    world.advance(2 * weekMs);
    const [open] = await openRecoveriesOf(world, ana.account);
    expect(open).toMatchObject({ status: "approvals", approvalsNeeded: 1 });
    await failure("transaction-refused", () => finishRecovery(world, { next, recoveryId }));
    await failure("transaction-refused", () => approveRecovery(world, { by: sister, recoveryId }));
  });

  test("a stranger neither starts nor approves one", async () => {
    const stranger = await world.member();
    const next = await newKeys();
    await failure("transaction-refused", () => startRecovery(world, { by: stranger, next }));
    const { recoveryId } = await startRecovery(world, { by: sister, next });
    await failure("transaction-refused", () => approveRecovery(world, { by: stranger, recoveryId }));
  });
});

describe("the member", () => {
  test("is told of a recovery, by whom, and when it can be finished; and ends it", async () => {
    const next = await newKeys();
    const { recoveryId } = await startRecovery(world, { by: sister, next });
    await approveRecovery(world, { by: friend, recoveryId });
    const [told] = await openRecoveriesOf(world, ana.account);
    expect(told).toMatchObject({
      id: recoveryId,
      by: sister.account,
      approvals: [sister.account, friend.account],
      status: "waiting",
      readyMs: world.clock.nowMs + weekMs,
    });
    await objectRecovery(world, { member: ana, recoveryId });
    expect(await openRecoveriesOf(world, ana.account)).toEqual([]);
    world.advance(weekMs);
    await failure("input-invalid", () => finishRecovery(world, { next, recoveryId }));
    const all = await listRecoveries(world, ana.account);
    expect(all.map(({ status }) => status)).toEqual(["objected"]);
  });

  /** The attack: a thief of the device, seeing the recovery, removes those who could finish it, or moves away. */
  test("cannot be robbed of its guardians while they recover it", async () => {
    await startRecovery(world, { by: sister, next: await newKeys() });
    const thief = { ...ana };
    const changes = { guardians: [], threshold: 0, paperKey: null };
    await failure("transaction-refused", () => setWays(world, { member: thief, changes }));
  });
});

describe("the paper kit", () => {
  test("gives a new key alone, after the waiting time", async () => {
    const next = await newKeys();
    const { recoveryId } = await startRecovery(world, { by: kit, next });
    expect(await recoveriesTo(world, next)).toMatchObject([
      { id: recoveryId, paper: true, status: "waiting" },
    ]);
    world.advance(weekMs);
    expect((await recoveriesTo(world, next)).map(({ status }) => status)).toEqual(["ready"]);
    await finishRecovery(world, { next, recoveryId });
    const [done] = await listRecoveries(world, ana.account);
    expect(done).toMatchObject({ status: "finished", paper: true });
    // Kit and guardians stand for the next loss.
    expect(await countWays(world.ledger, ana.account)).toBe(2);
  });

  test("opens nothing by itself: it is no account with records, and an old kit none with a way in", async () => {
    await setWays(world, { member: ana, changes: { paperKey: paperSigner(randomBytes(32)).publicKey } });
    await failure("input-invalid", async () => startRecovery(world, { by: kit, next: await newKeys() }));
  });

  test("loses who read before: receipts of then are sealed to a mail key that nobody has", async () => {
    const { recordId } = await world.byOwner(ana, { policy });
    await retrieve(world, { member: ana, recordId });
    const next = await newKeys();
    const { recoveryId } = await startRecovery(world, { by: kit, next });
    world.advance(weekMs);
    await finishRecovery(world, { next, recoveryId });
    const log = await accessLog(world.ledger, { recordId, owner: next });
    expect(log.entries.at(-1)?.fault).toBe("the receipt is not sealed to this key of the owner");
  });
});

test("a recovery that nobody finished lapses a month after its time", async () => {
  const next = await newKeys();
  const { recoveryId } = await startRecovery(world, { by: kit, next });
  world.advance(weekMs + 30 * 24 * 3_600_000);
  expect((await listRecoveries(world, ana.account)).map(({ status }) => status)).toEqual(["lapsed"]);
  await failure("input-invalid", () => finishRecovery(world, { next, recoveryId }));
  await setWays(world, { member: ana, changes: { guardians: [], threshold: 0 } });
});

describe("where recovery is required", () => {
  beforeAll(async () => {
    await setSettings(world, { changes: { recoveryRequired: true }, admittedBy: [world.validatorSeed] });
  });
  afterAll(async () => {
    await setSettings(world, { changes: { recoveryRequired: false }, admittedBy: [world.validatorSeed] });
  });

  test("neither an owner nor an author seals with one way, and the refusal says what to set", async () => {
    const author = await world.member(policy);
    await world.rule(ana, "cedars", policy);
    const seal = () => world.byAuthor(author, ana, { namespace: "cedars", policy });
    const refused = await failure("recovery-missing", seal);
    expect(refused.hint).toBe(
      "Set a paper kit (chartseal recovery kit) and guardians (chartseal guardians set).",
    );
    await setWays(world, { member: author, changes: { paperKey: paperSigner(randomBytes(32)).publicKey } });
    expect((await failure("recovery-missing", seal)).hint).toBe("Set guardians (chartseal guardians set).");
    await failure("recovery-missing", () => world.byOwner(author, { policy }));
    await setWays(world, { member: author, changes: { guardians: [friend.account], threshold: 1 } });
    await seal();
    await world.byOwner(author, { policy });
    expect(world.stores.objects.objects.size).toBeGreaterThan(0);
  });

  test("a refused deposit leaves nothing at the provider", async () => {
    const nobody = await world.member();
    const count = world.stores.objects.objects.size;
    await failure("recovery-missing", () => world.byOwner(nobody, { policy }));
    expect(world.stores.objects.objects.size).toBe(count);
    await checkWays(world.ledger, ana.account);
  });
});
