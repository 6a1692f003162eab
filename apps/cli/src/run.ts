/**
 * How a command runs: the checks in CONTRACT's order (usage, home, options, member, record, passphrase, authorisation),
 * a session opened for it and closed whatever happens.
 */
import type { Home } from "./home/home.ts";
import { homeFolder, openHome, requireMember } from "./home/home.ts";
import { readPassphrase } from "./home/passphrase.ts";
import type { Globals } from "./program-globals.ts";
import { openForReading, openSession, type ReadSession, type Session } from "./services/session.ts";

/** Runs with the home opened for reading: no passphrase, no lock. */
export async function reading<T>(globals: Globals, work: (session: ReadSession) => Promise<T>): Promise<T> {
  const session = await openForReading(homeFolder(globals.home));
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

export interface WritingOptions {
  /** Members whose keys the command uses. Checked to exist before a passphrase is asked for. */
  readonly members?: readonly string[];
  /** Checks of options and records that need no key; run after the home and before the passphrase. */
  readonly check?: (session: ReadSession) => Promise<void> | void;
}

/** Runs as the home's one writer, with its services and the named members' keys. */
export async function writing<T>(
  globals: Globals,
  options: WritingOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const folder = homeFolder(globals.home);
  const home: Home = openHome(folder);
  const members = [...new Set(options.members ?? [])];
  const { check } = options;
  if (check !== undefined) await reading(globals, async (session) => check(session));
  for (const name of members) requireMember(home, name);
  const passphrase = await readPassphrase(passphraseOption(globals));
  const session = await openSession(home, { passphrase, members, waitMs: globals.waitMs });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

export function passphraseOption(globals: Globals): { passphraseFile?: string } {
  return globals.passphraseFile === undefined ? {} : { passphraseFile: globals.passphraseFile };
}
