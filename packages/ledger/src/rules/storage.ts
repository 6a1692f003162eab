/** The storage receipt beside a deposit or a rekey: a registered provider holds header and payload (CRYPTO §4). */
import type { Statement } from "../actions.ts";
import { verifyStorageReceipt } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import { providerOf, type Setting } from "./setting.ts";

/** Largest payload: 1 TiB. */
const payloadBytesMax = 2 ** 40;

/** @returns the provider's account. @throws Refusal `storage-receipt-invalid`, `statement-invalid` */
export function demandStored(
  { state, block, transaction }: Setting,
  stored: {
    readonly recordId: Uint8Array;
    readonly address: string;
    readonly headerHash: Uint8Array;
    readonly statement: Statement;
  },
): Uint8Array {
  const { recordId, address, headerHash, statement } = stored;
  const { payloadDigest, payloadLength } = statement;
  demand(payloadLength <= payloadBytesMax, "statement-invalid");
  const receipt = transaction.authorisation.storageReceipt;
  const provider = receipt === null ? undefined : providerOf(state, receipt.provider);
  demand(receipt !== null && provider !== undefined, "storage-receipt-invalid");
  const said = { recordId, address, headerHash, payloadDigest, payloadLength };
  const holds = verifyStorageReceipt(provider.publicKey, receipt.signature, said, block.checkSignature);
  demand(holds, "storage-receipt-invalid");
  return receipt.provider;
}
