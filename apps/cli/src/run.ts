/**
 * How a command runs: the checks in CONTRACT's order (usage, home, options, member, record, passphrase, authorisation),
 * a session opened for it and closed whatever happens.
 */
import type { Home } from "./home/home.ts";
import { findMember, homeFolder, openHome, requireMember } from "./home/home.ts";
import type { KeyVault } from "./home/key-vault.ts";
import { passphraseAtHand, readPassphrase } from "./home/passphrase.ts";
import { rekeyForOwners, tellOwners } from "./operations/after-use.ts";
import { completeKeys } from "./operations/keys.ts";
import { recoveryNotices } from "./operations/recovery.ts";
import type { Globals } from "./program-globals.ts";
import { openForReading, openVaults, type ReadSession, type Session } from "./services/session.ts";
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
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const folder = homeFolder(globals.home);
  const home: Home = openHome(folder);
  const members = [...new Set(options.members ?? [])];
  const { check } = options;
  const early = deriveEarly(globals, home, members);
  if (check !== undefined) await reading(globals, async (session) => check(session));
  for (const name of members) requireMember(home, name);
  const passphrase = await (early?.passphrase ?? readPassphrase(passphraseOption(globals)));
  const vaults = early === undefined ? {} : { vaults: early.vaults };
  const session = await openForWriting(home, { passphrase, members, waitMs: globals.waitMs, ...vaults });
  try {
    for (const member of session.members) {
      for (const notice of await recoveryNotices(session, member)) globals.output.warn(notice);
      await completeKeys(session, member);
    }
    await tellOwners(session, globals.output);
    const done = await work(session);
    await rekeyForOwners(session, globals.output);
    return done;
  } finally {
    await session.close();
  }
}

/**
 * Begins the key derivations while the command's other checks run, where the passphrase is at hand and nobody has to be
 * asked. What fails here is met, in its turn, where the vaults are opened.
 */
function deriveEarly(
  globals: Globals,
  home: Home,
  members: readonly string[],
): { readonly passphrase: Promise<string>; readonly vaults: Promise<readonly KeyVault[]> } | undefined {
  const known = members.every((name) => findMember(home, name) !== undefined);
  if (!known || !passphraseAtHand(passphraseOption(globals))) return undefined;
  const passphrase = readPassphrase(passphraseOption(globals));
  const vaults = passphrase.then((given) => openVaults(home, given, members));
  vaults.catch(() => {});
  return { passphrase, vaults };
}

export function passphraseOption(globals: Globals): { passphraseFile?: string } {
  return globals.passphraseFile === undefined ? {} : { passphraseFile: globals.passphraseFile };
}
