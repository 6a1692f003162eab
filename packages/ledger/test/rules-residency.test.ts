/** Residency, placements and repairs as the ledger keeps them. */
import { beforeAll, expect, test } from "vitest";
import { outcomes } from "../src/rules/records.ts";
import { residencyOf } from "../src/rules/residency.ts";
import { entries, load, logKey } from "../src/state-kinds.ts";
import { placementOf, repairOf, stored } from "./refusals/residency.ts";
import { owner, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

test("an owner says where records may lie, and takes it back", () => {
  const world = base.fork();
  expect(residencyOf(world.state, owner.account)).toEqual([]);
  world.do(owner, { kind: "set-residency", regions: ["ch", "eu"] });
  expect(residencyOf(world.state, owner.account)).toEqual(["ch", "eu"]);
  world.do(owner, { kind: "set-residency", regions: [] });
  expect(residencyOf(world.state, owner.account)).toEqual([]);
});

test("placement and repair stand in the record's log, and the last placement in the state", () => {
  const world = stored(base.fork());
  const { recordId } = placementOf(world);
  world.do(service, placementOf(world));
  world.do(owner, { kind: "set-residency", regions: ["eu"] });
  // Shards outside must move: the repair says that they did, then the placement says where all of them lie.
  world.do(service, repairOf(world, { note: "moved" }));
  world.do(service, placementOf(world, { regions: ["eu"] }));
  const log = [1, 2, 3].map((at) => load(world.state, entries.log, logKey(recordId, at))?.outcome);
  expect(log).toEqual([outcomes.placed, outcomes.repaired, outcomes.placed]);
  const { height, ...placement } = load(world.state, entries.placement, recordId)!;
  expect(placement).toEqual({ version: 1, k: 2, n: 3, regions: ["eu"] });
  expect(height).toBe(world.height);
});

test("a residency of no region lets a placement lie anywhere again", () => {
  const world = stored(base.fork());
  world.do(owner, { kind: "set-residency", regions: ["us"] });
  expect(world.verdict(world.signed(service, placementOf(world)))).toBe("placement-outside");
  world.do(owner, { kind: "set-residency", regions: [] });
  expect(world.verdict(world.signed(service, placementOf(world)))).toBe("applied");
});
