/**
 * Errors over HTTP: RFC 9457 problem details that carry the stable codes of packages/crypto/src/errors.ts. The one table
 * from codes to HTTP statuses stands here, at the edge; the client makes the same ChartsealError of what it receives.
 */
import { ChartsealError, type ErrorCode, type ErrorFamily, errorCodes, toHex } from "@chartseal/crypto";

/** The media type of RFC 9457. */
export const problemType = "application/problem+json";

const familyStatus: Readonly<Record<ErrorFamily, number>> = {
  defect: 500,
  usage: 400,
  refused: 403,
  integrity: 409,
  unavailable: 503,
};

/** Codes whose status says more than that of their family. */
const codeStatus: Partial<Readonly<Record<ErrorCode, number>>> = {
  "record-unknown": 404,
  "member-unknown": 404,
  "object-missing": 404,
  erased: 410,
  "signature-invalid": 401,
  "rate-limited": 429,
};

/** RFC 9457, with `code`, `data` and `hint` as extension members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export function statusOf(code: ErrorCode): number {
  return codeStatus[code] ?? familyStatus[errorCodes[code][0]];
}

/** Byte strings as hex and large integers as text: a problem is JSON. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

/** `status` only where the transport says more than the code does, e.g. 413. Causes and stacks stay here. */
export function toProblem(error: ChartsealError, status: number = statusOf(error.code)): Problem {
  const { code, message, hint, data } = error;
  return {
    type: `urn:chartseal:problem:${code}`,
    title: errorCodes[code][1],
    status,
    detail: message,
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(Object.keys(data).length === 0 ? {} : { data: plain(data) as Record<string, unknown> }),
  };
}

/** The error that a problem tells of, or undefined for what is none of ours. */
export function fromProblem(value: unknown): ChartsealError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, detail, hint, data } = value as Record<string, unknown>;
  if (typeof code !== "string" || !Object.hasOwn(errorCodes, code) || typeof detail !== "string")
    return undefined;
  const isRecord = typeof data === "object" && data !== null && !Array.isArray(data);
  return new ChartsealError(code as ErrorCode, detail, {
    ...(isRecord ? { data: data as Record<string, unknown> } : {}),
    ...(typeof hint === "string" ? { hint } : {}),
  });
}
