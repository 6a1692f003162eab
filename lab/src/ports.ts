/** Ports of loopback that nobody listens on, and waiting until somebody does. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
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
