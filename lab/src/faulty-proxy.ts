/**
 * A proxy between a client and a server that does to connections what networks do: ends them after any number of bytes,
 * goes silent, or refuses. It knows nothing of what passes.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What happens to one connection. */
export interface CutPlan {
  /** Bytes from the client to the server after which the connection is broken off. */
  readonly upBytes?: number;
  /** The same for bytes from the server to the client. */
  readonly downBytes?: number;
  /** Bytes of either direction after which nothing passes any more, though the connection stays. */
  readonly stallBytes?: number;
  /** Broken off at once. */
  readonly refuse?: boolean;
}

export interface Faults {
  /** Asked for each new connection, numbered from 0; undefined lets it be. */
  plan(connection: number): CutPlan | undefined;
}

export interface ProxyTarget {
  readonly host?: string;
  readonly port: number;
}

/** Where to listen for a server whose answers name further ports, which nobody can rewrite within TLS: the same ones. */
export interface ProxyTwin {
  /** Another address of loopback than the server's. */
  readonly host: string;
  readonly furtherPorts: readonly number[];
}

export class FaultyProxy {
  /** Where new connections go: a server that was started again may have another port. */
  target: ProxyTarget;
  /** Nothing passes while this is set, on open connections neither. */
  isSilent = false;
  readonly #servers: readonly Server[];
  readonly #sockets = new Set<Socket>();
  #faults: Faults = { plan: () => undefined };
  #connections = 0;
  /** Connections that a plan has broken off or silenced. */
  struck = 0;

  private constructor(target: ProxyTarget, servers: readonly Server[]) {
    this.target = target;
    this.#servers = servers;
  }

  /** On a free port; with a `twin` on the target's own ports at that address. */
  static async start(target: ProxyTarget, twin?: ProxyTwin): Promise<FaultyProxy> {
    const further = twin?.furtherPorts ?? [];
    const [first, ...others] = [createServer(), ...further.map(() => createServer())] as const;
    const proxy = new FaultyProxy(target, [first, ...others]);
    const listen = async (server: Server, port: number): Promise<void> => {
      server.listen(port, twin?.host ?? "127.0.0.1");
      await once(server, "listening");
    };
    first.on("connection", (client) => proxy.#serve(client, proxy.target));
    await listen(first, twin === undefined ? 0 : target.port);
    for (const [at, server] of others.entries()) {
      const port = further[at]!;
      server.on("connection", (client) => proxy.#serve(client, { ...proxy.target, port }));
      await listen(server, port);
    }
    return proxy;
  }

  get port(): number {
    const [server] = this.#servers as readonly [Server];
    return (server.address() as AddressInfo).port;
  }

  /** Host and port, as a URL on loopback has them. */
  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** From the next connection on; connections that are open keep the plan they began with. */
  set faults(faults: Faults | undefined) {
    this.#faults = faults ?? { plan: () => undefined };
    this.#connections = 0;
  }

  /** Breaks off every open connection. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutAll();
    for (const server of this.#servers) {
      server.close();
      await once(server, "close");
    }
  }

  #serve(client: Socket, { port, host = "127.0.0.1" }: ProxyTarget): void {
    const plan = this.#faults.plan(this.#connections++) ?? {};
    if (plan.refuse === true) {
      this.struck++;
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port, host });
    const both = [client, server];
    const end = (): void => {
      for (const socket of both) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of both) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    let passed = 0;
    let isSilent = false;
    const pass = (from: Socket, to: Socket, bytesMax: number | undefined): void => {
      let bytes = 0;
      from.on("data", (data: Buffer) => {
        if (isSilent || this.isSilent) return;
        const room = (bytesMax ?? Number.POSITIVE_INFINITY) - bytes;
        bytes += data.length;
        passed += data.length;
        if (data.length > room) {
          this.struck++;
          // What lies before the cut still arrives.
          if (room > 0) to.write(data.subarray(0, room), end);
          else end();
          return;
        }
        if (passed > (plan.stallBytes ?? Number.POSITIVE_INFINITY)) {
          isSilent = true;
          this.struck++;
          return;
        }
        if (!to.write(data)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.on("end", () => to.end());
    };
    pass(client, server, plan.upBytes);
    pass(server, client, plan.downBytes);
  }
}
