/**
 * Registrations a second and the time to finality on four real nodes: ours, an application that does nothing, and CometBFT's
 * own example, in turns in the same run, with transactions of the same sizes, the same settings and the same client.
 */
import { randomBytes, toHex } from "@chartseal/crypto";
import { withFolder } from "../file/disk.ts";
import { loadAverage, round } from "../machine.ts";
import { median } from "../measure.ts";
import type { Row } from "../outcome.ts";
import { type Batches, ConsortiumChain } from "./chain.ts";
import { finalityOf, Network, type Outcome } from "./network.ts";
import { CometNodes, newValidators } from "./nodes.ts";
import { type Side, sides } from "./peers.ts";

const nodeCount = 4;

export interface Amounts {
  readonly rounds: number;
  /** Registrations a member, and how many of them are under way at once. */
  readonly backlog: number;
  readonly window: number;
  /** Registrations a member, one after another. */
  readonly alone: number;
  /** Attribute-signed registrations a member, all under way at once; ours alone. */
  readonly byAuthors: number;
  readonly owners: number;
}

const sideNames: Readonly<Record<Side, string>> = {
  ours: "Chartseal",
  noop: "an application that does nothing",
  kvstore: "CometBFT's kvstore",
};

interface Measured {
  readonly backlog: Outcome[];
  readonly alone: Outcome[];
}

export interface Throughput {
  readonly rows: readonly Row[];
  /** Ours as a share of an application that does nothing. */
  readonly ratio: number;
}

export async function measureThroughput(options: {
  readonly program: string;
  readonly amounts: Amounts;
  readonly parent: string;
  readonly note: (text: string) => void;
  /** Where each of our members' processes writes its profile, for whoever looks for where time goes. */
  readonly profiles?: string | undefined;
}): Promise<Throughput> {
  const { amounts, note } = options;
  return await withFolder(options.parent, async (folder) => {
    note("consortium: founding it on four nodes");
    const validatorSeeds = newValidators(nodeCount);
    const start = { ...options, folder: `${folder}/ours`, validatorSeeds };
    const chain = await ConsortiumChain.found({ ...start, owners: amounts.owners });
    const networks = new Map<Side, Network>();
    try {
      for (const side of sides) networks.set(side, await sideUp(side, { ...start, folder, chain }));
      const measured = await rounds(chain, networks, { amounts, note });
      note("consortium: attribute-signed registrations");
      const authors = await byAuthors(chain, networks.get("ours")!, amounts);
      return resultOf(measured, authors);
    } finally {
      for (const network of networks.values()) await network.down();
    }
  });
}

/** Ours on the nodes that it was founded on; another one on nodes of its own, with the same settings and the same genesis. */
async function sideUp(
  side: Side,
  options: {
    readonly program: string;
    readonly folder: string;
    readonly validatorSeeds: readonly Uint8Array[];
    readonly chain: ConsortiumChain;
    readonly profiles?: string | undefined;
  },
): Promise<Network> {
  const { chain, folder } = options;
  if (side === "ours") return await Network.up(chain.nodes, side, chain.start.genesis, options.profiles);
  const nodes = await CometNodes.make({ ...options, folder: `${folder}/${side}`, chain: chain.start });
  return await Network.up(nodes, side, chain.start.genesis);
}

/** The first round does not count; which side begins changes with each. */
async function rounds(
  chain: ConsortiumChain,
  networks: ReadonlyMap<Side, Network>,
  { amounts, note }: { readonly amounts: Amounts; readonly note: (text: string) => void },
): Promise<ReadonlyMap<Side, Measured>> {
  const measured = new Map<Side, Measured>(sides.map((side) => [side, { backlog: [], alone: [] }]));
  for (let at = 0; at <= amounts.rounds; at++) {
    note(`consortium: round ${at} of ${amounts.rounds}`);
    const turn = at % sides.length;
    // The same bytes for all: whoever reads them is the only difference.
    const signed = await chain.byOwners(amounts.backlog);
    const later = await chain.byOwners(amounts.alone);
    for (const side of [...sides.slice(turn), ...sides.slice(0, turn)]) {
      const network = networks.get(side)!;
      const made = (batches: Batches) => (side === "kvstore" ? pairsLike(batches) : batches);
      const backlog = await network.load(made(signed), amounts.window);
      const alone = await network.load(made(later), 1);
      if (at === 0) continue;
      measured.get(side)!.backlog.push(backlog);
      measured.get(side)!.alone.push(alone);
    }
  }
  return measured;
}

async function byAuthors(chain: ConsortiumChain, network: Network, { byAuthors: count, rounds }: Amounts) {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < Math.min(rounds, 3); at++)
    outcomes.push(await network.load(await chain.byAuthors(count), count));
  return outcomes;
}

/** A key and a value as the kvstore wants them, none like another, of the sizes given. */
function pairsLike(batches: Batches): Batches {
  return batches.map((batch) =>
    batch.map(({ length }) => Buffer.from(`${toHex(randomBytes(16))}=`.padEnd(length, "v"))),
  );
}

function resultOf(measured: ReadonlyMap<Side, Measured>, authors: readonly Outcome[]): Throughput {
  const speeds = (side: Side) => measured.get(side)!.backlog.map(({ perSecond }) => perSecond);
  const ratio = (side: Side) => median(speeds("ours").map((own, at) => own / speeds(side)[at]!));
  const row = (side: Side): Row => {
    const { medianMs, p95Ms } = finalityOf(measured.get(side)!.alone);
    const loaded = finalityOf(measured.get(side)!.backlog);
    return {
      application: sideNames[side],
      "registrations a second": round(median(speeds(side)), 0),
      "ours / this": side === "ours" ? null : round(ratio(side), 2),
      "finality, one at a time: median ms": round(medianMs, 0),
      "p95 ms": round(p95Ms, 0),
      "behind a backlog: median ms": round(loaded.medianMs, 0),
      "backlog p95 ms": round(loaded.p95Ms, 0),
      load: loadAverage(),
    };
  };
  const { medianMs, p95Ms } = finalityOf(authors);
  const attributes: Row = {
    application: "Chartseal, signed by attributes",
    "registrations a second": round(median(authors.map(({ perSecond }) => perSecond)), 1),
    "behind a backlog: median ms": round(medianMs, 0),
    "backlog p95 ms": round(p95Ms, 0),
    load: loadAverage(),
  };
  return { rows: [...sides.map(row), attributes], ratio: round(ratio("noop"), 2) };
}
