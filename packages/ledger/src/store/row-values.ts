/** Values of the store's rows as they must be: what is anything else was not written by this program. */
import { ChartsealError } from "@chartseal/crypto";

export function damaged(): ChartsealError {
  return new ChartsealError("chain-altered", "a row of the ledger's store is not what was written");
}

/** @throws ChartsealError `chain-altered` */
export function blob(value: unknown, size?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (size !== undefined && value.length !== size)) throw damaged();
  return new Uint8Array(value.buffer, value.byteOffset, value.length);
}

/** @throws ChartsealError `chain-altered` */
export function integer(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw damaged();
  return value;
}

/** A node's place, or undefined where there is none. @throws ChartsealError `chain-altered` */
export function place(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : integer(value);
}
