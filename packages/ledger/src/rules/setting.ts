/**
 * What a rule is given: the state, the block's place in the chain, the transaction and who signed it. By the time a
 * rule runs, apply.ts has checked chain, era, times, head, the parts of the authorisation and every signature but the
 * attribute-based one and the storage receipt's, which need what the rule finds.
 */
import type { Pairing } from "@chartseal/crypto";
import type { ActionKind, ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { SignatureCheck } from "../signature-memory.ts";
import type { StateAccess } from "../state.ts";
import { type AccountValue, type ConsortiumValue, emptyKey, entries, load, roles } from "../state-kinds.ts";
import type { Transaction } from "../transaction.ts";

/** The block that a transaction is applied in. */
/** Claims that were verified. What is learnt of one may be kept: its key names all that it was verified under. */
export interface VerifiedClaims {
  has(key: string): boolean;
  /** Absent where nothing is kept. */
  learn?(key: string): void;
}

export interface BlockContext {
  readonly chainId: Uint8Array;
  readonly height: number;
  readonly timestampMs: number;
  readonly pairing: Pairing;
  /** Keys of attribute claims that were verified already, by a batch or before (attribute-proof.ts). */
  readonly verifiedAttributes?: VerifiedClaims;
  /** How an Ed25519 signature is checked where an engine remembers what it verified. */
  readonly checkSignature?: SignatureCheck;
}

/** The account whose signature the transaction carries. */
export interface Signer {
  readonly account: Uint8Array;
  /** As it was before this transaction; undefined for an account that this transaction makes. */
  readonly value: AccountValue | undefined;
}

export interface Setting {
  readonly state: StateAccess;
  readonly block: BlockContext;
  readonly consortium: ConsortiumValue;
  readonly era: number;
  readonly transaction: Transaction;
  readonly signer: Signer | undefined;
  /** Set where a proposal that was voted for is executed. */
  readonly voted?: true;
}

/** One kind's rule: writes to the state or throws a Refusal. */
export type Rule<K extends ActionKind> = (setting: Setting, action: ActionOf<K>) => void;

/** The signer, for the kinds that an account signs. */
export function signerOf({ signer }: Setting): Signer {
  demand(signer, "authorisation-parts");
  return signer;
}

/** The signer, which has that role. */
export function signerWith(setting: Setting, role: number): Signer & { readonly value: AccountValue } {
  const { account, value } = signerOf(setting);
  demand(value !== undefined && (value.roles & role) !== 0, "role-missing");
  return { account, value };
}

export function hasRole(state: Pick<StateAccess, "get">, account: Uint8Array, role: number): boolean {
  return ((load(state, entries.account, account)?.roles ?? 0) & role) !== 0;
}

/** A registered provider's account. */
export function providerOf(state: Pick<StateAccess, "get">, account: Uint8Array): AccountValue | undefined {
  const value = load(state, entries.account, account);
  return value !== undefined && (value.roles & roles.provider) !== 0 ? value : undefined;
}

export function consortiumOf(state: Pick<StateAccess, "get">): ConsortiumValue {
  const consortium = load(state, entries.consortium, emptyKey);
  demand(consortium, "wrong-chain");
  return consortium;
}

export function eraOf(state: Pick<StateAccess, "get">): number {
  return load(state, entries.era, emptyKey)?.era ?? 0;
}
