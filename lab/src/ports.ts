/** Ports of loopback that nobody listens on, and waiting until somebody does. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

// Below those that systems hand out by themselves (32768 and above on Linux, 49152 elsewhere): a connection that anybody
// opens meanwhile takes none of them.
const firstPort = 10_000;
const lastPort = 32_767;
const givenOut = new Set<number>();

/** By chance, so that programs that ask at the same time get others; never twice in one process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    const port = randomInt(firstPort, lastPort + 1);
    if (givenOut.has(port) || !(await isFree(port))) continue;
    givenOut.add(port);
    return port;
  }
  throw new Error("no port of loopback is free");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Until the port answers. @throws Error after `msMax`, or where `gone` says that nobody will ever listen */
export async function listening(port: number, gone: () => boolean, msMax = 30_000): Promise<void> {
  const until = performance.now() + msMax;
  while (!(await isListening(port))) {
    if (gone()) throw new Error(`the server on port ${port} ended by itself`);
    if (performance.now() > until) throw new Error(`nothing listens on port ${port}`);
    await sleep(50);
  }
}
