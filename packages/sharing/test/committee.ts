/**
 * A committee whose nodes run by themselves: drivers over the ledger of world.ts, each with a store of its own that a
 * test can look into, cut off or lose.
 */
import type { Ledger, Submitted } from "@chartseal/ledger";
import {
  AccountWriter,
  type AuthorityNode,
  type Identity,
  identityOf,
  MemoryNodeStore,
  NodeDriver,
  type NodeStore,
  newIdentitySeeds,
  type Surroundings,
} from "../src/index.ts";
import type { World } from "./world.ts";

export const roundMs = 600_000;

/** A store that remembers all that was ever in it. */
export class MemorySpy extends MemoryNodeStore {
  readonly saved: (readonly [name: string, value: Uint8Array])[] = [];
  override async save(name: string, value: Uint8Array): Promise<void> {
    this.saved.push([name, value]);
    await super.save(name, value);
  }
}

/** A node: who it is, what it keeps, and its driver, which a test may throw away. */
export class TestNode {
  readonly identity: Identity;
  readonly store: MemoryNodeStore;
  driver: NodeDriver;
  /** A node that is down does nothing. */
  down = false;

  constructor(surroundings: Surroundings, identity: Identity, store = new MemoryNodeStore()) {
    this.identity = identity;
    this.store = store;
    this.driver = new NodeDriver(surroundings, { identity, store });
  }

  /** The process begins anew: only the store is what it was. */
  restart(surroundings: Surroundings, store: NodeStore = this.store): void {
    const { identity } = this;
    this.driver = new NodeDriver(surroundings, { identity, store });
  }
}

/** Steps of every node that is up until none has anything to do. */
export async function settleAll(nodes: readonly TestNode[]): Promise<void> {
  const up = nodes.filter(({ down }) => !down);
  for (let moved = true; moved; ) {
    moved = (await Promise.all(up.map(({ driver }) => driver.step()))).includes(true);
  }
}

/** Settles, and lets the time of a round pass as often as that makes a difference. */
export async function settleLate(world: World, nodes: readonly TestNode[], rounds = 12): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await settleAll(nodes);
    world.advance(roundMs);
  }
  await settleAll(nodes);
}

/** The nodes as those who ask see them. */
export function asAuthority(nodes: readonly TestNode[]): AuthorityNode[] {
  return nodes.map(({ driver }, at) => ({
    index: at + 1,
    answer: (requestId) => driver.answer(requestId),
    basePartial: (account) => driver.basePartial(account),
  }));
}

/** An institution that the validator admits as a node. */
export async function newNode(world: World): Promise<TestNode> {
  const identity = await identityOf(newIdentitySeeds());
  const node = new TestNode(world.surroundings, identity);
  const { publicKey, hpkePublic: hpkeKey } = identity;
  const register = { kind: "register-node", publicKey, hpkeKey } as const;
  await new AccountWriter(world, identity).submit(register, { admittedBy: [world.validatorSeed] });
  return node;
}

/** A change that the validator admits, opened by the provider. */
export async function openChange(
  world: World,
  change: {
    readonly change: "refresh" | "reshare";
    readonly nodes: readonly TestNode[];
    readonly threshold: number;
    readonly dealers: readonly number[];
  },
): Promise<void> {
  const nodes = change.nodes.map(({ identity }) => identity.account);
  const action = { ...change, kind: "open-committee-change", nodes } as const;
  await new AccountWriter(world, world.providerIdentity).submit(action, {
    admittedBy: [world.validatorSeed],
  });
}

/** Every byte that the chain shows to all. */
export async function publicBytes(ledger: Ledger): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const { transactions } of ledger.blocks(1)) found.push(...transactions);
  return found;
}

/** A ledger whose submissions pass through a test's hands. */
export function intercepted(
  ledger: Ledger,
  pass: (transaction: Uint8Array, submit: (bytes: Uint8Array) => Promise<Submitted>) => Promise<Submitted>,
): Ledger {
  return new Proxy(ledger, {
    get: (target, name) => {
      if (name === "submit") {
        return (bytes: Uint8Array) => pass(bytes, (own) => target.submit(own));
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
