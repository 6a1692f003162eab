/**
 * Erasure with a certificate (CRYPTO §4): the ledger's entry first, from which on every grant is refused; then header,
 * leaf hashes and payload at every copy; then the certificate, in which each holder signs for its copy.
 */
import type { Submitted } from "@chartseal/ledger";
import type { Identity, Provider, Surroundings } from "./parties.ts";
import { requireRecord } from "./state.ts";
import { AccountWriter } from "./submit.ts";

export interface Erased {
  readonly certificate: Uint8Array;
  readonly submitted: Submitted;
}

/** @throws ChartsealError `erased` for a record that was erased before, `record-unknown` */
export async function erase(
  surroundings: Surroundings & { readonly provider: Provider },
  options: { readonly owner: Identity; readonly recordId: Uint8Array },
): Promise<Erased> {
  const { owner, recordId } = options;
  await requireRecord(surroundings.ledger, recordId);
  const writer = new AccountWriter(surroundings, owner);
  const erased = await writer.submit({ kind: "erase", recordId });
  const copies = await surroundings.provider.destroy({ recordId, transaction: erased.identifier });
  const submitted = await writer.submit({ kind: "erase-certificate", recordId, copies });
  return { certificate: submitted.identifier, submitted: erased };
}
