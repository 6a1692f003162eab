/**
 * The committee's first key generation where all its nodes are of one home: each node's driver takes its steps, all in
 * turn, until every node has its shares (CRYPTO §2.3). A node alone does the same steps (authority/driver.ts).
 */
import { ChartsealError, type NodeShare } from "@chartseal/crypto";
import { NodeDriver } from "./authority/driver.ts";
import { MemoryNodeStore, NodeSecrets } from "./authority/node-store.ts";
import type { Identity, Surroundings } from "./parties.ts";

/** A node of the committee with its keys; `index` counts from 1. */
export interface NodeIdentity extends Identity {
  readonly index: number;
}

/** A node's three shares. Secret. */
export interface NodeShares {
  readonly reading: NodeShare;
  readonly signing: NodeShare;
  readonly audit: NodeShare;
}

/** Runs the three generations and returns every node's shares, in the order of the nodes. */
export async function generateCommitteeKeys(
  surroundings: Surroundings,
  { identities }: { readonly identities: readonly NodeIdentity[] },
): Promise<NodeShares[]> {
  const drivers = await Promise.all(
    identities.map(async (identity) => {
      const store = new MemoryNodeStore();
      const { hpkeSecret: secret, hpkePublic: publicKey } = identity;
      await new NodeSecrets(store).saveReceivingKeys([{ epoch: 1, secret, publicKey }]);
      return new NodeDriver(surroundings, { identity, store });
    }),
  );
  for (let moved = true; moved; ) {
    moved = (await Promise.all(drivers.map((driver) => driver.step()))).includes(true);
  }
  const made = await Promise.all(drivers.map((driver) => driver.shares()));
  const whole = made.every(({ index }, at) => index === identities[at]!.index);
  if (!whole) throw new ChartsealError("issue-invalid", "the key generation gave no key");
  return made.map(({ shares }) => shares);
}
