/** How a payload is to be divided, as an upload's query says it: `placement=KofN` and `regions=R,…` (spec/9-http.md). */
import { ChartsealError } from "@chartseal/crypto";
import type { TakeOptions } from "@chartseal/sharing";
import { isPlacement } from "@chartseal/storage";
import { z } from "zod";

export const placingQuery = {
  placement: z
    .string()
    .regex(/^[1-9][0-9]?of[1-9][0-9]?$/)
    .optional(),
  regions: z
    .string()
    .max(16 * 17)
    .regex(/^[a-z0-9-]+(,[a-z0-9-]+)*$/)
    .optional(),
};

/** @throws ChartsealError `input-invalid` */
export function placingOf(query: {
  readonly placement?: string | undefined;
  readonly regions?: string | undefined;
}): Pick<TakeOptions, "placement" | "regions"> {
  const regions = query.regions?.split(",") ?? [];
  const [k, n] = query.placement?.split("of").map(Number) ?? [1, 1];
  const placement = { k: k!, n: n!, regions };
  if (!isPlacement(placement)) throw new ChartsealError("input-invalid", "not a way to divide a payload");
  if (query.placement !== undefined) return { placement };
  return regions.length === 0 ? {} : { regions };
}
