/** What the routes of uploads share: whom they count, and how an upload stands. */
import type { Provider } from "@chartseal/sharing";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Staging, Upload } from "../../uploads/staging.ts";
import type { Intake } from "./intake.ts";

export interface UploadRoutes {
  readonly provider: Provider;
  readonly staging: Staging;
  readonly intake: Intake;
  /** Bytes of one payload. */
  readonly payloadBytesMax: number;
}

/** Who is counted; the machine's own commands are not. */
export function addressOf(request: FastifyRequest): string | undefined {
  return request.signer?.kind === "local" ? undefined : request.ip;
}

export const taken = z.strictObject({ address: z.string(), bytes: z.int() });
export const stands = z.strictObject({
  offset: z.int(),
  complete: z.boolean(),
  /** What the provider answers for the whole payload; null until it has taken it. */
  result: taken.nullable(),
});

export function standsOf({ offset, complete, result }: Upload): z.output<typeof stands> {
  const given = result === null ? null : { address: String(result.address), bytes: Number(result.bytes) };
  return { offset, complete, result: given };
}
