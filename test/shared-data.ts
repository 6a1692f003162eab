/**
 * The published vectors and sample records that live beside the project, not in it. A stranger's clone has none: tests
 * that need them are skipped by name there, and fail where CHARTSEAL_REQUIRE_ALL=1 says that nothing may be skipped.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "..", "shared", "data");

/** True where the data is there, or where its absence must show as a failure. */
export const hasSharedData: boolean = existsSync(folder) || process.env.CHARTSEAL_REQUIRE_ALL === "1";

/** `describe`, skipped by name with its reason where the shared data is absent. */
export function describeShared(name: string, body: () => void): void {
  if (hasSharedData) describe(name, body);
  else describe.skip(`${name} (skipped: the shared data folder is not beside this clone)`, () => {});
}

/** Path of a shared file or folder. */
export function sharedPath(...parts: string[]): string {
  return join(folder, ...parts);
}

export function sharedBytes(...parts: string[]): Uint8Array {
  return readFileSync(sharedPath(...parts));
}

export function sharedJson(...parts: string[]): unknown {
  return JSON.parse(readFileSync(sharedPath(...parts), "utf8"));
}

export function sharedFiles(...parts: string[]): string[] {
  return readdirSync(sharedPath(...parts)).sort();
}
