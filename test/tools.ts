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
  else if (process.env.CHARTSEAL_REQUIRE_ALL === "1") {
    describe(name, () => {
      it(`has ${tool}`, () => {
        throw new Error(found.reason);
      });
    });
  } else describe.skip(`${name} (skipped: ${found.reason})`, () => {});
}
