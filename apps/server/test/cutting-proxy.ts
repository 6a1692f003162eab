/** A TCP proxy that cuts each connection after so many bytes, or holds them up, as the test says from moment to moment. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface Cuts {
  /** Bytes that pass towards the server, and back, on one connection before it is cut; undefined: all. */
  up?: () => number;
  down?: () => number;
  /** Nothing passes while this is set. */
  stalled?: boolean;
}

export class CuttingProxy {
  readonly port: number;
  cuts: Cuts = {};
  target = 0;
  cutCount = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async open(): Promise<CuttingProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new CuttingProxy(server);
  }

  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  #serve(client: Socket): void {
    const server = connect(this.target, "127.0.0.1");
    const both = [client, server];
    for (const socket of both) {
      this.#sockets.add(socket);
      socket
        .on("error", () => {})
        .on("close", () => {
          this.#sockets.delete(socket);
          for (const other of both) other.destroy();
        });
    }
    this.#pass(client, server, this.cuts.up?.());
    this.#pass(server, client, this.cuts.down?.());
  }

  #pass(from: Socket, to: Socket, most: number | undefined): void {
    let left = most ?? Number.POSITIVE_INFINITY;
    from.on("data", (chunk) => {
      if (this.cuts.stalled === true) return;
      const part = chunk.subarray(0, left);
      left -= part.length;
      if (!to.write(part)) {
        from.pause();
        to.once("drain", () => from.resume());
      }
      if (left > 0) return;
      this.cutCount++;
      from.pause();
      // What was written has left by then, where anybody reads.
      setTimeout(() => {
        from.destroy();
        to.destroy();
      }, 5);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Whole numbers from `from` to `to`, the same for the same seed. */
export function seeded(seed: number, from: number, to: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return from + (state % (to - from));
  };
}
