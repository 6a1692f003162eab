/**
 * How the demo's authority comes to its keys: its three nodes in the demo's own process, or in a process at each hospital,
 * one of which is killed halfway while issuing goes on.
 */
import { init } from "../operations/init.ts";
import { nodeFolder } from "./authorities.ts";
import { hospitals } from "./cast.ts";
import type { Stage } from "./stage.ts";
import { demoPassphrase, type World } from "./world.ts";

/** Whose process is killed. */
export const fallen = "mercy";

export async function consortium(stage: Stage, world: World): Promise<void> {
  const { authorities } = world;
  const wanted = { name: "metro", nodes: 3, threshold: 2, passphrase: demoPassphrase, now: Date.now };
  if (authorities === undefined) {
    await stage.step({
      told: "a ledger, a storage provider, an authority of three nodes of which two issue together",
      command: "chartseal init --name metro --authority-nodes 3 --threshold 2",
      work: async () => {
        await init(world.homeFolder, wanted);
        await world.open();
        await world.knowCommittee();
      },
    });
    return;
  }
  const { addresses } = authorities;
  await stage.step({
    told: "a ledger and a storage provider; the authority's three nodes are the hospitals' own",
    command: `chartseal init --name metro --threshold 2 ${addresses.map(addressOption).join(" ")}`,
    work: async () => {
      await init(world.homeFolder, { ...wanted, authority: addresses });
      await world.open();
    },
  });
  await stage.step({
    told: "each hospital starts its node; over the ledger they make three keys that no one of them has",
    command: `chartseal --home ${nodeFolder("cedars")} authority serve --ledger URL --genesis home/genesis.cbor`,
    work: async () => {
      for (const hospital of hospitals) authorities.start(hospital, world.home.paths.genesis);
      await authorities.keysMade(world.session);
      await world.knowCommittee();
    },
  });
}

function addressOption({ publicKey, url }: { readonly publicKey: Uint8Array; readonly url: string }): string {
  return `--authority ${Buffer.from(publicKey).toString("hex")}=${url}`;
}

/** One hospital's node dies before the next key is issued. */
export async function nodeDies(stage: Stage, { authorities }: World): Promise<void> {
  if (authorities === undefined) return;
  await stage.step({
    told: `${fallen}'s authority node dies: its process is killed, and nobody is told`,
    command: `kill -9 ${authorities.processOf(fallen)}`,
    work: () => authorities.kill(fallen),
  });
}

/** It goes on where it was, with its shares out of its own folder. */
export async function nodeReturns(stage: Stage, world: World): Promise<void> {
  const { authorities } = world;
  if (authorities === undefined) return;
  await stage.step({
    told: `${fallen}'s node is started again and has its shares, from its own folder and the ledger alone`,
    command: `chartseal --home ${nodeFolder(fallen)} authority serve`,
    work: async () => {
      authorities.start(fallen, world.home.paths.genesis);
      await authorities.answers(fallen);
    },
  });
}
