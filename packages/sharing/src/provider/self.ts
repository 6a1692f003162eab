/**
 * The provider as its own parts see it: what was handed in, one writer for its account, and turns, so that custody and
 * headers are changed by one at a time however many readers are served at once.
 */
import { OpenDisputes } from "../dispute/open-disputes.ts";
import type { Identity, Surroundings } from "../parties.ts";
import { AccountWriter } from "../submit.ts";
import { ErasureSchedule } from "./erasure-schedule.ts";
import type { ProviderStores } from "./stores.ts";
import { type Quotas, UsageBook } from "./usage.ts";

/** What a provider is made of. */
export interface ProviderSelf {
  readonly surroundings: Surroundings;
  readonly identity: Identity;
  readonly stores: ProviderStores;
  /** What owners may have stored here; without it there is no bound. */
  readonly quotas?: Quotas | undefined;
  /** Of this ledger, where others of the process look for disputes too. */
  readonly disputes?: OpenDisputes | undefined;
  /** Whether others write to its ledger, also while it does not run: then it notes how far it followed. Default: no. */
  readonly followsOthers?: boolean | undefined;
}

/** A provider at work. */
export class ProviderAtWork implements ProviderSelf {
  readonly surroundings: Surroundings;
  readonly identity: Identity;
  readonly stores: ProviderStores;
  /** Of the provider's own account: two writers would take each other's numbers. */
  readonly writer: AccountWriter;
  readonly quotas: Quotas | undefined;
  readonly followsOthers: boolean;
  readonly usage: UsageBook;
  readonly schedule: ErasureSchedule;
  readonly disputes: OpenDisputes;
  /** Up to when payloads were judged as leftovers or not (collect.ts). */
  collectedMs = Number.NEGATIVE_INFINITY;
  /** Last block that was followed; undefined before the first time. */
  followedHeight: number | undefined;
  /** What blocks up to there asked for and a place that was away kept from being done. */
  readonly undone = new Map<string, () => Promise<unknown>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ surroundings, identity, stores, quotas, disputes, followsOthers = false }: ProviderSelf) {
    this.surroundings = surroundings;
    this.identity = identity;
    this.stores = stores;
    this.quotas = quotas;
    this.followsOthers = followsOthers;
    this.usage = new UsageBook(surroundings.ledger, identity.account);
    const { ledger } = surroundings;
    this.schedule = new ErasureSchedule({ ledger, files: stores.pending, provider: identity.account });
    this.disputes = disputes ?? new OpenDisputes(surroundings);
    this.writer = new AccountWriter(surroundings, identity);
  }

  /** Runs when everything before it has ended. Never called from within a turn. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act, act);
    this.#turn = done.catch(() => {});
    return done;
  }
}
