/** Every refusal provoked at least once: the cases and the table of refusals hold the same names. */
import { beforeAll, expect, test } from "vitest";
import { refusalTable } from "../src/refusals.ts";
import { access } from "./refusals/access.ts";
import { audits } from "./refusals/audits.ts";
import { changes, faults } from "./refusals/committee.ts";
import { disputes } from "./refusals/disputes.ts";
import { beforeKeys, committee, general } from "./refusals/general.ts";
import { keeping } from "./refusals/keeping.ts";
import { namespaces } from "./refusals/namespaces.ts";
import { records } from "./refusals/records.ts";
import { recovery } from "./refusals/recovery.ts";
import { residency } from "./refusals/residency.ts";
import { special } from "./refusals/special.ts";
import { stake } from "./refusals/stake.ts";
import { stakeWorld } from "./stake-world.ts";
import type { World } from "./world.ts";
import { builtWorld, newWorld } from "./world-build.ts";

let base: World;
let fresh: World;
let staked: World;
beforeAll(async () => {
  base = await builtWorld();
  fresh = await newWorld();
  staked = await stakeWorld();
});

const cases = [
  ...general,
  ...committee,
  ...namespaces,
  ...records,
  ...access,
  ...recovery,
  ...changes,
  ...faults,
  ...special,
  ...residency,
  ...audits,
  ...disputes,
  ...keeping,
];

for (const [name, how, make] of cases) {
  test(`${name}: ${how}`, () => {
    const world = base.fork();
    expect(world.verdict(make(world))).toBe(name);
  });
}

for (const [name, how, make] of beforeKeys) {
  test(`${name}: ${how}`, () => {
    const world = fresh.fork();
    expect(world.verdict(make(world))).toBe(name);
  });
}

for (const [name, how, make] of stake) {
  test(`${name}: ${how}`, () => {
    const world = staked.fork();
    expect(world.verdict(make(world))).toBe(name);
  });
}

test("numbers and names are unique and every refusal has a case", () => {
  const numbers = Object.values(refusalTable).map(([number]) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
  const provoked = new Set([...cases, ...beforeKeys, ...stake].map(([name]) => name));
  expect([...provoked].sort()).toEqual(Object.keys(refusalTable).sort());
});
