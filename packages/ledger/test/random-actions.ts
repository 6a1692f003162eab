/**
 * Random transactions of a consortium at work, for the simulation: patients enrol, write and revoke rules, deposit, rekey
 * and erase; they and others ask for access; hospitals vouch and revoke; and of each kind some that must be refused.
 */
import { sha256, toHex, utf8 } from "@chartseal/crypto";
import type { Action } from "../src/actions.ts";
import { signErasedCopy, signOneTime, signStorageReceipt } from "../src/authorisation.ts";
import type { ChainWorld } from "./chain-world.ts";
import { doctor, hospital, type Identity, identity, policy, service, stranger, writers } from "./world.ts";

const patientsMax = 24;

export class RandomActions {
  readonly #world: ChainWorld;
  readonly #random: () => number;
  readonly #patients = Array.from({ length: patientsMax }, (_, at) => identity(`patient ${at}`));
  /** Of every deposit that was made, taken or not. */
  readonly recordIds: Uint8Array[] = [];
  readonly #requests: { readonly id: Uint8Array }[] = [];
  readonly #old: Uint8Array[] = [];
  #count = 0;

  constructor(world: ChainWorld, random: () => number) {
    this.#world = world;
    this.#random = random;
  }

  /** A transaction for the state as it is in the block in the making. */
  next(): Uint8Array {
    this.#count++;
    const transaction = this.#make();
    if (this.#random() < 0.02) this.#old.push(transaction);
    return transaction;
  }

  #make(): Uint8Array {
    const choice = this.#random();
    const who = this.#pick(this.#patients);
    if (choice < 0.12)
      return this.#signed(who, { kind: "enrol", publicKey: who.publicKey, hpkeKey: who.hpkeKey });
    if (choice < 0.24) return this.#rule(who);
    if (choice < 0.58) return this.#deposit(who);
    if (choice < 0.68) return this.#rekey();
    if (choice < 0.84) return this.#request();
    if (choice < 0.88) return this.#erase();
    if (choice < 0.92) return this.#vouch();
    if (choice < 0.95) return this.#alert();
    if (choice < 0.98 && this.#old.length > 0) return this.#pick(this.#old);
    return this.#spoilt();
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  #signed(by: Identity, action: Action): Uint8Array {
    return this.#world.signed(by, action);
  }

  #ownerOf(recordId: Uint8Array): Identity {
    const record = this.#world.recordOf(recordId);
    const right = this.#patients.find(({ account }) => record && toHex(account) === toHex(record.owner));
    return right !== undefined && this.#random() < 0.9 ? right : this.#pick(this.#patients);
  }

  #rule(who: Identity): Uint8Array {
    if (this.#random() < 0.3) return this.#signed(who, { kind: "revoke-rule", namespace: "cedars" });
    const purposes = ["TREAT"];
    const rule = { namespace: "cedars", policy, writers, purposes, expiresMs: null, perDay: 3 };
    return this.#signed(who, { kind: "set-rule", ...rule });
  }

  #deposit(who: Identity): Uint8Array {
    const world = this.#world;
    const key = world.oneTime(`deposit ${this.#count}`);
    const action = world.depositAction(key.id, {
      owner: this.#random() < 0.95 ? who.account : stranger.account,
      namespace: null,
      authorPolicy: null,
      purposes: this.#random() < 0.95 ? ["TREAT"] : [],
    });
    this.recordIds.push(key.id);
    const body = world.body(action);
    const oneTime = signOneTime(key.seed, body);
    return world.signed(who, action, { body, oneTime, storageReceipt: world.stored(action) });
  }

  #rekey(): Uint8Array {
    const world = this.#world;
    const recordId = this.#someRecord();
    const record = world.recordOf(recordId);
    const headerHash = sha256(utf8(`header ${this.#count}`));
    const address = record?.address ?? "nowhere";
    const version = (record?.version ?? 0) + (this.#random() < 0.9 ? 1 : 2);
    const action = {
      kind: "rekey",
      recordId,
      version,
      headerHash,
      address,
      policy,
      statement: null,
    } as const;
    const statement = record?.current ?? world.depositAction(recordId).statement;
    const storageReceipt = signStorageReceipt(service.seed, { ...statement, recordId, headerHash, address });
    return world.signed(this.#ownerOf(recordId), action, { storageReceipt });
  }

  /** By the owner, or by a stranger whose own attribute the policy does not name; some are for a stale version. */
  #request(): Uint8Array {
    const world = this.#world;
    if (this.#requests.length > 0 && this.#random() < 0.25) {
      const { id } = this.#pick(this.#requests);
      return this.#signed(service, { kind: "refuse", requestId: id, code: "revoked" });
    }
    const recordId = this.#someRecord();
    const label = `request ${this.#count}`;
    const changes = this.#random() < 0.1 ? { recordDigest: sha256(utf8("stale")) } : {};
    const action = world.requestAction(label, recordId, { proof: "owner", ...changes });
    this.#requests.push({ id: action.requestId });
    return world.namedRequest(this.#ownerOf(recordId), label, action);
  }

  #erase(): Uint8Array {
    const world = this.#world;
    const recordId = this.#someRecord();
    const record = world.recordOf(recordId);
    if (record !== undefined && record.erasedHeight !== null) {
      const { chainId } = world;
      const copies = [signErasedCopy(service.seed, { chainId, recordId, address: record.address })];
      return this.#signed(service, { kind: "erase-certificate", recordId, copies });
    }
    return this.#signed(this.#ownerOf(recordId), { kind: "erase", recordId });
  }

  #vouch(): Uint8Array {
    const { account } = this.#random() < 0.5 ? doctor : this.#pick(this.#patients);
    const attributes = [this.#pick(["nurse@cedars", "cardiologist@cedars"])];
    if (this.#random() < 0.4)
      return this.#signed(hospital, { kind: "revoke", namespace: "cedars", account, attributes });
    const vouch = { namespace: "cedars", account, attributes, mode: "transform", digest: null } as const;
    return this.#signed(this.#random() < 0.9 ? hospital : stranger, { kind: "vouch", ...vouch });
  }

  #alert(): Uint8Array {
    const recordId = this.#random() < 0.5 ? null : this.#someRecord();
    const by = this.#random() < 0.7 ? service : this.#pick(this.#patients);
    return this.#signed(by, { kind: "alert", alert: "other", recordId, detail: "looked at" });
  }

  /** A signature over another body. */
  #spoilt(): Uint8Array {
    const who = this.#pick(this.#patients);
    const bytes = new Uint8Array(this.#rule(who));
    bytes[bytes.length - 1]! ^= 1;
    return bytes;
  }

  #someRecord(): Uint8Array {
    if (this.recordIds.length === 0 || this.#random() < 0.02) return sha256(utf8(`none ${this.#count}`));
    return this.#pick(this.recordIds);
  }
}
