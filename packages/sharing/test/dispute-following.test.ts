/** Who follows the chain reads the disputes that are open, and those that are new; never again what was settled. */
import { type Entry, entries, type Ledger } from "@chartseal/ledger";
import { afterEach, expect, test } from "vitest";
import {
  AccountWriter,
  type Dispute,
  disputeTransform,
  judgeNext,
  MemoryNodeStore,
  NodeDriver,
  NodeSecrets,
  OpenDisputes,
  readDispute,
  readDisputes,
  type Surroundings,
} from "../src/index.ts";
import { answeredTo, settledIn } from "./disputing.ts";
import { type Member, World } from "./world.ts";

const policy = "doctor@cedars";
let world: World;
afterEach(() => world.close());

/** A ledger that counts what is read of it, by kind of the state. */
class Counted {
  readonly ledger: Ledger;
  readonly #counts = new Map<number, number>();
  /** Stands in the place of the ledger, as one whose state was taken away. */
  isEmpty = false;

  constructor(ledger: Ledger) {
    this.ledger = new Proxy(ledger, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target);
        if (name !== "read") return typeof value === "function" ? value.bind(target) : value;
        return async (kind: number, key: Uint8Array) => {
          this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
          return this.isEmpty ? undefined : await target.read(kind as 1, key);
        };
      },
    });
  }

  /** Values of disputes, and items of the lists of disputes, since the last time. */
  taken(): readonly [disputes: number, items: number] {
    const of = ({ kind }: Pick<Entry<unknown>, "kind">): number => this.#counts.get(kind) ?? 0;
    const counts = [of(entries.dispute), of(entries.listItem)] as const;
    this.#counts.clear();
    return counts;
  }
}

let reader: Member;
let recordId: Uint8Array;

async function opened(): Promise<Dispute> {
  const failed = await answeredTo(world, reader, recordId);
  return await disputeTransform(world, { member: reader, failed });
}

/** A chain of that many disputes, all settled; the reader has a new key after each. */
async function settledBefore(count: number): Promise<void> {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  reader = await world.member(policy);
  ({ recordId } = await world.byOwner(reader, { policy, text: "disputed" }));
  for (let at = 0; at < count; at++) {
    expect(await settledIn(world, await opened())).toBe("reader");
    await world.renew(reader);
  }
}

/** Blocks in which nothing happens to disputes. */
async function passBlocks(count: number, each: () => Promise<unknown>): Promise<void> {
  for (let at = 0; at < count; at++) {
    await world.hospital(`town-${world.hospitals.size}`);
    await each();
  }
}

/** The first node, with what it was given at the beginning, as its process begins. */
async function nodeOver(surroundings: Surroundings): Promise<NodeDriver> {
  const { identity, shares } = world.nodeParts[0]!;
  const store = new MemoryNodeStore();
  const secrets = new NodeSecrets(store);
  const { hpkeSecret: secret, hpkePublic: publicKey } = identity;
  await secrets.saveReceivingKeys([{ epoch: 1, secret, publicKey }]);
  for (const session of ["reading", "signing", "audit"] as const) {
    await secrets.saveShare(session, shares[session]);
  }
  return new NodeDriver(surroundings, { identity, store });
}

test("a provider and a node that follow read what is settled once, when they begin", {
  timeout: 600_000,
}, async () => {
  await settledBefore(3);
  const counted = new Counted(world.ledger);
  const surroundings = { ...world.surroundings, ledger: counted.ledger };
  const provider = world.newProvider(world.stores, counted.ledger);
  const node = await nodeOver(surroundings);
  await provider.openDisputed();
  expect(counted.taken()).toEqual([3, 3]);
  expect(await node.judge()).toBe(false);
  expect(counted.taken()).toEqual([3, 3]);
  await passBlocks(5, () => provider.openDisputed());
  await passBlocks(5, () => node.judge());
  expect(counted.taken()).toEqual([0, 0]);
  // The provider's whole duty, and the node's.
  await provider.follow();
  while (await node.step());
  const [disputes] = counted.taken();
  expect(disputes).toBe(0);

  // One that is open is read until it is settled; blocks in between which nobody looked at are no matter.
  const { disputeId } = await opened();
  await passBlocks(2, async () => {});
  expect(await node.judge()).toBe(false);
  expect(counted.taken()).toEqual([1, 1]);
  await provider.openDisputed();
  expect(await node.judge()).toBe(true);
  expect((await readDispute(world, disputeId)).verdicts).toHaveLength(1);
  expect(await settledIn(world, await readDispute(world, disputeId))).toBe("reader");
  await world.renew(reader);
  await provider.openDisputed();
  await node.judge();
  counted.taken();
  await provider.openDisputed();
  await node.judge();
  expect(counted.taken()).toEqual([0, 0]);
});

test("who begins anew finds what is open among what is settled, in the order of the chain", {
  timeout: 600_000,
}, async () => {
  await settledBefore(1);
  const first = await opened();
  const restarted = new OpenDisputes(world);
  expect((await restarted.read()).map(({ disputeId }) => disputeId)).toEqual([first.disputeId]);
  expect(await readDisputes(world)).toHaveLength(2);
  // Looks that overlap lose nothing.
  const looks = await Promise.all([restarted.read(), restarted.read(), new OpenDisputes(world).read()]);
  for (const look of looks) expect(look).toEqual([first]);
  expect(await settledIn(world, first)).toBe("reader");
  expect(await restarted.read()).toEqual([]);
});

test("a ledger whose state goes and comes again, as a node's that is filled anew, is read from the beginning", {
  timeout: 600_000,
}, async () => {
  await settledBefore(1);
  const { disputeId } = await opened();
  const counted = new Counted(world.ledger);
  const { identity } = world.nodeParts[0]!;
  const surroundings = { ...world.surroundings, ledger: counted.ledger };
  const disputes = new OpenDisputes(surroundings);
  expect(await disputes.read()).toHaveLength(1);
  counted.isEmpty = true;
  expect(await disputes.read()).toEqual([]);
  counted.isEmpty = false;
  counted.taken();
  expect((await disputes.read()).map((one) => one.disputeId)).toEqual([disputeId]);
  expect(counted.taken()).toEqual([2, 2]);
  await world.provider.follow();
  const writer = new AccountWriter(surroundings, identity);
  const node = { surroundings, account: identity.account, writer, secrets: [identity.hpkeSecret], disputes };
  expect(await judgeNext(node)).toBe(true);
  expect(await judgeNext(node)).toBe(false);
});
