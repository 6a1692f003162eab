/** Refusals about where records may lie, how they are divided and what was made again. */
import type { ActionOf } from "../../src/actions.ts";
import { owner, service, stranger, type World } from "../world.ts";
import type { Case } from "./making.ts";

export const placementOf = (
  w: World,
  changes: Partial<ActionOf<"record-placement">> = {},
): ActionOf<"record-placement"> => ({
  kind: "record-placement",
  recordId: w.oneTime("placed").id,
  version: 1,
  k: 2,
  n: 3,
  regions: ["ch", "eu"],
  ...changes,
});

export const repairOf = (
  w: World,
  changes: Partial<ActionOf<"record-repair">> = {},
): ActionOf<"record-repair"> => ({
  kind: "record-repair",
  recordId: w.oneTime("placed").id,
  k: 2,
  n: 3,
  lost: 1,
  rebuilt: 1,
  regions: ["eu"],
  note: "a disk was lost",
  ...changes,
});

/** A world with the record of which the cases speak. */
export function stored(w: World): World {
  w.submit(w.ownerDeposit("placed"));
  return w;
}

const placing = (changes: Partial<ActionOf<"record-placement">>) => (w: World) =>
  stored(w).signed(service, placementOf(w, changes));
const repairing = (changes: Partial<ActionOf<"record-repair">>) => (w: World) =>
  stored(w).signed(service, repairOf(w, changes));
const confined = (w: World): World => {
  w.do(owner, { kind: "set-residency", regions: ["eu"] });
  return w;
};

export const residency: readonly Case[] = [
  ["residency-invalid", "regions out of order", (w) => w.signed(owner, residencyTo("eu", "ch"))],
  ["residency-invalid", "a region twice", (w) => w.signed(owner, residencyTo("ch", "ch"))],
  ["role-missing", "a residency of one who is no member", (w) => w.signed(service, residencyTo("ch"))],
  ["placement-invalid", "no data shard", placing({ k: 0 })],
  ["placement-invalid", "more data shards than shards", placing({ k: 4 })],
  ["placement-invalid", "too many shards", placing({ k: 2, n: 17 })],
  ["placement-invalid", "in no region", placing({ regions: [] })],
  ["placement-invalid", "regions out of order", placing({ regions: ["eu", "ch"] })],
  ["placement-outside", "outside the owner's residency", (w) => placing({})(confined(w))],
  ["placement-outside", "a repair outside of it", (w) => repairing({ regions: ["ch"] })(confined(w))],
  [
    "placement-known",
    "the same once more",
    (w) => {
      stored(w).do(service, placementOf(w));
      return w.signed(service, placementOf(w));
    },
  ],
  ["record-version", "of a version to come", placing({ version: 2 })],
  ["role-missing", "by one who does not hold the record", (w) => stored(w).signed(stranger, placementOf(w))],
  ["role-missing", "a repair by the owner", (w) => stored(w).signed(owner, repairOf(w))],
  [
    "record-erased",
    "of an erased record",
    (w) => {
      const { recordId } = placementOf(w);
      stored(w).do(owner, { kind: "erase", recordId });
      return w.signed(service, placementOf(w));
    },
  ],
  ["repair-invalid", "of nothing", repairing({ lost: 0, rebuilt: 0 })],
  ["repair-invalid", "of more than there was", repairing({ lost: 4 })],
  ["repair-invalid", "more made again than was lost", repairing({ lost: 1, rebuilt: 2 })],
];

function residencyTo(...regions: string[]): ActionOf<"set-residency"> {
  return { kind: "set-residency", regions };
}
