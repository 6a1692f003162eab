/**
 * What others saw of the chain and the chain must still hold (CRYPTO §5): the last heads that members verified, and the
 * transactions that the provider's tombstones name. A chain that was cut back or replaced is sound in itself; only its
 * witnesses show it.
 */
import { equalBytes, fromHex, toHex } from "@chartseal/crypto";
import { decodeTransaction } from "@chartseal/ledger";
import type { Tombstone } from "../provider/stores.ts";
import { type Finding, remedies } from "./finding.ts";
import { attempt } from "./records.ts";

/** The last block that a member verified; its hash in hex. */
export interface SeenHead {
  readonly member: string;
  readonly height: number;
  readonly hash: string;
}

/** A loss that was accepted and recorded (raise-era): what it says of members' heads is no news. */
export interface AcceptedLoss {
  readonly lostHeight: number;
  /** Height of the block that records it. */
  readonly height: number;
}

export interface HeldChain {
  /** Height of the last block. */
  height(): number;
  /** Hash of a block, or undefined where its row is missing or cannot be read. */
  hashOf(height: number): Uint8Array | undefined;
  holdsTransaction(identifier: Uint8Array): boolean;
  holdsHash(hash: Uint8Array): boolean;
}

/** Members whose last head the chain does not hold. */
export function checkHeads(
  seen: readonly SeenHead[],
  chain: HeldChain,
  loss: AcceptedLoss | undefined,
): Finding[] {
  const last = chain.height();
  return seen.flatMap(({ member, height, hash }): Finding[] => {
    const within = loss !== undefined && height >= loss.height && height <= loss.lostHeight;
    if (height > last && !within) {
      const detail = `${member} has verified block ${height} (${hash}); the chain ends at block ${last}`;
      return [{ kind: "chain-rollback", height: last + 1, member, detail, remedy: remedies.rollback }];
    }
    const held = chain.hashOf(height);
    if (height > last || within || held === undefined || equalBytes(held, fromHex(hash, 32))) return [];
    const detail = `${member} has verified another block ${height} (${hash}): the chain from there on is not the one that members saw`;
    return [{ kind: "chain-fork", height, member, field: "hash", detail, remedy: remedies.rollback }];
  });
}

/** What a tombstone names: a transaction by its identifier or whole, or a block by its hash; undefined for neither. */
export function transactionOf({ transaction: hex }: Tombstone): Uint8Array | undefined {
  return attempt(() => (hex.length === 64 ? fromHex(hex, 32) : decodeTransaction(fromHex(hex)).identifier));
}

/** Tombstones whose transaction or block the chain has lost. Nothing can be said after an accepted loss. */
export function checkTombstones(
  tombstones: readonly Tombstone[],
  chain: HeldChain,
  loss: AcceptedLoss | undefined,
): Finding[] {
  if (loss !== undefined) return [];
  return tombstones.flatMap((tombstone): Finding[] => {
    const named = transactionOf(tombstone);
    if (named === undefined) return [];
    if (tombstone.kind !== "erased") {
      if (chain.holdsHash(named) || chain.holdsTransaction(named)) return [];
      const what = tombstone.kind === "revoked" ? "attributes" : "a replaced key";
      const detail = `the provider took ${what} from ${tombstone.account} after a block that the chain no longer holds`;
      return [{ kind: "chain-rollback", height: chain.height() + 1, detail, remedy: remedies.rollback }];
    }
    if (chain.holdsTransaction(named)) return [];
    const { recordId } = tombstone;
    const detail = `the provider destroyed the objects of record ${recordId} for transaction ${toHex(named)}, which the chain no longer holds`;
    return [
      { kind: "chain-rollback", height: chain.height() + 1, recordId, detail, remedy: remedies.rollback },
    ];
  });
}
