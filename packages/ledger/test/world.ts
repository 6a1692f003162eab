/**
 * A small consortium in memory with real cryptography, for the tests of the rules: three authority nodes of which two
 * suffice, a provider that is also the relay and the validator, a hospital, an owner, a doctor and a stranger. Built
 * once, forked for each test. Blocks hold one transaction; their hashes are made up, since rules see hashes only.
 */
import {
  attributeKeys,
  auditEncrypt,
  auditKeySpace,
  auditLabel,
  basePartial,
  type CommitteeKey,
  combineBaseKey,
  committeeBase,
  decodeCommitteeKey,
  decodeNamespaceLists,
  ed25519KeyPairFromSeed,
  encode,
  encodeAuditCiphertext,
  encodeBlindProof,
  encodeSignature,
  issueDigest,
  type KeySpace,
  type NamespaceSecret,
  type NodeShare,
  namespaceOf,
  type Pairing,
  parsePolicy,
  proveBlind,
  type SigningKeys,
  sha256,
  sign,
  signingKeySpace,
  signingPolicy,
  sortAttributes,
  toHex,
  transformKeyPair,
  u64,
  utf8,
} from "@chartseal/crypto";
import type { Action, ActionOf, Session } from "../src/actions.ts";
import { apply } from "../src/apply.ts";
import {
  accountOf,
  idOf,
  signAdmission,
  signAsAccount,
  signOneTime,
  signRelay,
  signStorageReceipt,
} from "../src/authorisation.ts";
import { chainIdOf, decodeGenesis, initialise } from "../src/genesis.ts";
import { Refusal } from "../src/refusals.ts";
import type { BlockContext } from "../src/rules/setting.ts";
import { blockKind, Overlay, type StateAccess } from "../src/state.ts";
import { entries, load, periodLabel } from "../src/state-kinds.ts";
import {
  type Authorisation,
  type Body,
  decodeBody,
  encodeBody,
  encodeTransaction,
  identifierOf,
} from "../src/transaction.ts";

export interface Identity {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly account: Uint8Array;
  readonly hpkeKey: Uint8Array;
}

export function identity(label: string): Identity {
  const seed = sha256(utf8(`seed ${label}`));
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  return { seed, publicKey, account: accountOf(publicKey), hpkeKey: sha256(utf8(`hpke ${label}`)) };
}

export const nodes = [identity("node 1"), identity("node 2"), identity("node 3")];
export const service = identity("service");
export const hospital = identity("cedars");
export const owner = identity("ana");
export const doctor = identity("doctor");
export const stranger = identity("stranger");

export const startMs = 1_700_000_000_000;
export const threshold = 2;
export const policy = "cardiologist@cedars and physician@cedars";
export const writers = "cardiologist@cedars or physician@cedars";

/** A map as the state below everything. */
class MapState implements StateAccess {
  readonly values: Map<string, Uint8Array>;
  constructor(values: Iterable<readonly [string, Uint8Array]> = []) {
    this.values = new Map(values);
  }
  get(kind: number, key: Uint8Array): Uint8Array | undefined {
    return this.values.get(`${kind} ${toHex(key)}`);
  }
  put(kind: number, key: Uint8Array, value: Uint8Array): void {
    this.values.set(`${kind} ${toHex(key)}`, value);
  }
  remove(kind: number, key: Uint8Array): void {
    this.values.delete(`${kind} ${toHex(key)}`);
  }
}

export interface BodyChanges {
  readonly chainId?: Uint8Array;
  readonly era?: number;
  readonly lastValidMs?: number;
  readonly head?: Body["head"];
}

export class World {
  readonly pairing: Pairing;
  readonly genesis: Uint8Array;
  readonly chainId: Uint8Array;
  readonly state: MapState;
  height = 0;
  timestampMs = startMs;
  shares: Partial<Record<Session, NodeShare[]>> = {};
  namespaceSecret: NamespaceSecret | undefined;
  #keys: SigningKeys | undefined;
  #nonce = 0;

  constructor(pairing: Pairing, genesis: Uint8Array, state?: MapState) {
    this.pairing = pairing;
    this.genesis = genesis;
    this.chainId = chainIdOf(genesis);
    this.state = state ?? new MapState();
    if (state === undefined) initialise(this.state, decodeGenesis(genesis));
  }

  /** The same world, going its own way. */
  fork(): World {
    const world = new World(this.pairing, this.genesis, new MapState(this.state.values));
    Object.assign(world, { height: this.height, timestampMs: this.timestampMs });
    world.shares = this.shares;
    world.namespaceSecret = this.namespaceSecret;
    world.#keys = this.#keys;
    world.#nonce = this.#nonce + 1;
    return world;
  }

  context(changes: Partial<BlockContext> = {}): BlockContext {
    const { chainId, height, timestampMs, pairing } = this;
    return { chainId, height: height + 1, timestampMs, pairing, ...changes };
  }

  /** Applies in a block of its own. @throws Refusal, and then nothing has changed but the time */
  submit(transaction: Uint8Array, changes: Partial<BlockContext> = {}): Uint8Array {
    const overlay = new Overlay(this.state);
    const { identifier } = apply(overlay, this.context(changes), transaction);
    overlay.writeTo(this.state);
    this.height++;
    this.state.put(blockKind, u64(this.height), this.blockHash(this.height));
    this.timestampMs += 1000;
    return identifier;
  }

  /** The name of the refusal, or "applied"; nothing is kept either way. */
  verdict(transaction: Uint8Array, changes: Partial<BlockContext> = {}): string {
    try {
      apply(new Overlay(this.state), this.context(changes), transaction);
      return "applied";
    } catch (error) {
      if (error instanceof Refusal) return error.refusal;
      throw error;
    }
  }

  blockHash(height: number): Uint8Array {
    return sha256(utf8(`block ${height}`));
  }

  body(action: Action, changes: BodyChanges = {}): Uint8Array {
    const { chainId, height } = this;
    const head = height === 0 ? { height: 0, hash: chainId } : { height, hash: this.blockHash(height) };
    const era = load(this.state, entries.era, new Uint8Array(0))?.era ?? 0;
    // A few ms more each time, so that equal actions are two transactions.
    const lastValidMs = this.timestampMs + 600_000 + this.#nonce++;
    return encodeBody({ chainId, era, lastValidMs, head, action, ...changes });
  }

  sequence(account: Uint8Array): number {
    return load(this.state, entries.account, account)?.sequence ?? 0;
  }

  /** An account's transaction. */
  signed(
    by: Identity,
    action: Action,
    extras: Partial<Authorisation> & { readonly body?: Uint8Array } = {},
  ): Uint8Array {
    const { body = this.body(action), ...parts } = extras;
    const { seed, account: signer } = by;
    const account = signAsAccount({ seed, account: signer, sequence: this.sequence(signer), body });
    return encodeTransaction(body, { account, ...parts });
  }

  /** An account's transaction that the validator admits. */
  admitted(by: Identity, action: Action): Uint8Array {
    const body = this.body(action);
    return this.signed(by, action, { body, admissions: [signAdmission(service.seed, body)] });
  }

  do(by: Identity, action: Action, extras: Partial<Authorisation> = {}): Uint8Array {
    return this.submit(this.signed(by, action, extras));
  }

  /** A one-time key with the id that is its own. */
  oneTime(label: string): Identity & { readonly id: Uint8Array } {
    const key = identity(`one-time ${label}`);
    return { ...key, id: idOf(this.chainId, key.publicKey) };
  }

  committee<P>(space: KeySpace<P>): CommitteeKey<P> {
    return decodeCommitteeKey(space, load(this.state, entries.committee, utf8(space.name))!);
  }

  /** The doctor's signing keys in the first periods. */
  get keys(): SigningKeys {
    this.#keys ??= this.signingKeys(doctor, ["cardiologist@cedars", "physician@cedars"]);
    return this.#keys;
  }

  /** What the account can sign with: K_base of the committee, K_u of the hospital for what is vouched for, now. */
  signingKeys(who: Identity, attributes: readonly string[]): SigningKeys {
    const { pairing } = this;
    const space = signingKeySpace(pairing, committeeBase(pairing));
    const key = this.committee(space);
    const { account } = who;
    const partials = this.shares
      .signing!.slice(0, threshold)
      .map((share) => basePartial(pairing, { account, share }));
    const base = combineBaseKey(pairing, { space, key, account }, partials);
    const committeeKey = key.publicKey;
    const secret = this.namespaceSecret!;
    const names = attributes.map(
      (one) => `${one}#${periodLabel(load(this.state, entries.period, utf8(one)))}`,
    );
    return {
      account,
      base,
      attributes: attributeKeys(pairing, { secret, attributes: names, account, base, committeeKey }),
    };
  }

  attributeSignature(keys: SigningKeys, options: { body: Uint8Array; policy: string }): Uint8Array {
    const { pairing, chainId } = this;
    const signing = signingPolicy(parsePolicy(options.policy))!;
    const leaves = [...new Set(signing.attributes)];
    const periods = new Map(
      leaves.map((one) => [one, periodLabel(load(this.state, entries.period, utf8(one)))]),
    );
    const names = [...new Set(leaves.map(namespaceOf))];
    const namespaces = new Map(
      names.map((name) => [
        name,
        decodeNamespaceLists(pairing, load(this.state, entries.namespaceLists, utf8(name))!),
      ]),
    );
    const { kind } = decodeBody(options.body).action;
    const message = identifierOf(options.body);
    return encodeSignature(
      pairing,
      sign(pairing, { policy: signing, periods, namespaces, chainId, kind, message }, keys),
    );
  }

  /** Envelope of the relay around an anonymous body. */
  enveloped(
    key: Identity,
    options: { body: Uint8Array; attributes: Uint8Array; relay?: Identity },
  ): Pick<Authorisation, "oneTime" | "attributes" | "relay"> {
    const { body, attributes, relay: by = service } = options;
    const oneTime = signOneTime(key.seed, body);
    const { chainId } = this;
    const relay = signRelay(by.seed, { chainId, body, oneTimeSignature: oneTime.signature, attributes });
    return { oneTime, attributes, relay };
  }

  /** The provider's receipt over what a deposit or a rekey names. */
  stored(action: ActionOf<"deposit">): NonNullable<Authorisation["storageReceipt"]> {
    const { recordId, address, headerHash, statement } = action;
    return signStorageReceipt(service.seed, { recordId, address, headerHash, ...statement });
  }

  depositAction(recordId: Uint8Array, changes: Partial<ActionOf<"deposit">> = {}): ActionOf<"deposit"> {
    return {
      kind: "deposit",
      recordId,
      owner: owner.account,
      namespace: "cedars",
      policy,
      authorPolicy: writers,
      headerHash: sha256(utf8("header"), recordId),
      address: `objects/${toHex(recordId).slice(0, 8)}`,
      statement: {
        descriptor: encode([1, 1, recordId, 262_144]),
        payloadLength: 1000,
        payloadDigest: sha256(utf8("payload"), recordId),
        keyCommitment: sha256(utf8("commitment"), recordId),
        metadataCommitment: sha256(utf8("metadata"), recordId),
      },
      purposes: [],
      ...changes,
    };
  }

  /** An author's deposit, whole. */
  authorDeposit(label: string, keys: SigningKeys, changes: Partial<ActionOf<"deposit">> = {}): Uint8Array {
    const key = this.oneTime(label);
    const action = this.depositAction(key.id, changes);
    const body = this.body(action);
    const attributes = this.attributeSignature(keys, { body, policy: action.authorPolicy ?? writers });
    return encodeTransaction(body, {
      ...this.enveloped(key, { body, attributes }),
      storageReceipt: this.stored(action),
    });
  }

  /** An owner's deposit, whole. */
  ownerDeposit(label: string, changes: Partial<ActionOf<"deposit">> = {}): Uint8Array {
    const key = this.oneTime(label);
    const action = this.depositAction(key.id, {
      namespace: null,
      authorPolicy: null,
      purposes: ["TREAT"],
      ...changes,
    });
    const body = this.body(action);
    return this.signed(owner, action, {
      body,
      oneTime: signOneTime(key.seed, body),
      storageReceipt: this.stored(action),
    });
  }

  requestAction(
    label: string,
    recordId: Uint8Array,
    changes: Partial<ActionOf<"request-access">> = {},
  ): ActionOf<"request-access"> {
    const key = this.oneTime(label);
    return {
      kind: "request-access",
      requestId: key.id,
      recordId,
      recordDigest: load(this.state, entries.record, recordId)?.digest ?? sha256(),
      purpose: "TREAT",
      oneTimeKey: key.publicKey,
      proof: "attributes",
      emergencyId: null,
      ...changes,
    };
  }

  /** A request proved by attributes, whole. */
  attributeRequest(
    label: string,
    options: {
      recordId: Uint8Array;
      keys: SigningKeys;
      policy?: string;
      changes?: Partial<ActionOf<"request-access">>;
    },
  ): Uint8Array {
    const key = this.oneTime(label);
    const action = this.requestAction(label, options.recordId, options.changes);
    const body = this.body(action);
    const attributes = this.attributeSignature(options.keys, { body, policy: options.policy ?? policy });
    return encodeTransaction(body, this.enveloped(key, { body, attributes }));
  }

  /** A request proved by an account, whole. */
  namedRequest(by: Identity, label: string, action: ActionOf<"request-access">): Uint8Array {
    const body = this.body(action);
    return this.signed(by, action, { body, oneTime: signOneTime(this.oneTime(label).seed, body) });
  }

  receiptAction(requestId: Uint8Array, provider: Identity = service): ActionOf<"receipt"> {
    const { pairing, chainId } = this;
    const publicKey = this.committee(auditKeySpace(pairing)).publicKey;
    const label = auditLabel(requestId, provider.account);
    const ciphertext = auditEncrypt(pairing, { publicKey, chainId, label, key: sha256(utf8("box key")) });
    return {
      kind: "receipt",
      requestId,
      provider: provider.account,
      box: new Uint8Array(256),
      ownerEnvelope: new Uint8Array(80),
      auditCiphertext: encodeAuditCiphertext(pairing, ciphertext),
    };
  }

  /** A request for a key and, in mode full, its d. */
  keyRequest(
    who: Identity,
    options: {
      label: string;
      attributes: readonly string[];
      mode?: "transform" | "full";
      provider?: Uint8Array;
    },
  ): { readonly action: ActionOf<"request-key">; readonly digest: Uint8Array } {
    const { pairing, chainId } = this;
    const { label, mode = "transform" } = options;
    const requestId = sha256(utf8(`key request ${label}`));
    const pair = transformKeyPair(pairing, { mode });
    const attributes = sortAttributes(options.attributes);
    const provider = options.provider ?? (mode === "full" ? who.account : service.account);
    const { account } = who;
    const { blinded } = pair;
    const digest = issueDigest(pairing, {
      chainId,
      epoch: 1,
      requestId,
      account,
      blinded,
      attributes,
      provider,
      mode,
    });
    const proof = encode(encodeBlindProof(pairing, proveBlind(pairing, { pair, digest })));
    const action = { kind: "request-key", requestId, blinded: pairing.g1.encode(blinded), proof } as const;
    return { action: { ...action, attributes, provider, mode, epoch: 1 }, digest };
  }
}
