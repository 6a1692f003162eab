/**
 * Erasure with a certificate (CRYPTO §4): the ledger's entry first, from which on every grant is refused; then header,
 * leaf hashes and payload at every copy; then the certificate, in which each holder signs for its copy.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { entries, type Ledger, logKey, outcomes, type RecordValue, type Submitted } from "@chartseal/ledger";
import { demandErasable } from "./keeping.ts";
import type { ErasedCopySignature, Identity, Provider, Surroundings } from "./parties.ts";
import { readEntry, requireRecord } from "./state.ts";
import { AccountWriter } from "./submit.ts";

export interface Erased {
  /** Identifier of the certificate's transaction. */
  readonly certificate: Uint8Array;
  /** The copies that it names, each with its holder's signature. */
  readonly copies: readonly ErasedCopySignature[];
  readonly submitted: Submitted;
}

/**
 * An erasure that an interruption left without its certificate goes on where it stopped.
 * @throws ChartsealError `erased` for a record whose certificate stands, `record-held`, `record-unknown`
 */
export async function erase(
  surroundings: Surroundings & { readonly provider: Provider },
  options: { readonly owner: Identity; readonly recordId: Uint8Array },
): Promise<Erased> {
  const { owner, recordId } = options;
  const { ledger, provider } = surroundings;
  const record = await requireRecord(ledger, recordId);
  const writer = new AccountWriter(surroundings, owner);
  if (record.erasedHeight === null) await demandErasable(surroundings, recordId);
  const submitted =
    record.erasedHeight === null
      ? await writer.submit({ kind: "erase", recordId })
      : await uncertified(ledger, recordId, record);
  const copies = await provider.destroy({ recordId });
  const { identifier } = await writer.submit({ kind: "erase-certificate", recordId, copies });
  return { certificate: identifier, copies, submitted };
}

/** The erasure of a record that has no certificate yet. @throws ChartsealError `erased` where it has one */
async function uncertified(
  ledger: Ledger,
  recordId: Uint8Array,
  { logCount }: RecordValue,
): Promise<Submitted> {
  for (let index = logCount - 1; index >= 0; index--) {
    const entry = await readEntry(ledger, entries.log, logKey(recordId, index));
    if (entry?.outcome === outcomes.certified) break;
    if (entry?.outcome !== outcomes.erased) continue;
    const found = await ledger.transaction(entry.identifier);
    const block = found === undefined ? undefined : await ledger.block(found.height);
    if (found === undefined || block === undefined) break;
    const { height, index: position } = found;
    return { height, index: position, identifier: entry.identifier, blockHash: block.hash };
  }
  throw new ChartsealError("erased", "the record was erased", { data: { recordId: toHex(recordId) } });
}
