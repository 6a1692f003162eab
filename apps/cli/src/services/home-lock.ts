/**
 * The home for oneself, as some operations need it: not beside a server, and not beside another writer. And a member for
 * oneself beside a server: two commands that renew one member's keys at once would keep the secret of only one of them.
 */
import { join } from "node:path";
import { ChartsealError, hasCode } from "@chartseal/crypto";
import { type HomeLock, takeHomeLock } from "@chartseal/ledger/embedded";
import { type HomePaths, homePaths } from "../home/paths.ts";
import { findServer } from "./server-file.ts";

/** @throws ChartsealError `home-busy`: at once where a server runs, which does not end by being waited for */
export async function takeOwnHome(folder: string, waitMs: number): Promise<HomeLock> {
  const server = await findServer(homePaths(folder));
  if (server === undefined) return await takeHomeLock(folder, waitMs);
  server.close();
  throw new ChartsealError("home-busy", "a server runs on this home", {
    hint: "Stop it (chartseal serve), then run this again.",
  });
}

/** Holds these members, in one order for every command, until released. @throws ChartsealError `home-busy` */
export async function takeMembers(
  { run }: Pick<HomePaths, "run">,
  names: readonly string[],
  waitMs: number,
): Promise<{ release(): void }> {
  const held: HomeLock[] = [];
  const release = (): void => {
    for (const lock of held.splice(0)) lock.release();
  };
  try {
    for (const name of [...names].sort()) held.push(await takeHomeLock(join(run, "members", name), waitMs));
  } catch (error) {
    release();
    if (!hasCode(error, "home-busy")) throw error;
    throw new ChartsealError("home-busy", "another command is using this member's keys", { cause: error });
  }
  return { release };
}
