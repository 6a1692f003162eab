/** Committee nodes by themselves: key generation, refresh, resharing, and nodes that are away or lose what they keep. */
import { invert, mod, type NodeShare, toHex } from "@chartseal/crypto";
import type { Session } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CommitteeNode,
  keySpaces,
  type NodeShares,
  readCommittee,
  requestKey,
  retrieve,
} from "../src/index.ts";
import { asAuthority, newNode, openChange, settleAll, settleLate, TestNode } from "./committee.ts";
import { failure, type Member, World } from "./world.ts";

let world: World;
let nodes: TestNode[];

/** A consortium whose committee has no keys yet. */
async function begin(n: number, t: number): Promise<void> {
  world = await World.create({ n, t, driven: true });
  nodes = world.nodeParts.map(({ identity }) => new TestNode(world.surroundings, identity));
}

const publicKeys = async (): Promise<string[]> => {
  const { reading, signing, audit } = await readCommittee(world.ledger, world.pairing);
  const { gt, g2, g1 } = world.pairing;
  return [gt.encode(reading.publicKey), g2.encode(signing.publicKey), g1.encode(audit.publicKey)].map(toHex);
};
const sessions: readonly Session[] = ["audit", "reading", "signing"];
const keptIn = (epoch: number): string[] => [
  "receiving-keys",
  ...sessions.map((session) => `share-${session}-${epoch}`),
];
const kept = ({ store }: TestNode): string[] => [...store.values.keys()].sort();
const faults = async (among: readonly TestNode[] = nodes): Promise<string[]> =>
  (await among[0]!.driver.status()).faults.map(({ account, fault }) => {
    const at = among.findIndex(({ identity }) => toHex(identity.account) === toHex(account));
    return `${at + 1} ${fault}`;
  });
/** A node as it was: the same identity with these shares. */
const withShares = ({ identity }: TestNode, index: number, shares: NodeShares): CommitteeNode =>
  new CommitteeNode(world.surroundings, { identity: { ...identity, index }, shares });

describe("three nodes", () => {
  let ben: Member;
  let recordId: Uint8Array;
  let copied: Map<string, Uint8Array>;
  let old: { index: number; shares: NodeShares }[];

  beforeAll(async () => {
    await begin(3, 2);
    await settleAll(nodes);
    await world.provider.follow();
    world.nodes = asAuthority(nodes);
    await world.hospital("cedars");
    ben = await world.member("physician@cedars");
    ({ recordId } = await world.byOwner(ben, { policy: "physician@cedars" }));
    old = await Promise.all(nodes.map(({ driver }) => driver.shares()));
    copied = new Map(nodes[0]!.store.values);
  });
  afterAll(() => world.close());

  test("make the keys each by its own steps; each has its shares and has erased its dealings", async () => {
    for (const [at, node] of nodes.entries()) {
      const status = await node.driver.status();
      expect(status).toMatchObject({ index: at + 1, epoch: 1, hasShares: true, run: null, faults: [] });
      expect(kept(node)).toEqual(keptIn(1));
    }
  });

  test("refresh under the same public keys; old shares and the keys that they came under are erased", async () => {
    const before = await publicKeys();
    const receiving = nodes.map(({ store }) => toHex(store.values.get("receiving-keys")!));
    await openChange(world, { change: "refresh", nodes, threshold: 2, dealers: [1, 2, 3] });
    await settleAll(nodes);
    expect(await publicKeys()).toEqual(before);
    for (const [at, node] of nodes.entries()) {
      expect(kept(node)).toEqual(keptIn(2));
      expect(toHex(node.store.values.get("receiving-keys")!)).not.toBe(receiving[at]);
    }
  });

  test("transform keys outlive the refresh, and new ones come of the new shares", async () => {
    await retrieve(world, { member: ben, recordId });
    await world.renew(ben);
    await retrieve(world, { member: ben, recordId });
  });

  test("a node with its old shares, of a backup perhaps, answers nothing", async () => {
    const self = [`${toHex(ben.account)}@self`];
    const { requestId } = await requestKey(world, {
      member: ben,
      attributes: self,
      provider: world.provider.account,
    });
    const stale = withShares(nodes[0]!, 1, old[0]!.shares);
    expect((await failure("issue-refused", () => stale.answer(requestId))).data).toEqual({
      share: 1,
      present: 2,
    });
    await failure("issue-refused", () => stale.basePartial(ben.account));
    await nodes[0]!.driver.answer(requestId);
  });

  /** A copy of node 1's store of the first epoch was taken, keys and all, and runs as node 1 while that is down. */
  test("a node begun from a copy of its store from before finds no way to a share of now", async () => {
    const copy = new TestNode(world.surroundings, nodes[0]!.identity);
    for (const [name, value] of copied) copy.store.values.set(name, value);
    await settleAll([copy]);
    expect(await copy.driver.status()).toMatchObject({ index: 1, epoch: 2, hasShares: false });
    await failure("issue-refused", () => copy.driver.basePartial(ben.account));
    // The rightful node finds a key on the ledger that is not its own, and registers a new one.
    await settleAll([nodes[0]!]);
    await nodes[0]!.driver.basePartial(ben.account);
  });

  test("a request from before the refresh is answered by nobody", async () => {
    const self = [`${toHex(ben.account)}@self`];
    const { provider } = world;
    const asked = await requestKey(world, { member: ben, attributes: self, provider: provider.account });
    await openChange(world, { change: "refresh", nodes, threshold: 2, dealers: [1, 2, 3] });
    await settleAll(nodes);
    await failure("issue-refused", () => nodes[1]!.driver.answer(asked.requestId));
    await retrieve(world, { member: ben, recordId });
  });

  /** An intruder had one node's share in the first epoch and has another's in the third: t shares, of two polynomials. */
  test("t shares of which some are old give nothing, and t of one epoch would", async () => {
    const now = await Promise.all(nodes.map(({ driver }) => driver.shares()));
    const committee = await readCommittee(world.ledger, world.pairing);
    const spaces = keySpaces(world.pairing);
    const gives = (session: Session, parts: readonly NodeShare[]): boolean => {
      const { group, base } = spaces[session] as (typeof spaces)["reading"];
      const secret = parts.reduce((sum, { secret: share, index }, at) => {
        const other = BigInt(parts[1 - at]!.index);
        return mod(sum + share * other * invert(mod(other - BigInt(index))));
      }, 0n);
      const key = committee[session] as (typeof committee)["reading"];
      return group.equal(group.multiplySplit(base, secret), key.publicKey);
    };
    for (const session of sessions) {
      for (const [a, b] of [
        [0, 1],
        [1, 0],
        [0, 2],
        [2, 1],
      ] as const) {
        expect(gives(session, [old[a]!.shares[session], now[b]!.shares[session]])).toBe(false);
        expect(gives(session, [now[a]!.shares[session], now[b]!.shares[session]])).toBe(true);
        // The weakened copy: shares that were never erased.
        expect(gives(session, [old[a]!.shares[session], old[b]!.shares[session]])).toBe(true);
      }
    }
  });

  test("reshare to five of which three suffice; who left has erased its shares, and the keys are the same", async () => {
    const before = await publicKeys();
    const gone = await nodes[0]!.driver.shares();
    const five = [nodes[1]!, nodes[2]!, await newNode(world), await newNode(world), await newNode(world)];
    await settleAll(five);
    const change = { change: "reshare", nodes: five, threshold: 3, dealers: [1, 2] } as const;
    await openChange(world, change);
    await settleAll([...nodes, ...five.slice(2)]);
    expect(await publicKeys()).toEqual(before);
    expect(kept(nodes[0]!)).toEqual(["receiving-keys"]);
    await failure("issue-refused", () => nodes[0]!.driver.basePartial(ben.account));
    await failure("issue-refused", () => withShares(nodes[0]!, 1, gone.shares).basePartial(ben.account));
    for (const [at, node] of five.entries()) {
      expect(await node.driver.status()).toMatchObject({ index: at + 1, epoch: 4, threshold: 3, nodes: 5 });
      expect(kept(node)).toEqual(keptIn(4));
    }
    // Two of the five are down.
    world.nodes = asAuthority(five).filter((_, at) => at !== 0 && at !== 3);
    await world.renew(ben);
    await retrieve(world, { member: ben, recordId });
    const two = world.nodes.slice(0, 2);
    world.nodes = two;
    await failure("ledger-unreachable", () => world.renew(ben));
  });
});

describe("a node", () => {
  test("that is away for the end of one epoch and all of the next has its share when it is back", async () => {
    await begin(3, 2);
    await settleAll(nodes);
    const refresh = { change: "refresh", nodes, threshold: 2, dealers: [1, 2, 3] } as const;
    await openChange(world, refresh);
    // It deals, and is gone before it has seen the others' shares.
    for (let step = 0; step < 9; step++) await Promise.all(nodes.map(({ driver }) => driver.step()));
    nodes[2]!.down = true;
    await settleLate(world, nodes);
    await openChange(world, refresh);
    await settleLate(world, nodes);
    expect(await nodes[0]!.driver.status()).toMatchObject({ epoch: 3, run: null });
    expect(kept(nodes[2]!)).toContain("share-reading-1");
    nodes[2]!.restart(world.surroundings);
    nodes[2]!.down = false;
    await settleAll(nodes);
    expect(kept(nodes[2]!)).toEqual(keptIn(3));
    expect(await nodes[2]!.driver.status()).toMatchObject({ hasShares: true });
    for (const fault of await faults()) expect(fault).toMatch(/^3 no-(commit|reveal|deal)$/);
    await world.close();
  });

  test("that loses its dealing after its commit is left out and named, and still receives", async () => {
    await begin(3, 2);
    for (let step = 0; step < 2; step++) await Promise.all(nodes.map(({ driver }) => driver.step()));
    for (const name of kept(nodes[1]!)) if (name.startsWith("dealing")) nodes[1]!.store.values.delete(name);
    await settleLate(world, nodes);
    expect((await faults()).length).toBeGreaterThan(0);
    expect(new Set(await faults())).toEqual(new Set(["2 no-reveal"]));
    for (const node of nodes) expect(kept(node)).toEqual(keptIn(1));
    await world.close();
  });

  test("that was never there keeps nobody from making the keys, and has none itself", async () => {
    await begin(3, 2);
    nodes[0]!.down = true;
    await settleLate(world, nodes);
    expect(await nodes[1]!.driver.status()).toMatchObject({ hasShares: true, run: null });
    nodes[0]!.down = false;
    await settleAll(nodes);
    expect(await nodes[0]!.driver.status()).toMatchObject({ hasKeys: true, hasShares: false });
    await failure("issue-refused", () => nodes[0]!.driver.shares());
    // A resharing gives it one.
    await openChange(world, { change: "reshare", nodes, threshold: 2, dealers: [2, 3] });
    await settleAll(nodes);
    expect(kept(nodes[0]!)).toEqual(keptIn(2));
    await world.close();
  });
});
