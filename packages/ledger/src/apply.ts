/**
 * One transaction on a state (ARCHITECTURE, Boundaries of the ledger): everything that CRYPTO §3.1 asks of all kinds,
 * cheap checks first and no pairing before the relay's signature and quota, then the kind's own rule. Pure and
 * synchronous. On a Refusal the caller drops what was written.
 */
import { ChartsealError, equalBytes, u64 } from "@chartseal/crypto";
import { type ActionKind, actionTable } from "./actions.ts";
import { accountOf, verifyAsAccount, verifyOneTime, verifyRelay } from "./authorisation.ts";
import { demandParts } from "./parts.ts";
import { demand, Refusal } from "./refusals.ts";
import {
  type BlockContext,
  consortiumOf,
  eraOf,
  hasRole,
  type Rule,
  type Setting,
  type Signer,
} from "./rules/setting.ts";
import { rules } from "./rules/table.ts";
import { keyOfOperator } from "./rules/validators.ts";
import { blockKind, type StateAccess } from "./state.ts";
import { entries, load, roles, save } from "./state-kinds.ts";
import { type Body, decodeTransaction, type Transaction } from "./transaction.ts";

/** What the machine learns of a transaction that applied. */
export interface Applied {
  /** 32 bytes, unique in the chain. */
  readonly identifier: Uint8Array;
  readonly kind: ActionKind;
}

/** @throws Refusal (ChartsealError `transaction-refused`) and then nothing that was written counts */
export function apply(state: StateAccess, block: BlockContext, bytes: Uint8Array): Applied {
  try {
    return applyDecoded(state, block, decodeTransaction(bytes));
  } catch (error) {
    if (error instanceof Refusal || !(error instanceof ChartsealError)) throw error;
    if (error.code === "defect" || error.code === "chain-altered") throw error;
    // A field that the transaction's own encoding cannot judge, such as a point, was malformed.
    const name = error.code === "issue-invalid" ? "keygen-message" : "malformed";
    throw new Refusal(name, { cause: error.code, detail: error.message });
  }
}

function applyDecoded(state: StateAccess, block: BlockContext, transaction: Transaction): Applied {
  const { body, identifier } = transaction;
  const { action } = body;
  const era = eraOf(state);
  const consortium = consortiumOf(state);
  demandPlace(state, { block, body, era, validityMs: consortium.parameters.validityMs });
  demand(load(state, entries.transaction, identifier) === undefined, "repeated");
  demandParts(transaction);
  const signer = demandSigner(state, block, transaction);
  demandOneTime(block, transaction);
  demandRelay(state, block, { transaction, quota: consortium.parameters.relayPerMinute });
  const setting: Setting = { state, block, consortium, era, transaction, signer };
  (rules[action.kind] as Rule<ActionKind>)(setting, action as never);
  if (signer !== undefined) useSequence(state, signer.account);
  save(state, entries.transaction, identifier, { height: block.height, kind: actionTable[action.kind][0] });
  return { identifier, kind: action.kind };
}

/** Chain, era, time and named block. */
function demandPlace(
  state: StateAccess,
  place: {
    readonly block: BlockContext;
    readonly body: Body;
    readonly era: number;
    readonly validityMs: number;
  },
): void {
  const { block, body, era, validityMs } = place;
  demand(equalBytes(body.chainId, block.chainId), "wrong-chain");
  demand(body.era === era, "wrong-era", { era });
  demand(body.lastValidMs >= block.timestampMs, "lapsed");
  demand(body.lastValidMs <= block.timestampMs + validityMs, "valid-too-long");
  const { height, hash } = body.head;
  const held = height === 0 ? block.chainId : state.get(blockKind, u64(height));
  demand(held !== undefined && equalBytes(held, hash), "head-unknown", { height });
}

function demandSigner(state: StateAccess, block: BlockContext, transaction: Transaction): Signer | undefined {
  const { body, bodyBytes, authorisation } = transaction;
  const signature = authorisation.account;
  if (signature === null) return undefined;
  const { account, sequence } = signature;
  const value = load(state, entries.account, account);
  const publicKey = recoveredKey(state, body, account) ?? value?.publicKey ?? freshKey(state, body, account);
  demand(publicKey, "signer-unknown");
  demand(value !== undefined || equalBytes(accountOf(publicKey), account), "account-mismatch");
  demand(value !== undefined || load(state, entries.accountKey, publicKey) === undefined, "key-taken");
  demand(sequence === (value?.sequence ?? 0), "sequence-wrong", { expected: value?.sequence ?? 0 });
  const place = { chainId: block.chainId, era: body.era };
  demand(verifyAsAccount(publicKey, signature, bodyBytes, place, block.checkSignature), "signature-invalid");
  return { account, value };
}

/** Kinds that make the account that signs them, with the key that they name. */
const makers: readonly ActionKind[] = ["enrol", "register-provider", "register-node"];

/** Kinds that the account of a validator's own key signs, which the ledger may not have seen before. */
const stakeKinds: readonly ActionKind[] = [
  "bond",
  "delegate",
  "unbond",
  "withdraw-weight",
  "unjail",
  "propose",
  "vote",
  "execute",
];

/** The key of an account that this transaction makes: a paper kit's comes on the ledger when it is first used. */
function freshKey(state: StateAccess, { action }: Body, account: Uint8Array): Uint8Array | undefined {
  if (makers.includes(action.kind) && "publicKey" in action) return action.publicKey;
  if (stakeKinds.includes(action.kind)) return keyOfOperator(state, account);
  if (action.kind !== "start-recovery") return undefined;
  return load(state, entries.recoveryWays, action.account)?.paperKey ?? undefined;
}

/** The end of a recovery is signed by the key that the account gets. */
function recoveredKey(state: StateAccess, { action }: Body, account: Uint8Array): Uint8Array | undefined {
  if (action.kind !== "finish-recovery") return undefined;
  const recovery = load(state, entries.recovery, action.recoveryId);
  return recovery !== undefined && equalBytes(recovery.account, account) ? recovery.publicKey : undefined;
}

function demandOneTime({ checkSignature }: BlockContext, { authorisation, identifier }: Transaction): void {
  const { oneTime } = authorisation;
  demand(oneTime === null || verifyOneTime(oneTime, identifier, checkSignature), "one-time-invalid");
}

/** The envelope of an anonymous transaction: registered relay, signature, and its quota of this minute, counted. */
function demandRelay(
  state: StateAccess,
  block: BlockContext,
  { transaction, quota }: { readonly transaction: Transaction; readonly quota: number },
): void {
  const { relay, oneTime, attributes } = transaction.authorisation;
  if (relay === null) return;
  const value = load(state, entries.account, relay.account);
  const registered = hasRole(state, relay.account, roles.provider | roles.namespace);
  demand(value !== undefined && registered, "relay-unknown");
  const minute = Math.floor(block.timestampMs / 60_000);
  const use = load(state, entries.relayUse, relay.account);
  const count = use?.minute === minute ? use.count : 0;
  demand(count < quota, "relay-quota");
  demand(oneTime !== null && attributes !== null, "authorisation-parts");
  const content = {
    chainId: block.chainId,
    body: transaction.bodyBytes,
    oneTimeSignature: oneTime.signature,
    attributes,
  };
  demand(verifyRelay(value.publicKey, relay, content, block.checkSignature), "relay-invalid");
  save(state, entries.relayUse, relay.account, { minute, count: count + 1 });
}

function useSequence(state: StateAccess, account: Uint8Array): void {
  const value = load(state, entries.account, account);
  demand(value, "signer-unknown");
  save(state, entries.account, account, { ...value, sequence: value.sequence + 1 });
}
