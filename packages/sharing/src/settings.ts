/** What the consortium has settled about emergencies and recovery: read by every client, changed by a vote (CRYPTO §3.1). */
import { ChartsealError } from "@chartseal/crypto";
import {
  defaultSettings,
  emptyKey,
  encodeTransaction,
  entries,
  type Settings,
  type Submitted,
} from "@chartseal/ledger";
import type { Surroundings } from "./parties.ts";
import { type Reader, readEntry } from "./state.ts";
import { type Admitter, admissionsOf, currentBody, refusalForUsers } from "./submit.ts";

/** The settings in force; the defaults where no vote has changed them. */
export async function readSettings(ledger: Reader): Promise<Settings> {
  const settings = await readEntry(ledger, entries.settings, emptyKey);
  if (settings !== undefined) return settings;
  const consortium = await readEntry(ledger, entries.consortium, emptyKey);
  if (consortium === undefined) throw new ChartsealError("chain-altered", "the state holds no consortium");
  return defaultSettings(consortium.parameters);
}

/** Changes settings, the others as they are, with the votes of these validators. @throws ChartsealError `input-invalid`, … */
export async function setSettings(
  surroundings: Surroundings,
  options: { readonly changes: Partial<Settings>; readonly admittedBy: readonly Admitter[] },
): Promise<{ readonly submitted: Submitted; readonly settings: Settings }> {
  const { ledger } = surroundings;
  const settings = { ...(await readSettings(ledger)), ...options.changes };
  const body = await currentBody(surroundings, { kind: "set-settings", ...settings });
  const admissions = await admissionsOf(options.admittedBy, body);
  try {
    return { submitted: await ledger.submit(encodeTransaction(body, { admissions })), settings };
  } catch (error) {
    throw refusalForUsers(error);
  }
}
