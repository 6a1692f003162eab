/** A consortium of validators in memory: each an identity whose key is its consensus key too, as at the genesis. */
import { encode, sha256, toHex, utf8 } from "@chartseal/crypto";
import { type Action, type ActionOf, actionTable } from "../src/actions.ts";
import { signAdmission } from "../src/authorisation.ts";
import type { Codec } from "../src/codec.ts";
import { voteBytes, voteTypes } from "../src/light/hashes.ts";
import { cometChainId } from "../src/light/types.ts";
import { validatorOf, validatorsInForce } from "../src/rules/validators.ts";
import type { EvidenceVote } from "../src/stake-values.ts";
import { type Admission, encodeTransaction } from "../src/transaction.ts";
import { signRaw } from "./comet-fixture.ts";
import { type Identity, identity, type World } from "./world.ts";
import { newWorld } from "./world-build.ts";

export const validators: readonly Identity[] = ["one", "two", "three", "four", "five", "six"].map((label) =>
  identity(`validator ${label}`),
);
export const dayMs = 24 * 60 * 60_000;

/** Validators of the genesis with these stakes. */
export function stakeWorld(stakes: readonly number[] = [10, 10, 10, 10]): Promise<World> {
  return newWorld({
    validators: stakes.map((stake, at) => ({ publicKey: validators[at]!.publicKey, stake })),
  });
}

/** By the admissions of these. */
export function admittedBy(world: World, by: readonly Identity[], action: Action): Uint8Array {
  const body = world.body(action);
  return encodeTransaction(body, { admissions: admissionsOf(body, by) });
}

/** Done by those who are in force, of the six. */
export function voteIn(world: World, action: Action): Uint8Array {
  return world.submit(admittedBy(world, inForce(world), action));
}

/** Those of the six that are in force. */
export function inForce(world: World): readonly Identity[] {
  const keys = validatorsInForce(world.state).map(({ publicKey }) => toHex(publicKey));
  return validators.filter(({ publicKey }) => keys.includes(toHex(publicKey)));
}

export function admissionsOf(body: Uint8Array, by: readonly Identity[]): Admission[] {
  const admissions = by.map(({ seed }) => signAdmission(seed, body));
  return admissions.sort((a, b) => (toHex(a.validator) < toHex(b.validator) ? -1 : 1));
}

/** An institution's account, which the validators admit. */
export function registerNode(world: World, who: Identity): void {
  const { publicKey, hpkeKey } = who;
  const action = { kind: "register-node", publicKey, hpkeKey } as const;
  const body = world.body(action);
  world.submit(world.signed(who, action, { body, admissions: admissionsOf(body, inForce(world)) }));
}

/** An action as a proposal holds it. */
export function proposed(action: Action): Uint8Array {
  const [number, fields] = actionTable[action.kind];
  return encode([number, (fields as unknown as Codec<unknown>).write(action)]);
}

export function proposal(
  world: World,
  action: Action,
  lapsesMs = world.timestampMs + dayMs,
): ActionOf<"propose"> {
  return { kind: "propose", action: proposed(action), lapsesMs, note: "why" };
}

/** Stakes in force by the validators' numbers. */
export function powers(world: World): (number | undefined)[] {
  const set = validatorsInForce(world.state);
  return validators.map(
    (one) => set.find(({ publicKey }) => toHex(publicKey) === toHex(one.publicKey))?.stake,
  );
}

export const value = (world: World, at: number) => validatorOf(world.state, validators[at]!.publicKey)!;

export interface Doubled {
  readonly height?: number;
  readonly round?: number;
  readonly voteType?: "prevote" | "precommit";
  /** Who signs; the validator itself unless told otherwise. */
  readonly signer?: Identity;
  readonly chainId?: string;
  /** Names of the two blocks; null: none. */
  readonly blocks?: readonly [string | null, string | null];
}

/** Two votes of one validator. */
export function equivocationOf(world: World, by: Identity, options: Doubled = {}): ActionOf<"equivocation"> {
  const { height = 9, round = 0, voteType = "precommit", signer = by, blocks = ["a", "b"] } = options;
  const chainId = options.chainId ?? cometChainId(toHex(world.chainId));
  const voteFor = (name: string | null): EvidenceVote => {
    const hash = (what: string) => sha256(utf8(`${what} ${name}`));
    const blockId = name === null ? null : { hash: hash("block"), total: 1, partsHash: hash("parts") };
    const id = blockId && { hash: blockId.hash, parts: { total: 1, hash: blockId.partsHash } };
    const time = { seconds: 1_700_000_000, nanos: 7 };
    const bytes = voteBytes(chainId, { type: voteTypes[voteType], height, round, blockId: id, time });
    return { blockId, ...time, signature: signRaw(signer.seed, bytes) };
  };
  const [first, second] = [voteFor(blocks[0]), voteFor(blocks[1])];
  return { kind: "equivocation", validator: by.publicKey, voteType, height, round, first, second };
}

/** A transaction that nobody signs. */
export function unsigned(world: World, action: Action): Uint8Array {
  return encodeTransaction(world.body(action), {});
}
