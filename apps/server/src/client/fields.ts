/** Reading a server's answers: nothing of them is believed before it has its form. */
import { ChartsealError, fromHex } from "@chartseal/crypto";

export type Fields = Readonly<Record<string, unknown>>;

/** What a server that speaks otherwise is answered with. */
export function malformed(field: string): ChartsealError {
  return new ChartsealError("chain-altered", `the server's answer is malformed: ${field}`, {
    data: { field },
  });
}

export function fieldsOf(value: unknown, field: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw malformed(field);
}

export function listOf(value: unknown, field: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(field);
}

export function bytesOf(value: unknown, field: string, size?: number): Uint8Array {
  try {
    if (typeof value === "string") return fromHex(value, size);
  } catch {
    // Falls through: no hex of that size.
  }
  throw malformed(field);
}

export function wholeOf(value: unknown, field: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed(field);
}

export function textOf(value: unknown, field: string): string {
  if (typeof value === "string") return value;
  throw malformed(field);
}
