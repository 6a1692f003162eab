/**
 * How a command runs: the checks in CONTRACT's order (usage, home, options, member, record, passphrase, authorisation),
 * a session opened for it and closed whatever happens.
 */
import type { Home } from "./home/home.ts";
import { findMember, homeFolder, openHome, requireMember } from "./home/home.ts";
import type { PassphraseFiles } from "./home/passphrase.ts";
import { rekeyForOwners, tellOwners } from "./operations/after-use.ts";
import { completeKeys } from "./operations/keys.ts";
import { recoveryNotices } from "./operations/recovery.ts";
import type { Globals } from "./program-globals.ts";
import { openForReading, type ReadSession, type Session } from "./services/session.ts";
import { commandVaults, type Vaults } from "./services/vaults.ts";
import { openForWriting } from "./services/writing-session.ts";

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
  /** The command makes or opens a member's keys by itself: beside a server it takes no passphrase of the home's. */
  readonly makesKeys?: boolean;
  /** Checks of options and records that need no key; run after the home and before the passphrase. */
  readonly check?: (session: ReadSession) => Promise<void> | void;
}

/**
 * Runs as the home's one writer, with its services and the named members' keys. Members are told first what happened to
 * their records in emergencies; what has to be rekeyed after one is, when the command is done.
 */
export async function writing<T>(
  globals: Globals,
  options: WritingOptions,
  work: (session: Session, vaults: Vaults) => Promise<T>,
): Promise<T> {
  const folder = homeFolder(globals.home);
  const home: Home = openHome(folder);
  const members = [...new Set(options.members ?? [])];
  const { check, makesKeys = false } = options;
  const checks = Promise.withResolvers<void>();
  const wanted = { ...passphraseOption(globals), members, makesKeys, checked: checks.promise };
  const vaults = commandVaults(home, wanted);
  // Keys are derived while the other checks run.
  if (members.every((name) => findMember(home, name) !== undefined)) vaults.begin();
  if (check !== undefined) await reading(globals, async (session) => check(session));
  for (const name of members) requireMember(home, name);
  checks.resolve();
  await vaults.settle();
  const session = await openForWriting(home, { vaults, members, waitMs: globals.waitMs });
  try {
    for (const member of session.members) {
      for (const notice of await recoveryNotices(session, member)) globals.output.warn(notice);
      await completeKeys(session, member);
    }
    await tellOwners(session, globals.output);
    const done = await work(session, vaults);
    await rekeyForOwners(session, globals.output);
    return done;
  } finally {
    await session.close();
  }
}

/** The files that passphrases come from, where the command was given any. */
export function passphraseOption({ passphraseFile, memberPassphraseFile }: Globals): PassphraseFiles {
  return {
    ...(passphraseFile === undefined ? {} : { passphraseFile }),
    ...(memberPassphraseFile === undefined ? {} : { memberPassphraseFile }),
  };
}
