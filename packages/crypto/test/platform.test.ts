import { expect, it } from "vitest";
import { platform } from "#platform";
it("the package's own import finds the platform of Node", () => {
  expect(platform.name).toBe("node");
});
