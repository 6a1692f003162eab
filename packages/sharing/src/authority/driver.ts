/**
 * One committee node at work over the ledger: it looks, does the next thing that is its to do in whatever run is open
 * (the first key generation, a refresh, a resharing), and answers requests with its shares of the present epoch. All
 * that it needs to go on stands on the ledger and in its store, so it may die at any instant and be made anew.
 *
 * With a change it renews the key that shares are sealed to, before anything is, and erases old keys, shares and dealings
 * when the new ones are here: the ledger keeps every envelope, and whoever has a key opens all that was sealed to it.
 */
import { ChartsealError, equalBytes, hpkeKeyPair } from "@chartseal/crypto";
import {
  type Action,
  encodeTransaction,
  entries,
  lists,
  type NodeFaultValue,
  roles,
  type Session,
  signAsAccount,
} from "@chartseal/ledger";
import { judgeNext, toJudge } from "../dispute/judging.ts";
import { OpenDisputes } from "../dispute/open-disputes.ts";
import { CommitteeNode } from "../issue.ts";
import type { NodeShares } from "../key-generation.ts";
import type { Identity, SealedAnswer, Surroundings } from "../parties.ts";
import { readAccount, readEntry, readList } from "../state.ts";
import { AccountWriter, currentBody } from "../submit.ts";
import { type CommitteeView, sessions, viewCommittee } from "./committee-view.ts";
import { NodeSecrets, type NodeStore, type ReceivingKey } from "./node-store.ts";
import { nextMessage, type Participant } from "./rounds.ts";
import { indexIn, shareOf } from "./shares.ts";

/** What a node signs with. */
export type NodeAccount = Pick<Identity, "account" | "seed" | "publicKey">;

export interface NodeStatus {
  /** In the present committee; null for a node outside it. */
  readonly index: number | null;
  readonly epoch: number;
  readonly threshold: number;
  readonly nodes: number;
  /** Whether the committee has its keys, and this node its three shares of the present epoch. */
  readonly hasKeys: boolean;
  readonly hasShares: boolean;
  /** What is under way, and whom it waits for by session. */
  readonly run: { readonly kind: "fresh" | "refresh" | "reshare"; readonly open: readonly Session[] } | null;
  /** Nodes that the ledger names, oldest first. */
  readonly faults: readonly NamedNode[];
}

export interface NamedNode extends NodeFaultValue {
  readonly account: Uint8Array;
}

/** Refusals of a message that came too late, or a little too early by another's clock: the ledger is looked at again. */
const passing: readonly unknown[] = ["keygen-round", "keygen-done", "role-missing"];

export class NodeDriver {
  readonly #surroundings: Surroundings;
  readonly #identity: NodeAccount;
  readonly #secrets: NodeSecrets;
  readonly #writer: AccountWriter;
  readonly #disputes: OpenDisputes;

  constructor(
    surroundings: Surroundings,
    node: {
      readonly identity: NodeAccount;
      readonly store: NodeStore;
      /** Of this ledger, where others of the process look for disputes too. */
      readonly disputes?: OpenDisputes;
    },
  ) {
    this.#surroundings = surroundings;
    this.#identity = node.identity;
    this.#secrets = new NodeSecrets(node.store);
    this.#writer = new AccountWriter(surroundings, node.identity);
    this.#disputes = node.disputes ?? new OpenDisputes(surroundings);
  }

  get account(): Uint8Array {
    return this.#identity.account;
  }

  /**
   * Does the next thing that is this node's to do. True where it did something, false where it has to wait.
   * @throws ChartsealError `ledger-unreachable`; it is called again later
   */
  async step(): Promise<boolean> {
    const view = await viewCommittee(this.#surroundings);
    if (await this.#registerKey(view)) return true;
    if (await this.#renewKey(view)) return true;
    if (await this.#speak(view)) return true;
    return (
      (view.hasKeys && (await this.judge())) ||
      (await this.#collectShares(view)) ||
      (await this.#eraseOld(view))
    );
  }

  /** The next verdict in a dispute about a transform (dispute/judging.ts). */
  async judge(): Promise<boolean> {
    const secrets = (await this.#secrets.receivingKeys()).map(({ secret }) => secret);
    return await judgeNext({
      ...{ surroundings: this.#surroundings, account: this.account, writer: this.#writer },
      ...{ secrets, disputes: this.#disputes },
    });
  }

  /** Steps until there is nothing to do for now. */
  async settle(): Promise<void> {
    while (await this.step());
  }

  /** The node's index and shares of the present epoch. @throws ChartsealError `issue-refused` where it has none */
  async shares(): Promise<{ readonly index: number; readonly shares: NodeShares }> {
    const view = await viewCommittee(this.#surroundings);
    const { nodes, epoch } = view.present;
    const index = indexIn(nodes, this.account);
    const found = view.hasKeys && index > 0 ? await this.#sharesOf(view, epoch) : undefined;
    if (found !== undefined) return { index, shares: found };
    throw new ChartsealError("issue-refused", "this node has no share of the committee's present keys");
  }

  /** As one of the committee (`AuthorityNode`), with the shares of the present epoch. */
  async answer(requestId: Uint8Array): Promise<SealedAnswer> {
    return await (await this.#answering()).answer(requestId);
  }

  async basePartial(account: Uint8Array): Promise<SealedAnswer> {
    return await (await this.#answering()).basePartial(account);
  }

  async status(): Promise<NodeStatus> {
    const { ledger } = this.#surroundings;
    const view = await viewCommittee(this.#surroundings);
    const { nodes, epoch, threshold } = view.present;
    const index = indexIn(nodes, this.account);
    const open = view.sessions.filter(({ value }) => !value.done).map(({ session }) => session);
    const kind = view.change?.closedHeight === null ? view.change.change : view.hasKeys ? null : "fresh";
    return {
      index: index === 0 ? null : index,
      epoch,
      threshold,
      nodes: nodes.length,
      hasKeys: view.hasKeys,
      hasShares: view.hasKeys && (await this.#secrets.holds(epoch, sessions)),
      run: kind === null ? null : { kind, open },
      faults: await readNamedNodes(ledger),
    };
  }

  /**
   * The node's registration on a ledger that does not know it, signed by it; it counts where validators admit it.
   * @throws ChartsealError `input-invalid` for a node that is registered
   */
  async registration(): Promise<Uint8Array> {
    const { ledger } = this.#surroundings;
    const known = await readAccount(ledger, this.account);
    if (known !== undefined && (known.roles & roles.node) !== 0) {
      throw new ChartsealError("input-invalid", "this node is registered already");
    }
    const view = await viewCommittee(this.#surroundings);
    const keys = await this.#secrets.receivingKeys();
    const newest = keys.at(-1) ?? (await newKey(view.present.epoch));
    if (keys.length === 0) await this.#secrets.saveReceivingKeys([newest]);
    const { publicKey, account, seed } = this.#identity;
    const action = { kind: "register-node", publicKey, hpkeKey: newest.publicKey } as const;
    const body = await currentBody(this.#surroundings, action);
    const sequence = known?.sequence ?? 0;
    return encodeTransaction(body, { account: signAsAccount({ seed, account, sequence, body }) });
  }

  async #answering(): Promise<CommitteeNode> {
    const { index, shares } = await this.shares();
    return new CommitteeNode(this.#surroundings, { identity: { ...this.#identity, index }, shares });
  }

  async #sharesOf(view: CommitteeView, epoch: number): Promise<NodeShares | undefined> {
    const self = { surroundings: this.#surroundings, account: this.account, secrets: this.#secrets };
    const [reading, signing, audit] = [
      await shareOf(self, view, { session: "reading", epoch }),
      await shareOf(self, view, { session: "signing", epoch }),
      await shareOf(self, view, { session: "audit", epoch }),
    ];
    const whole = reading !== undefined && signing !== undefined && audit !== undefined;
    return whole ? { reading, signing, audit } : undefined;
  }

  /**
   * The ledger shows the newest of the node's own receiving keys, and the store keeps no older one that it has no use for.
   * Where the ledger shows one that is not here, the store is an old copy: its keys are others' by now, and a new one is
   * made.
   */
  async #registerKey(view: CommitteeView): Promise<boolean> {
    const registered = await readAccount(this.#surroundings.ledger, this.account);
    if (registered === undefined) return false;
    const keys = await this.#secrets.receivingKeys();
    const newest = keys.at(-1);
    const { hpkeKey } = registered;
    const known = hpkeKey === null || keys.some(({ publicKey }) => equalBytes(publicKey, hpkeKey));
    if (newest === undefined || !known) {
      const made = await newKey(view.present.epoch);
      await this.#secrets.saveReceivingKeys([...keys, made]);
      return await this.#submit({ kind: "set-hpke-key", hpkeKey: made.publicKey });
    }
    if (hpkeKey === null || !equalBytes(hpkeKey, newest.publicKey)) {
      return await this.#submit({ kind: "set-hpke-key", hpkeKey: newest.publicKey });
    }
    if (keys.length === 1 || !(await this.#isSettled(view))) return false;
    // What a dispute shows may be sealed to an earlier one.
    if ((await toJudge(this.#disputes, this.account)).length > 0) return false;
    await this.#secrets.saveReceivingKeys([newest]);
    return true;
  }

  /** One message in one session. What goes wrong in a session holds up no other. */
  async #speak(view: CommitteeView): Promise<boolean> {
    let failure: unknown;
    for (const session of view.sessions) {
      try {
        const action = await nextMessage(this.#participant(view, session.session), session);
        if (action !== undefined && (await this.#submit(action))) return true;
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return false;
  }

  #participant(view: CommitteeView, session: Session): Participant {
    return {
      surroundings: this.#surroundings,
      account: this.account,
      secrets: this.#secrets,
      roundMs: view.consortium.parameters.keygenRoundMs,
      previous: () => this.#secrets.share(session, view.present.epoch),
      openedHeight: view.change?.closedHeight === null ? view.change.height : undefined,
    };
  }

  async #submit(action: Action): Promise<boolean> {
    try {
      await this.#writer.submit(action);
      return true;
    } catch (error) {
      if (error instanceof ChartsealError && passing.includes(error.data.refusalName)) return false;
      throw error;
    }
  }

  async #collectShares(view: CommitteeView): Promise<boolean> {
    const { nodes, epoch } = view.present;
    if (!view.hasKeys || indexIn(nodes, this.account) === 0) return false;
    if (await this.#secrets.holds(epoch, sessions)) return false;
    return (await this.#sharesOf(view, epoch)) !== undefined;
  }

  /** Dealings of runs that are over, and shares of earlier epochs once those of the present one are here. */
  async #eraseOld(view: CommitteeView): Promise<boolean> {
    const { nodes, epoch } = view.present;
    const isMember = indexIn(nodes, this.account) > 0;
    const settled = await this.#isSettled(view);
    return await this.#secrets.eraseOne((kind, session, of) => {
      if (kind === "share") return settled && (of < epoch || !isMember);
      const { value } = view.sessions.find((one) => one.session === session)!;
      return of < value.attempt || (value.done && settled);
    });
  }

  /** The node has its shares of the present epoch, or is to have none. */
  async #isSettled({ present, hasKeys }: CommitteeView): Promise<boolean> {
    if (!hasKeys) return false;
    return indexIn(present.nodes, this.account) === 0 || (await this.#secrets.holds(present.epoch, sessions));
  }

  /**
   * A new receiving key before anything is sealed to this node in a change: whoever has a copy of its store from before
   * could else open its new shares too. One that missed it makes up for it between two changes.
   */
  async #renewKey(view: CommitteeView): Promise<boolean> {
    const keys = await this.#secrets.receivingKeys();
    const newest = keys.at(-1);
    const change = view.change?.closedHeight === null ? view.change : undefined;
    const receives = change !== undefined && indexIn(change.nodes, this.account) > 0;
    const epoch = receives ? change.epoch : view.present.epoch;
    if (newest === undefined || newest.epoch >= epoch) return false;
    if (!receives && (change !== undefined || !(await this.#isSettled(view)))) return false;
    await this.#secrets.saveReceivingKeys([...keys, await newKey(epoch)]);
    return true;
  }
}

async function newKey(epoch: number): Promise<ReceivingKey> {
  const { privateKey: secret, publicKey } = await hpkeKeyPair();
  return { epoch, secret, publicKey };
}

/** The nodes that the ledger names for what they did. */
export async function readNamedNodes(ledger: Surroundings["ledger"]): Promise<NamedNode[]> {
  const keys = await readList(ledger, lists.nodeFaults);
  const named = await Promise.all(keys.map((key) => readEntry(ledger, entries.nodeFault, key)));
  return keys.flatMap((key, at) => {
    const value = named[at];
    return value === undefined ? [] : [{ ...value, account: key.slice(0, 20) }];
  });
}
