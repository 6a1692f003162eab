/** A provider that asks no ledger and leaves no receipt: the heavy part, with whatever key it has. */
import { type AttributeKey, decapsulate, select } from "@chartseal/crypto";
import { checkHeader, headerName, readCommittee, requireRecord, type Transformed } from "../src/index.ts";
import { leafSource } from "../src/provider/payload.ts";
import { getRange, getWhole } from "../src/streams.ts";
import type { World } from "./world.ts";

/** Undefined where the key does not satisfy the record's sealed policy. */
export async function rogueTransform(
  { pairing, ledger, stores }: World,
  key: AttributeKey,
  recordId: Uint8Array,
): Promise<Transformed | undefined> {
  const record = await requireRecord(ledger, recordId);
  const header = await getWhole(stores.objects, headerName(record.address), 1 << 20);
  const mpk = (await readCommittee(ledger, pairing)).reading.publicKey;
  const registered = { ...record, recordId, statement: record.current };
  const { policy, encapsulation } = checkHeader(pairing, { bytes: header, registered, mpk });
  if (select(policy, new Set(key.k2.keys())) === undefined) return undefined;
  return {
    transform: pairing.gt.encode(decapsulate(pairing, { key, policy, encapsulation })),
    // Nobody is to be held to this answer: it has no receipt either.
    statement: { rows: [], signature: new Uint8Array(64) },
    header,
    leaves: await leafSource(stores, record),
    payload: (offset, length) => getRange(stores.objects, record.address, { offset, length }),
  };
}
