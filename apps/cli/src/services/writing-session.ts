/**
 * How a command comes to write: through the server where one runs on the home, else as the home's one writer. A busy home
 * is waited for; a server that begins meanwhile is taken.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ChartsealError, hasCode } from "@chartseal/crypto";
import { type Home, isOfConsortium } from "../home/home.ts";
import { findServer } from "./server-file.ts";
import { openSession, type Session, type SessionOptions } from "./session.ts";

const stepMs = 25;

/** @throws ChartsealError `passphrase-wrong`, `home-busy`, `chain-altered`; `ledger-unreachable` for an institution without its server */
export async function openForWriting(home: Home, options: SessionOptions): Promise<Session> {
  const { waitMs, ...rest } = options;
  const startedMs = performance.now();
  for (;;) {
    const server = await findServer(home.paths);
    if (server !== undefined) {
      const { openServedSession } = await import("./served-session.ts");
      return await openServedSession(home, server, options);
    }
    // A node that comes and goes with each command would be no validator; the server's is there or nobody writes.
    if (isOfConsortium(home)) {
      throw new ChartsealError("ledger-unreachable", "no server runs on this institution's home", {
        hint: "Start it with chartseal serve, or chartseal network up where all are on this machine.",
      });
    }
    try {
      return await openSession(home, { ...rest, waitMs: 0 });
    } catch (error) {
      const waited = performance.now() - startedMs;
      if (!hasCode(error, "home-busy") || waited >= waitMs) throw error;
      await sleep(Math.min(stepMs, Math.max(1, waitMs - waited)));
    }
  }
}
