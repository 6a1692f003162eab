/** The consortium's settings: defaults of the genesis, changed by a vote and by nothing else. */
import { beforeAll, expect, test } from "vitest";
import type { ActionOf } from "../src/actions.ts";
import { signAdmission } from "../src/authorisation.ts";
import { defaultSettings, settingsOf } from "../src/rules/set-settings.ts";
import { consortiumOf } from "../src/rules/setting.ts";
import { encodeTransaction } from "../src/transaction.ts";
import { owner, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const changed = {
  emergencyAttributes: ["cardiologist@cedars", "physician@cedars"],
  recoveryRequired: true,
  recoveryDelayMs: 60_000,
  emergencyLifetimeMs: 3_600_000,
};
const actionOf = (changes: object = {}): ActionOf<"set-settings"> => ({
  kind: "set-settings",
  ...changed,
  ...changes,
});

/** By the vote of these, whose stake is all there is where it is the service's. */
function voted(world: World, action: ActionOf<"set-settings">, by = [service]): Uint8Array {
  const body = world.body(action);
  return encodeTransaction(body, { admissions: by.map(({ seed }) => signAdmission(seed, body)) });
}

test("before the first vote the defaults stand, with the genesis' attributes", () => {
  const { parameters } = consortiumOf(base.state);
  expect(settingsOf(base.state)).toEqual(defaultSettings(parameters));
  expect(defaultSettings({ ...parameters, emergencyAttributes: ["a@b"] })).toEqual({
    emergencyAttributes: ["a@b"],
    recoveryRequired: false,
    recoveryDelayMs: 604_800_000,
    emergencyLifetimeMs: 86_400_000,
  });
});

test("a vote changes them at once, and the next vote again", () => {
  const world = base.fork();
  world.submit(voted(world, actionOf()));
  expect(settingsOf(world.state)).toEqual(changed);
  world.submit(voted(world, actionOf({ emergencyAttributes: [] })));
  expect(settingsOf(world.state)).toEqual({ ...changed, emergencyAttributes: [] });
});

test("nobody changes them without a vote: no member, no account beside it, no vote of one who is no validator", () => {
  const world = base.fork();
  const action = actionOf();
  expect(world.verdict(voted(world, action, []))).toBe("admission-missing");
  expect(world.verdict(voted(world, action, [owner]))).toBe("admission-invalid");
  expect(world.verdict(world.admitted(service, action))).toBe("authorisation-parts");
});

test("attributes ascend, are known and nobody's own; times have bounds", () => {
  const world = base.fork();
  const verdict = (changes: object): string => world.verdict(voted(world, actionOf(changes)));
  expect(verdict({ emergencyAttributes: ["b@cedars", "a@cedars"] })).toBe("attributes-invalid");
  expect(verdict({ emergencyAttributes: ["a@cedars", "a@cedars"] })).toBe("attributes-invalid");
  expect(verdict({ emergencyAttributes: ["a@nowhere"] })).toBe("attribute-unknown");
  expect(verdict({ emergencyAttributes: [`${"ab".repeat(20)}@self`] })).toBe("settings-invalid");
  expect(verdict({ emergencyLifetimeMs: 0 })).toBe("settings-invalid");
  expect(verdict({ emergencyLifetimeMs: 367 * 86_400_000 })).toBe("settings-invalid");
  expect(verdict({ recoveryDelayMs: 367 * 86_400_000 })).toBe("settings-invalid");
});
