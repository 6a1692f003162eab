/**
 * The committee's nodes as a home reaches them: its own, whose shares lie in its vault, and those of other institutions,
 * by HTTP at the addresses that the home's operator was given. Which node has which index says the ledger.
 */
import { ChartsealError, equalBytes, fromHex, hpkeKeyPairFromSeed, toHex } from "@chartseal/crypto";
import { accountOf, decodeGenesis, emptyKey, entries, type Ledger } from "@chartseal/ledger";
import type { Transport } from "@chartseal/server/client";
import {
  AccountWriter,
  type AuthorityNode,
  CommitteeNode,
  type Identity,
  judgeNext,
  NodeDriver,
  NodeSecrets,
  type OpenDisputes,
  readEntry,
  readNodes,
  type SealedAnswer,
  type Surroundings,
  toJudge,
} from "@chartseal/sharing";
import { readJson, writeJson } from "../home/files.ts";
import { type Home, isOfConsortium } from "../home/home.ts";
import type { KeyVault } from "../home/key-vault.ts";
import { VaultNodeStore } from "./node-store.ts";
import { dropFirstShares, loadNode } from "./service-keys.ts";

/** A node of another institution. */
export interface AuthorityAddress {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly url: string;
}

interface AddressFile {
  readonly version: 1;
  readonly nodes: readonly { readonly publicKey: string; readonly url: string }[];
}

/** The addresses that this home knows; none where all nodes are its own. */
export function readAddresses({ paths }: Pick<Home, "paths">): AuthorityAddress[] {
  const file = readJson(paths.authority) as AddressFile | undefined;
  return (file?.nodes ?? []).map(({ publicKey, url }) => ({ publicKey: fromHex(publicKey, 32), url }));
}

/** Adds to them; a node that has moved has its last address. */
export function saveAddresses({ paths }: Pick<Home, "paths">, added: readonly AuthorityAddress[]): void {
  const kept = readAddresses({ paths }).filter(
    ({ publicKey }) => !added.some((one) => equalBytes(one.publicKey, publicKey)),
  );
  const nodes = [...kept, ...added].map(({ publicKey, url }) => ({ publicKey: toHex(publicKey), url }));
  writeJson(paths.authority, { version: 1, nodes } satisfies AddressFile);
}

export function addressOf(home: Pick<Home, "paths">, account: Uint8Array): AuthorityAddress | undefined {
  return readAddresses(home).find(({ publicKey }) => equalBytes(accountOf(publicKey), account));
}

/** Number of a node among those that `init` made here, from 1; 0 for another institution's. */
function ownNumber(home: Home, account: Uint8Array): number {
  if (readAddresses(home).length > 0 && addressOf(home, account) !== undefined) return 0;
  return decodeGenesis(home.genesis).nodes.findIndex((key) => equalBytes(accountOf(key), account)) + 1;
}

interface Place {
  readonly surroundings: Surroundings;
  readonly home: Home;
  readonly vault: KeyVault;
  /** In whose name other institutions' nodes are asked. */
  readonly asker: Identity;
}

/** The present committee, in the order of its indices. Nothing is opened or asked before a node is. */
export async function committeeNodes(place: Place): Promise<AuthorityNode[]> {
  const { nodes } = await readNodes(place.surroundings.ledger);
  return nodes.map((_, at) => new PresentNode(place, at + 1));
}

export function presentNode(place: Place, index: number): AuthorityNode {
  return new PresentNode(place, index);
}

/** The node that has an index when it is asked: the committee may change while a process runs. */
class PresentNode implements AuthorityNode {
  readonly index: number;
  readonly #place: Place;

  constructor(place: Place, index: number) {
    this.index = index;
    this.#place = place;
  }

  async answer(requestId: Uint8Array): Promise<SealedAnswer> {
    return await (await this.#node()).answer(requestId);
  }

  async basePartial(account: Uint8Array): Promise<SealedAnswer> {
    return await (await this.#node()).basePartial(account);
  }

  async #node(): Promise<Pick<AuthorityNode, "answer" | "basePartial">> {
    const { surroundings, home, vault, asker } = this.#place;
    const account = (await readNodes(surroundings.ledger)).nodes[this.index - 1];
    const address = account === undefined ? undefined : addressOf(home, account);
    if (account !== undefined && address !== undefined) {
      const { ledger, now } = surroundings;
      // In a consortium the node's server has a ledger of its own, which may lag behind this one.
      const level = isOfConsortium(home) ? { ledger } : {};
      return await nodeAt(address, { index: this.index, asker, now, ...level });
    }
    const own = account === undefined ? 0 : ownNumber(home, account);
    if (own > 0) return await ownNode(surroundings, vault, { own, index: this.index });
    throw new ChartsealError("ledger-unreachable", "this home knows no address of an authority node", {
      data: { node: this.index },
      hint: "Give it with chartseal authority reshare --nodes KEY=URL.",
    });
  }
}

let transport: Transport | undefined;

/** Another institution's node. The client is loaded where there is one: most homes have none. */
export async function nodeAt(
  { publicKey, url }: AuthorityAddress,
  options: {
    readonly index: number;
    readonly asker?: Identity;
    readonly now: () => number;
    /** What the node's server must know first. */
    readonly ledger?: Ledger;
  },
) {
  const [{ Connection, HttpAuthorityNode }, { nodeTransport }] = await Promise.all([
    import("@chartseal/server/client"),
    import("@chartseal/server/client-node"),
  ]);
  const { index, asker, now } = options;
  const signs = asker === undefined ? {} : { signer: { keyId: toHex(asker.account), seed: asker.seed } };
  transport ??= nodeTransport();
  const connection = new Connection({ url, transport, now, unreachable: "ledger-unreachable", ...signs });
  if (options.ledger !== undefined) {
    const { untilTheyKnow } = await import("./level.ts");
    await untilTheyKnow(connection, options.ledger);
  }
  return new HttpAuthorityNode({ connection, account: accountOf(publicKey), index });
}

async function ownNode(
  surroundings: Surroundings,
  vault: KeyVault,
  { own, index }: { readonly own: number; readonly index: number },
): Promise<CommitteeNode | NodeDriver> {
  const { identity, first } = await loadNode(vault, own);
  if (first !== undefined) {
    return new CommitteeNode(surroundings, { identity: { ...identity, index }, shares: first.shares });
  }
  return new NodeDriver(surroundings, { identity, store: new VaultNodeStore(vault, `node-${own}`) });
}

/** A home whose own nodes are at work. */
interface OwnPlace extends Omit<Place, "asker"> {
  /** Theirs, and the provider's beside them. */
  readonly disputes: OpenDisputes;
}

/** A node of this home that takes its steps in a change of the committee, and judges disputes about transforms. */
export interface OwnDriver {
  /** True where it did something. */
  step(): Promise<boolean>;
  /** Gives the next verdict that it can give, and does nothing else. */
  judge(): Promise<boolean>;
}

/** Drivers of the nodes that `init` made here. Before the committee's first change they judge, and their keys stay where they are. */
export function ownDrivers(place: OwnPlace): OwnDriver[] {
  const { surroundings, home, disputes } = place;
  const { nodes } = decodeGenesis(home.genesis);
  const own = nodes
    .map((_, at) => at + 1)
    .filter((number) => ownNumber(home, accountOf(nodes[number - 1]!)) > 0);
  return own.map((number): OwnDriver => {
    const account = accountOf(nodes[number - 1]!);
    let driver: NodeDriver | undefined;
    const judge = async (): Promise<boolean> => {
      if (driver !== undefined) return await driver.judge();
      return (await toJudge(disputes, account)).length > 0 && (await judgeAs(place, number));
    };
    return {
      judge,
      async step() {
        if ((await readEntry(surroundings.ledger, entries.committeeChange, emptyKey)) === undefined)
          return await judge();
        driver ??= await driverOf(place, number);
        return await driver.step();
      },
    };
  });
}

/** With the key that `init` left, where it is still the node's: what it reads with needs no store of its own. */
async function judgeAs({ surroundings, vault, disputes }: OwnPlace, own: number): Promise<boolean> {
  const { identity, first } = await loadNode(vault, own);
  if (first === undefined) {
    const store = new VaultNodeStore(vault, `node-${own}`);
    return await new NodeDriver(surroundings, { identity, store, disputes }).judge();
  }
  const { account } = identity;
  const writer = new AccountWriter(surroundings, identity);
  const secrets = [(await hpkeKeyPairFromSeed(first.hpkeSeed)).privateKey];
  return await judgeNext({ surroundings, account, writer, secrets, disputes });
}

/** What `init` left is moved to the node's store first, and dropped when all of it is there. */
async function driverOf({ surroundings, vault, disputes }: OwnPlace, own: number): Promise<NodeDriver> {
  const { identity, first } = await loadNode(vault, own);
  const store = new VaultNodeStore(vault, `node-${own}`);
  if (first !== undefined) {
    const secrets = new NodeSecrets(store);
    const { privateKey: secret, publicKey } = await hpkeKeyPairFromSeed(first.hpkeSeed);
    await secrets.saveReceivingKeys([{ epoch: 1, secret, publicKey }]);
    for (const session of ["reading", "signing", "audit"] as const) {
      await secrets.saveShare(session, first.shares[session]);
    }
    await dropFirstShares(vault, own, identity);
  }
  return new NodeDriver(surroundings, { identity, store, disputes });
}

/** Nodes of the committee that an institution runs itself: they make their shares over the ledger, with the others. */
export async function institutionNodes(place: OwnPlace): Promise<NodeDriver[]> {
  const { home } = place;
  const numbers = decodeGenesis(home.genesis).nodes.map((key) => ownNumber(home, accountOf(key)));
  const own = numbers.filter((number) => number > 0);
  return await Promise.all(own.map((number) => driverOf(place, number)));
}
