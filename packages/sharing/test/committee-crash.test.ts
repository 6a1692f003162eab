/**
 * A node's process is killed at every instant that matters: before and after each message to the ledger and each write to
 * its store. What is left is the ledger and the store; a new process goes on, and the run comes to its end with nobody
 * left out. Each attempt at a message or a write dies twice, once before it and once after it, and then succeeds.
 */
import { toHex } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import { expect, test } from "vitest";
import type { NodeStore, Surroundings } from "../src/index.ts";
import { asAuthority, intercepted, newNode, openChange, settleAll, TestNode } from "./committee.ts";
import { World } from "./world.ts";

class Killed extends Error {}

/** Kills the process before and after each thing that it does, once each. */
class Killer {
  readonly #done = new Set<string>();
  kills = 0;
  #dead = false;

  /** A new process. */
  revive(): void {
    this.#dead = false;
  }

  /** `what` names the message or the write, whatever its fresh randomness. */
  async pass<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (this.#dead) throw new Killed("the dead do nothing");
    this.#die(`before ${what}`);
    const result = await act();
    this.#die(`after ${what}`);
    return result;
  }

  #die(when: string): void {
    if (this.#done.has(when)) return;
    this.#done.add(when);
    this.kills++;
    this.#dead = true;
    throw new Killed(when);
  }
}

/** A store and a ledger that a killer stands at. */
function deadly(
  world: World,
  node: TestNode,
  killer: Killer,
): { surroundings: Surroundings; store: NodeStore } {
  let sent = 0;
  const { store } = node;
  const ledger: Ledger = intercepted(world.ledger, (bytes, submit) => {
    // One message more is sent only after the one before was taken.
    const number = sent;
    return killer.pass(`message ${number}`, async () => {
      const submitted = await submit(bytes);
      sent = number + 1;
      return submitted;
    });
  });
  return {
    surroundings: { ...world.surroundings, ledger },
    store: {
      load: (name) => store.load(name),
      names: () => store.names(),
      save: (name, value) => killer.pass(`save ${name} ${sent}`, () => store.save(name, value)),
      remove: (name) => killer.pass(`remove ${name} ${sent}`, () => store.remove(name)),
    },
  };
}

/** All nodes go on, and the one that is killed is begun anew each time. */
async function settleOverKills(
  nodes: readonly TestNode[],
  victim: TestNode,
  again: () => void,
): Promise<void> {
  for (;;) {
    try {
      await victim.driver.settle();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      again();
      continue;
    }
    const others = nodes.filter((node) => node !== victim);
    const moved = await Promise.all(others.map(({ driver }) => driver.step()));
    if (!moved.includes(true)) return;
  }
}

test("a node that dies before and after every message and every write of all its runs completes them", async () => {
  const world = await World.create({ n: 3, t: 2, driven: true });
  const nodes = world.nodeParts.map(({ identity }) => new TestNode(world.surroundings, identity));
  const victim = nodes[1]!;
  const killer = new Killer();
  const { surroundings, store } = deadly(world, victim, killer);
  const again = (): void => {
    killer.revive();
    victim.restart(surroundings, store);
  };
  again();
  const finished = async (epoch: number, kills: number): Promise<void> => {
    await settleOverKills(nodes, victim, again);
    await settleAll(nodes.filter((node) => node !== victim));
    for (const { driver } of nodes) {
      expect(await driver.status()).toMatchObject({ epoch, hasShares: true, run: null, faults: [] });
    }
    // Commit, reveal, deal, conclude and a dealing, a share and an erasure a session, at least, each twice.
    expect(killer.kills).toBeGreaterThan(kills);
  };
  await finished(1, 3 * 7 * 2);
  const first = killer.kills;
  await openChange(world, { change: "refresh", nodes, threshold: 2, dealers: [1, 2, 3] });
  await finished(2, first + 3 * 7 * 2);
  const second = killer.kills;
  nodes.push(await newNode(world));
  await settleAll(nodes.slice(3));
  await openChange(world, { change: "reshare", nodes, threshold: 3, dealers: [2, 3] });
  await finished(3, second + 3 * 7 * 2);
  const names = [...victim.store.values.keys()].sort();
  expect(names).toEqual(["receiving-keys", "share-audit-3", "share-reading-3", "share-signing-3"]);
  // The shares are good: three of them issue.
  world.nodes = asAuthority(nodes).slice(0, 3);
  await world.provider.follow();
  await world.hospital("cedars");
  const ben = await world.member("physician@cedars");
  expect(toHex(ben.transformKeyId!)).toHaveLength(64);
  await world.close();
});
