/**
 * Rules small enough to be checked by eye, for testing the machine and the engines: accounts that hold a balance.
 * Transactions are CBOR [nonce, "give" | "take" | "drop" | "name", account number, amount or block hash].
 */
import {
  type CborValue,
  ChartsealError,
  decode,
  encode,
  equalBytes,
  hash,
  sha256,
  u64,
} from "@chartseal/crypto";
import type { BlockPosition, Rules, StateAccess } from "../src/index.ts";
import { blockKind } from "../src/index.ts";

export const balanceKind = 1;
export const seenKind = 2;
export const lastKind = 3;
export const proposerKind = 4;

export const refusals = { seen: 1, poor: 2, "block-unknown": 3, malformed: 4 } as const;

export type ToyAction =
  | readonly ["give" | "take", account: number, amount: number]
  | readonly ["drop", account: number]
  | readonly ["name", height: number, hash: Uint8Array];

export function toyTransaction(nonce: number, action: ToyAction): Uint8Array {
  return encode([nonce, ...action]);
}

export function toyGenesis(proposer: Uint8Array, name = "toy"): Uint8Array {
  return encode([1, name, proposer]);
}

export function accountKey(account: number): Uint8Array {
  return u64(account);
}

function refuse(name: keyof typeof refusals): never {
  const data = { refusal: refusals[name], name };
  throw new ChartsealError("transaction-refused", `refused: ${name}`, { data });
}

export function balanceOf(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : Number(decode(value, { sizeMax: 16 }));
}

function applyToy(
  state: StateAccess,
  position: BlockPosition,
  bytes: Uint8Array,
): { identifier: Uint8Array } {
  const identifier = sha256(bytes);
  // Written before anything is checked: what a refused transaction wrote must not stay.
  state.put(lastKind, u64(0), identifier);
  if (state.get(seenKind, identifier) !== undefined) refuse("seen");
  state.put(seenKind, identifier, u64(position.height));
  const [, verb, number, argument] = decode(bytes, { sizeMax: 1 << 18 }) as [
    number,
    string,
    number,
    CborValue,
  ];
  const key = accountKey(number);
  const balance = balanceOf(state.get(balanceKind, key));
  if (verb === "drop") state.remove(balanceKind, key);
  else if (verb === "name") {
    const held = state.get(blockKind, u64(number));
    if (held === undefined || !equalBytes(held, argument as Uint8Array)) refuse("block-unknown");
  } else if (verb === "give") state.put(balanceKind, key, encode(balance + Number(argument)));
  else if (verb === "take") {
    state.put(balanceKind, key, encode(0));
    if (balance < Number(argument)) refuse("poor");
    state.put(balanceKind, key, encode(balance - Number(argument)));
  } else refuse("malformed");
  return { identifier };
}

export function toyRules(genesis: Uint8Array): Rules {
  const [, , proposer] = decode(genesis, { sizeMax: 1024 }) as [number, string, Uint8Array];
  return {
    chainId: hash("ledger/genesis", genesis),
    genesis,
    createdMs: 1_000,
    initialise: (state) => state.put(proposerKind, new Uint8Array(), proposer),
    mayPropose: (state, key) =>
      equalBytes(state.get(proposerKind, new Uint8Array()) ?? new Uint8Array(), key),
    apply: applyToy,
  };
}
