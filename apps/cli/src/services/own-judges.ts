/**
 * A home's own part in disputes about transforms, where no server runs on it: its provider opens the key that it is asked
 * for, and its authority nodes judge. Done at the beginning of every command that has the services' keys.
 */
import { isFamily } from "@chartseal/crypto";
import type { OpenDisputes, StorageProvider } from "@chartseal/sharing";
import type { OwnDriver } from "./authority-nodes.ts";

/** What cannot be done now, as of a damaged key, stops no command: the dispute waits, and the next one tries again. */
export async function judgeOwn(parts: {
  readonly disputes: OpenDisputes;
  readonly provider: Pick<StorageProvider, "openDisputed">;
  readonly drivers: readonly OwnDriver[];
}): Promise<void> {
  const { disputes, provider, drivers } = parts;
  if ((await disputes.read()).length === 0) return;
  try {
    await provider.openDisputed();
    for (const driver of drivers) while (await driver.judge());
  } catch (error) {
    if (!isFamily(error, "unavailable") && !isFamily(error, "integrity")) throw error;
  }
}
