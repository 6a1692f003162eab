/**
 * DIR/run/server.json: where the server of a home listens, and the token that its commands sign with (CONTRACT, Locking).
 * Mode 0600, written when the server listens, removed when it stops. One that a killed server left is known by its token,
 * to which nobody answers; the next server replaces it.
 */
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "@chartseal/crypto";
import type { Connection } from "@chartseal/server/client";
import { readJson, removeSmallFile, writeJson } from "../home/files.ts";
import type { HomePaths } from "../home/paths.ts";

export interface ServerAddress {
  /** `http://host:port`. */
  readonly address: string;
  /** 32 bytes. */
  readonly token: Uint8Array;
  readonly pid: number;
}

function pathOf({ run }: Pick<HomePaths, "run">): string {
  return join(run, "server.json");
}

export function writeServerFile(paths: Pick<HomePaths, "run">, server: ServerAddress): void {
  const { address, token, pid } = server;
  writeJson(pathOf(paths), { version: 1, address, token: toHex(token), pid });
}

/** What the file says, or undefined; a damaged one says nothing. */
export function readServerFile(paths: Pick<HomePaths, "run">): ServerAddress | undefined {
  try {
    const value = readJson(pathOf(paths)) as Record<string, unknown> | undefined;
    if (typeof value !== "object" || value === null || typeof value.address !== "string") return undefined;
    new URL(value.address);
    return { address: value.address, token: fromHex(String(value.token), 32), pid: Number(value.pid) };
  } catch {
    return undefined;
  }
}

/** Removes the file if it is still this server's. */
export function removeServerFile(paths: Pick<HomePaths, "run">, { pid, token }: ServerAddress): void {
  const there = readServerFile(paths);
  if (there?.pid === pid && toHex(there.token) === toHex(token)) removeSmallFile(pathOf(paths));
}

export interface LiveServer {
  /** Signs with the token. */
  readonly connection: Connection;
  close(): void;
}

/** The server that runs on the home, where one answers and holds the token. */
export async function findServer(paths: Pick<HomePaths, "run" | "root">): Promise<LiveServer | undefined> {
  const found = readServerFile(paths);
  if (found === undefined) return undefined;
  const [{ Connection, isServerOf, tokenSigner }, { nodeTransport }] = await Promise.all([
    import("@chartseal/server/client"),
    import("@chartseal/server/client-node"),
  ]);
  const transport = nodeTransport();
  const connection = new Connection({
    url: found.address,
    transport,
    now: Date.now,
    unreachable: "provider-unreachable",
    signer: tokenSigner(found.token),
  });
  if (await isServerOf(connection, { token: found.token, folder: realpathSync(paths.root) }))
    return { connection, close: () => transport.close() };
  transport.close();
  return undefined;
}
