/**
 * passphrase change: the keys stay, what wraps them is replaced. Without a member it is every vault that the old
 * passphrase opens, the services' last: a crash in between is made good by running it again.
 */
import { ChartsealError, hasCode } from "@chartseal/crypto";
import { type Home, listMembers } from "../home/home.ts";
import type { KeyVault } from "../home/key-vault.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openMemberVault, openServiceVault } from "../services/vaults.ts";

export interface PassphraseChanged {
  /** Whose keys the new passphrase opens: members' names, and `service`. */
  readonly changed: readonly string[];
  /** Members whose keys the old passphrase did not open: nothing of theirs was touched. */
  readonly unchanged: readonly string[];
}

/** @throws ChartsealError `passphrase-wrong`, and then nothing was changed */
export async function changePassphrase(
  home: Home,
  options: {
    readonly old: string;
    readonly next: string;
    readonly member?: string;
    readonly waitMs: number;
  },
): Promise<PassphraseChanged> {
  const { old, next, member } = options;
  const lock = await takeOwnHome(home.paths.root, options.waitMs);
  try {
    if (member !== undefined) {
      const vault = await openMemberVault(home, member, old);
      await vault.changePassphrase(next);
      return { changed: [member], unchanged: [] };
    }
    const service = await openServiceVault(home, old);
    const changed: [string, KeyVault][] = [];
    const unchanged: string[] = [];
    for (const { name } of listMembers(home)) {
      const vault = await openedBy(home, name, old);
      if (vault === undefined) unchanged.push(name);
      else changed.push([name, vault]);
    }
    for (const [, vault] of changed) await vault.changePassphrase(next);
    await service.changePassphrase(next);
    return { changed: [...changed.map(([name]) => name), "service"], unchanged };
  } finally {
    lock.release();
  }
}

async function openedBy(home: Home, name: string, passphrase: string): Promise<KeyVault | undefined> {
  try {
    return await openMemberVault(home, name, passphrase);
  } catch (error) {
    if (hasCode(error, "passphrase-wrong")) return undefined;
    throw error;
  }
}

/** @throws ChartsealError `input-invalid` for one that changes nothing */
export function checkNewPassphrase(old: string, next: string): void {
  if (old !== next) return;
  throw new ChartsealError("input-invalid", "the new passphrase is the old one");
}
