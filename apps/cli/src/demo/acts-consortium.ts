/**
 * How the demo's story comes to run on four institutions: their homes, a ledger that they make together, hospitals that
 * the others vote for; one institution that is killed halfway, and comes back to the same blocks.
 */
import { fromHex } from "@chartseal/crypto";
import { listNamespaces } from "@chartseal/sharing";
import { addNamespace } from "../operations/members.ts";
import { hospitals } from "./cast.ts";
import { fallenInstitution, institutions } from "./institutions.ts";
import { holds, type Stage } from "./stage.ts";
import type { World } from "./world.ts";

export async function network(stage: Stage, world: World): Promise<void> {
  const own = world.institutions!;
  await stage.step({
    told: "four institutions: each with a home, a validator, a provider, a node of the authority",
    command: "chartseal network init --validators 4 --out network",
    work: () => own.make(),
  });
  await stage.step({
    told: "their nodes find each other and make blocks; the authority's nodes make three keys, three of four issue",
    command: "chartseal network up --dir network",
    work: async () => {
      await Promise.all([own.startOthers(), world.open()]);
      await own.keysMade(world.session);
      await world.knowCommittee();
    },
  });
  const { height } = await world.session.ledger.head();
  stage.details(institutions.map((name) => [name, "10 of 40 stake", `block ${height}`]));
}

/** Each hospital is proposed, voted for by two others, and registered by itself. */
export async function hospitalsByVote(stage: Stage, world: World): Promise<void> {
  const own = world.institutions!;
  const { session } = world;
  await stage.step({
    told: `three hospitals are proposed, each with keys of its own: ${hospitals.join(", ")}`,
    command: "chartseal namespace add cedars",
    work: async () => {
      const proposed: Uint8Array[] = [];
      for (const hospital of hospitals) {
        const { proposalId } = await addNamespace(session, hospital);
        holds(proposalId !== undefined, "no single institution registers a hospital");
        proposed.push(fromHex(proposalId!, 32));
      }
      holds((await listNamespaces(session.ledger)).length === 0, "none is registered before the votes");
      world.proposals = proposed;
    },
  });
  await stage.step({
    told: "two other institutions vote for them; with three of four in favour each is registered",
    command: "chartseal consortium vote PROPOSAL && chartseal namespace add cedars",
    work: async () => {
      await own.vote(world.proposals);
      for (const hospital of hospitals) await addNamespace(session, hospital);
      holds((await listNamespaces(session.ledger)).length === hospitals.length, "all are registered");
    },
  });
}

export async function institutionDies(stage: Stage, { institutions: own }: World): Promise<void> {
  if (own === undefined) return;
  await stage.step({
    told: `${fallenInstitution} loses its power: server, validator and authority node are killed`,
    command: `kill -9 -- -${own.processOf(fallenInstitution)}`,
    work: () => own.kill(fallenInstitution),
  });
}

/** It comes back and holds what the others agreed on while it was away. */
export async function institutionReturns(stage: Stage, world: World): Promise<void> {
  const own = world.institutions;
  if (own === undefined) return;
  const height = await stage.step({
    told: `${fallenInstitution} is started again and catches up: nothing is lost, no block differs`,
    command: `chartseal network up --dir network --only ${fallenInstitution}`,
    work: async () => {
      await own.startOthers([fallenInstitution]);
      return await own.hasCaughtUp(fallenInstitution, world.session);
    },
  });
  stage.details([[fallenInstitution, `has block ${height}, the same as the others`]]);
}
