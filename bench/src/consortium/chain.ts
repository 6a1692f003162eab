/**
 * The consortium whose registrations are measured: founded over the engine itself, with owners at each of its members, and
 * the transactions of a round, made and signed before the clock starts.
 */
import { loadPairing } from "@chartseal/crypto";
import { entries, ledgerRules, type Rules } from "@chartseal/ledger";
import { type OpenedComet, openComet } from "@chartseal/ledger/comet";
import { AccountWriter, type Identity, identityOf, newIdentitySeeds } from "@chartseal/sharing";
import { Consortium } from "../ledger/consortium.ts";
import { DepositMaker } from "../ledger/deposits.ts";
import { type ChainStart, CometNodes } from "./nodes.ts";

/** A relay's quota must not be what is measured. */
const relayPerMinute = 1_000_000;

/** The transactions of a round, by member. */
export type Batches = readonly (readonly Uint8Array[])[];

interface Makers {
  /** By member. */
  readonly owners: readonly (readonly DepositMaker[])[];
  readonly author: DepositMaker;
}

export class ConsortiumChain {
  /** What its nodes began with. */
  readonly start: ChainStart;
  readonly nodes: CometNodes;
  readonly #makers: Makers;

  private constructor(start: ChainStart, nodes: CometNodes, makers: Makers) {
    this.start = start;
    this.nodes = nodes;
    this.#makers = makers;
  }

  /** Founds it on nodes that run for this alone and are down again afterwards, everything on their disks. */
  static async found(options: {
    readonly program: string;
    readonly folder: string;
    readonly validatorSeeds: readonly Uint8Array[];
    /** Enrolled for each member, so that registrations of one do not wait for each other. */
    readonly owners: number;
  }): Promise<ConsortiumChain> {
    const pairing = await loadPairing();
    let start: ChainStart | undefined;
    let nodes: CometNodes | undefined;
    let opened: readonly OpenedComet[] = [];
    const clock = {
      get ms() {
        return Date.now();
      },
    };
    try {
      const consortium = await Consortium.found({
        pairing,
        clock,
        validatorSeeds: options.validatorSeeds,
        parameters: { relayPerMinute },
        async open(genesis) {
          const rules = ledgerRules(pairing, genesis);
          start = rules;
          nodes = await CometNodes.make({ ...options, chain: rules });
          opened = await openAll(nodes, rules);
          await nodes.start(opened.map(({ abciPort }) => abciPort));
          return opened[0]!.ledger;
        },
      });
      const makers = await makersOf(consortium, {
        members: options.validatorSeeds.length,
        owners: options.owners,
      });
      return new ConsortiumChain(start!, nodes!, makers);
    } finally {
      await nodes?.stop();
      for (const { ledger } of opened) await ledger.close();
    }
  }

  /** So many registrations for each member, signed by its owners in turn. */
  async byOwners(count: number): Promise<Batches> {
    const batches: Uint8Array[][] = [];
    for (const makers of this.#makers.owners) {
      const batch: Uint8Array[] = [];
      for (let at = 0; at < count; at++) {
        batch.push((await makers[at % makers.length]!.byOwner()).transaction);
      }
      batches.push(batch);
    }
    return batches;
  }

  /** So many for each member, signed by the attributes of a doctor whom nobody can tell. */
  async byAuthors(count: number): Promise<Batches> {
    const batches: Uint8Array[][] = this.#makers.owners.map(() => []);
    for (const batch of batches) {
      while (batch.length < count) batch.push((await this.#makers.author.byAuthor()).transaction);
    }
    return batches;
  }
}

async function openAll(nodes: CometNodes, rules: Rules): Promise<OpenedComet[]> {
  const opened: OpenedComet[] = [];
  for (const [at, directory] of nodes.directories.entries()) {
    const failed = (error: unknown): never => {
      throw error;
    };
    const rpcUrl = nodes.rpcUrls[at]!;
    opened.push(await openComet({ directory, rules, rpcUrl, abciPort: 0, now: Date.now, failed }));
  }
  return opened;
}

/** New owners for each member, and what makes registrations once the ledger is closed here. */
async function makersOf(
  consortium: Consortium,
  { members, owners }: { readonly members: number; readonly owners: number },
): Promise<Makers> {
  const { ledger, clock, provider } = consortium;
  const identities: Identity[] = [];
  for (let made = 0; made < members * owners; made++) identities.push(await identityOf(newIdentitySeeds()));
  const surroundings = { ledger, now: Date.now };
  await Promise.all(
    identities.map(({ account, seed, publicKey, hpkePublic: hpkeKey }) =>
      new AccountWriter(surroundings, { account, seed }).submit({ kind: "enrol", publicKey, hpkeKey }),
    ),
  );
  const head = await ledger.head();
  const makerOf = async (owner: Identity): Promise<DepositMaker> => {
    const account = await ledger.read(entries.account.kind, owner.account);
    const frozen = { chainId: ledger.chainId, head: async () => head, read: async () => account };
    const signByAttributes = (identifier: Uint8Array) => consortium.signByAttributes(identifier);
    return new DepositMaker({ ledger: frozen, clock, owner, provider, signByAttributes });
  };
  const all = await Promise.all(identities.map(makerOf));
  return {
    owners: Array.from({ length: members }, (_, at) => all.slice(at * owners, (at + 1) * owners)),
    // The owner whose rule lets a hospital's doctors register for him.
    author: await makerOf(consortium.owner),
  };
}
