/**
 * The committee as a consortium's home sees it and changes it: who its nodes are and how each is, a refresh of their
 * shares, a resharing to others. The nodes do it by themselves; here it is opened by a vote and waited for.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { accountOf, roles } from "@chartseal/ledger";
import {
  admitNode,
  changeEnded,
  openCommitteeChange,
  readAccount,
  readNamedNodes,
  readNodes,
  viewCommittee,
} from "@chartseal/sharing";
import { writeJson } from "../home/files.ts";
import type { HomeConfig } from "../home/home.ts";
import {
  type AuthorityAddress,
  addressOf,
  nodeAt,
  type OwnDriver,
  saveAddresses,
} from "../services/authority-nodes.ts";
import type { ReadSession, Session } from "../services/session.ts";

export interface CommitteeStatus {
  readonly epoch: number;
  readonly threshold: number;
  readonly hasKeys: boolean;
  /** What is under way. */
  readonly change: { readonly kind: string; readonly epoch: number; readonly open: readonly string[] } | null;
  readonly nodes: readonly NodeLine[];
  readonly faults: readonly {
    readonly account: string;
    readonly fault: string;
    readonly epoch: number;
    readonly height: number;
  }[];
}

export interface NodeLine {
  readonly index: number;
  readonly account: string;
  /** Of another institution's node. */
  readonly url: string | null;
  readonly state: "ready" | "no-share" | "unreachable" | "home";
}

/** Reads the ledger and asks each node that has an address how it is. */
export async function committeeStatus(session: ReadSession): Promise<CommitteeStatus> {
  const { ledger } = session;
  const { present, change, hasKeys, sessions } = await viewCommittee(session);
  const open = sessions.filter(({ value }) => !value.done).map(({ session: name }) => name);
  const underWay = change?.closedHeight === null ? { kind: change.change, epoch: change.epoch, open } : null;
  const fresh = hasKeys ? null : { kind: "fresh", epoch: 1, open };
  const nodes = await Promise.all(present.nodes.map((account, at) => nodeLine(session, account, at + 1)));
  const faults = (await readNamedNodes(ledger)).map((one) => ({ ...one, account: toHex(one.account) }));
  const { epoch, threshold } = present;
  return { epoch, threshold, hasKeys, change: underWay ?? fresh, nodes, faults };
}

async function nodeLine({ home, now }: ReadSession, account: Uint8Array, index: number): Promise<NodeLine> {
  const address = addressOf(home, account);
  const line = { index, account: toHex(account), url: address?.url ?? null };
  if (address === undefined) return { ...line, state: "home" };
  try {
    const { hasShares } = await (await nodeAt(address, { index, now })).status();
    return { ...line, state: hasShares === true ? "ready" : "no-share" };
  } catch {
    return { ...line, state: "unreachable" };
  }
}

export interface Changed {
  readonly epoch: number;
  readonly threshold: number;
  readonly nodes: number;
  readonly height: number;
}

interface Waiting {
  /** How long the nodes are waited for. */
  readonly timeoutMs: number;
  readonly note: (text: string) => void;
}

export async function refreshCommittee(session: Session, waiting: Waiting): Promise<Changed> {
  await demandReachable(session);
  const { epoch } = await openCommitteeChange(session, { admittedBy: session.validators });
  return await ended(session, epoch, waiting);
}

/** A node of the committee to come: known on the ledger, or with the address at which it offers its registration. */
export interface WantedNode {
  readonly publicKey: Uint8Array;
  readonly url?: string;
}

export interface ReshareOptions extends Waiting {
  readonly nodes: readonly WantedNode[];
  readonly threshold: number;
  /** Indices in the present committee; by default those that answer, lowest first. */
  readonly dealers?: readonly number[];
}

export async function reshareCommittee(session: Session, options: ReshareOptions): Promise<Changed> {
  const { nodes, threshold } = options;
  const { home } = session;
  const addressed = nodes.flatMap(({ publicKey, url }): AuthorityAddress[] =>
    url === undefined ? [] : [{ publicKey, url }],
  );
  saveAddresses(home, addressed);
  await demandReachable(session);
  for (const node of nodes) await registerIfNew(session, node);
  const reshare = {
    nodes: nodes.map(({ publicKey }) => accountOf(publicKey)),
    threshold,
    dealers: options.dealers ?? (await chooseDealers(session)),
  };
  const { epoch } = await openCommitteeChange(session, { admittedBy: session.validators, reshare });
  const changed = await ended(session, epoch, options);
  const config: HomeConfig = { ...home.config, nodes: nodes.length, threshold };
  writeJson(home.paths.config, config);
  return changed;
}

/** @throws ChartsealError `input-invalid` for a node that nobody registered and that has no address */
async function registerIfNew(session: Session, { publicKey, url }: WantedNode): Promise<void> {
  const value = await readAccount(session.ledger, accountOf(publicKey));
  if (value !== undefined && (value.roles & roles.node) !== 0) return;
  if (url === undefined) {
    throw new ChartsealError(
      "input-invalid",
      `the node ${toHex(publicKey).slice(0, 16)}… is not registered`,
      {
        hint: "Give its address too, as KEY=URL, while it is served.",
      },
    );
  }
  const node = await nodeAt({ publicKey, url }, { index: 0, now: session.now });
  const registration = await node.registration();
  await admitNode(session, { registration, publicKey, admittedBy: session.validators });
}

/** t present nodes that say they have their shares. @throws ChartsealError `ledger-unreachable` for fewer */
async function chooseDealers(session: Session): Promise<number[]> {
  const { nodes, threshold } = await readNodes(session.ledger);
  const lines = await Promise.all(nodes.map((account, at) => nodeLine(session, account, at + 1)));
  const ready = lines.filter(({ state }) => state === "ready" || state === "home").map(({ index }) => index);
  if (ready.length >= threshold) return ready.slice(0, threshold);
  throw new ChartsealError(
    "ledger-unreachable",
    `a resharing needs ${threshold} present nodes, and ${ready.length} answer`,
    { data: { threshold, ready } },
  );
}

/** Nodes elsewhere reach this ledger only while a server shows it to them. */
async function demandReachable(session: Session): Promise<void> {
  const { nodes } = await readNodes(session.ledger);
  const elsewhere = nodes.some((account) => addressOf(session.home, account) !== undefined);
  if (!elsewhere || driversOf(session) === undefined) return;
  throw new ChartsealError("ledger-unreachable", "the committee's nodes cannot reach this ledger", {
    hint: "Run chartseal serve on this home meanwhile.",
  });
}

/** The home's own nodes, where they are in this process and not in a server's. */
function driversOf(session: Session): readonly OwnDriver[] | undefined {
  return "drivers" in session ? (session.drivers as readonly OwnDriver[]) : undefined;
}

const lookMs = 250;

/** Waits for the end of a change, and takes the steps of the home's own nodes. */
async function ended(session: Session, epoch: number, { timeoutMs, note }: Waiting): Promise<Changed> {
  const drivers = driversOf(session) ?? [];
  const untilMs = session.now() + timeoutMs;
  note("The nodes make their new shares …");
  for (;;) {
    const moved = await Promise.all(drivers.map((driver) => driver.step()));
    if (moved.includes(true)) continue;
    const height = await changeEnded(session, epoch);
    if (height !== undefined) {
      const { nodes, threshold } = await readNodes(session.ledger);
      return { epoch, threshold, nodes: nodes.length, height };
    }
    if (session.now() >= untilMs) {
      throw new ChartsealError("ledger-unreachable", "not all nodes have done their part yet", {
        data: { epoch },
        hint: "They go on by themselves; chartseal authority status says whom they wait for.",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
