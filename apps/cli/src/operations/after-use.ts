/**
 * What an owner's client does at the next use of the owner's keys (CRYPTO §3.1, Emergency leaf): it says what happened to
 * the owner's records in emergencies, each stage once, and rekeys them when one is over.
 */
import { join } from "node:path";
import { ChartsealError, toHex } from "@chartseal/crypto";
import { listEmergencies, recordsToRekey, rekeyAfterEmergencies } from "@chartseal/sharing";
import { readJson, writeJson } from "../home/files.ts";
import { memberFolder } from "../home/home.ts";
import type { Output } from "../output.ts";
import type { Session } from "../services/session.ts";
import { type EmergencyLine, emergencyLine } from "./emergencies.ts";

/** Emergency's id → the status that the owner was told. */
type Told = Readonly<Record<string, string>>;

/** On standard error, whatever the form of the output: this is not the command's own result. */
export async function tellOwners(session: Session, output: Output): Promise<void> {
  const { home } = session;
  for (const { name, keys } of session.members) {
    const emergencies = await listEmergencies(session, keys.account);
    if (emergencies.length === 0) continue;
    const file = join(memberFolder(home, name), "emergencies.json");
    const told = (readJson(file) ?? {}) as Told;
    const news = emergencies.filter(({ id, status }) => told[toHex(id)] !== status);
    for (const one of news) output.notice(noticeOf(name, emergencyLine(home, one)));
    if (news.length === 0) continue;
    const now = emergencies.map(({ id, status }) => [toHex(id), status] as const);
    writeJson(file, Object.fromEntries(now));
  }
}

function noticeOf(name: string, line: EmergencyLine): string {
  const { records, first, second, reason, until, status, emergencyId } = line;
  const what = `${records.length} of the records of ${name}`;
  const clinicians = second === null ? first : `${first} and ${second}`;
  const over = line.keyIssued ? "They could read what it names." : "No key was issued for it.";
  const said: Readonly<Record<string, string>> = {
    declared: `${first} declared an emergency over ${what} until ${until}; a second clinician has to confirm it.`,
    "in-force": `${clinicians} stand behind an emergency over ${what} until ${until}.`,
    over: `The emergency of ${clinicians} over ${what} is over. ${over} Your review is asked for.`,
    lapsed: `The emergency that ${first} declared over ${what} ended without a second clinician.`,
    void: `The emergency of ${clinicians} over ${what} is void since a restore. ${over}`,
  };
  const reading = `  Reason: ${JSON.stringify(reason)}. See chartseal emergency show ${emergencyId}`;
  return `Notice for ${name}: ${said[status] ?? status}\n${reading}`;
}

/**
 * New headers for the owners' records that a key of an emergency could have opened. The command's own work is done by now:
 * what fails here is said and is no failure of the command, and the next one tries again.
 */
export async function rekeyForOwners(session: Session, output: Output): Promise<void> {
  try {
    await rekeyAll(session, output);
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.family === "defect") throw error;
    output.warn(`records wait to be rekeyed after an emergency: ${error.code}: ${error.message}`);
  }
}

async function rekeyAll(session: Session, output: Output): Promise<void> {
  for (const { name, keys } of session.members) {
    if (keys.recoveryKey === null) continue;
    const waiting = await recordsToRekey(session, keys.account);
    if (waiting.length === 0) continue;
    const { rekeyed, failed } = await rekeyAfterEmergencies(session, keys);
    const records = rekeyed.length === 1 ? "1 record was" : `${rekeyed.length} records were`;
    output.notice(`Notice for ${name}: ${records} rekeyed after an emergency.`);
    for (const { recordId, error } of failed) {
      output.warn(`record ${toHex(recordId)} could not be rekeyed: ${error.code}: ${error.message}`);
    }
  }
}
