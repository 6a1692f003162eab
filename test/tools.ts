/**
 * Tests that need a tool which npm cannot bring (scripts/tools.mjs): skipped by name with the reason where it can neither
 * be found nor installed, and failing there where CHARTSEAL_REQUIRE_ALL=1 says that nothing may be skipped.
 */
import { describe, it } from "vitest";
import { findTool } from "../scripts/tools.mjs";

/** `describe` for the tests of a tool; the body is given the program's path. */
export function describeTool(tool: string, name: string, body: (path: string) => void): void {
  const found = findTool(tool);
  if ("path" in found) describe(name, () => body(found.path));
  else describeUnlessLacking(name, `${tool}: ${found.reason}`, () => {});
}

/** `describe` for tests that need something else of the machine; `lacks` says what is not there, undefined for nothing. */
export function describeUnlessLacking(name: string, lacks: string | undefined, body: () => void): void {
  if (lacks === undefined) describe(name, body);
  else if (process.env.CHARTSEAL_REQUIRE_ALL === "1") {
    describe(name, () => {
      it("has what it needs", () => {
        throw new Error(lacks);
      });
    });
  } else describe.skip(`${name} (skipped: ${lacks})`, () => {});
}
