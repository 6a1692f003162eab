/**
 * Which transactions ended an account's vouches: the tombstone of a revocation carries them whole, since a ledger that
 * was restored from before needs the hospital's own signature to end the vouch again (CONTRACT, Files).
 */
import { equalBytes, namespaceOf, toHex } from "@chartseal/crypto";
import { type ActionOf, decodeTransaction, entries, type Ledger, vouchKey } from "@chartseal/ledger";
import { readEntry } from "../state.ts";

export interface Revocation {
  readonly attributes: readonly string[];
  /** Identifier in hex; the block's hash where its transaction is not found. */
  readonly transaction: string;
  /** The transaction's bytes in hex. */
  readonly bytes?: string;
}

/** The revocations behind ended vouches, each once, with the attributes that it ended. */
export async function revocationsOf(
  ledger: Ledger,
  account: Uint8Array,
  attributes: readonly string[],
): Promise<Revocation[]> {
  const found = new Map<string, Revocation>();
  for (const attribute of attributes) {
    const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
    const { attributes: _, ...origin } = await originOf(
      ledger,
      { account, attribute },
      vouch?.endedHeight ?? null,
    );
    const before = found.get(origin.transaction)?.attributes ?? [];
    found.set(origin.transaction, { ...origin, attributes: [...before, attribute] });
  }
  return [...found.values()];
}

async function originOf(
  ledger: Ledger,
  ended: { readonly account: Uint8Array; readonly attribute: string },
  height: number | null,
): Promise<Revocation> {
  const block = height === null ? undefined : await ledger.block(height);
  for (const bytes of (block?.transactions ?? []).flatMap(revocationsIn)) {
    const { body, identifier } = decodeTransaction(bytes);
    if (body.action.kind !== "revoke" || !ends(body.action, ended)) continue;
    return { attributes: [ended.attribute], transaction: toHex(identifier), bytes: toHex(bytes) };
  }
  return { attributes: [ended.attribute], transaction: toHex(block?.hash ?? (await ledger.head()).hash) };
}

/** The transaction itself, or those that a new era applied again. */
function revocationsIn(bytes: Uint8Array): readonly Uint8Array[] {
  const { action } = decodeTransaction(bytes).body;
  return action.kind === "raise-era" ? action.tombstones : [bytes];
}

function ends(
  action: ActionOf<"revoke">,
  { account, attribute }: { readonly account: Uint8Array; readonly attribute: string },
): boolean {
  if (!equalBytes(action.account, account) || action.namespace !== namespaceOf(attribute)) return false;
  return action.attributes.length === 0 || action.attributes.includes(attribute);
}
