/**
 * A proxy that knows HTTP, between a client and a server that is asked by it: answers of its own, answers that are lost
 * after the server did what was asked, bodies that end early, ranges that are not kept, listings of earlier.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** One of these; what is not there does not happen. */
export interface HttpFault {
  /** Answered in the server's stead with that status; the server is not asked. */
  readonly status?: number;
  /** The server does it, and its answer becomes that status. */
  readonly lost?: number;
  /** The server does it, and its answer comes so many ms later. */
  readonly lateMs?: number;
  /** The answer's body ends after so many bytes, though its length was told. */
  readonly bodyBytes?: number;
  /** The same, and the length that is told is the shorter one: a lie that HTTP itself cannot show. */
  readonly lieBytes?: number;
  /** Answered with all of the object, as it was first given, as a server does that knows no ranges. */
  readonly whole?: true;
  /** What the server answered to the same request the first time. */
  readonly stale?: true;
}

export interface HttpAsked {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

export class HttpFaults {
  readonly #server: Server;
  readonly #earlier = new Map<
    string,
    { status: number; headers: IncomingMessage["headers"]; body: Buffer }
  >();
  /** Asked for each request; undefined lets it be. */
  plan: (asked: HttpAsked) => HttpFault | undefined = () => undefined;
  struck = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(port: number): Promise<HttpFaults> {
    const server = createServer();
    const faults = new HttpFaults(server);
    server.on("request", (asked, answer) => void faults.#serve(asked, answer, port));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return faults;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(asked: IncomingMessage, answer: ServerResponse, port: number): Promise<void> {
    const { method = "GET", url = "/", headers } = asked;
    const fault: HttpFault = this.plan({ method, url, headers }) ?? {};
    if (Object.keys(fault).length > 0) this.struck++;
    const body = await all(asked);
    const earlier = this.#earlier.get(`${method} ${url}`);
    if (fault.status !== undefined) return void answer.writeHead(fault.status).end();
    if (fault.stale === true && earlier !== undefined) {
      return void answer.writeHead(earlier.status, earlier.headers).end(earlier.body);
    }
    if (fault.whole === true && earlier !== undefined) {
      const { "content-range": _range, ...others } = earlier.headers;
      return void answer.writeHead(200, others).end(earlier.body);
    }
    const asking = request({ port, host: "127.0.0.1", method, path: url, headers, agent: false });
    asking.on("error", () => answer.destroy());
    asking.end(body);
    const [given] = (await once(asking, "response").catch(() => [undefined])) as [
      IncomingMessage | undefined,
    ];
    if (given === undefined) return void answer.destroy();
    const bytes = await all(given);
    if (fault.lateMs !== undefined) await delay(fault.lateMs);
    const status = given.statusCode ?? 502;
    if (!this.#earlier.has(`${method} ${url}`))
      this.#earlier.set(`${method} ${url}`, { status, headers: given.headers, body: bytes });
    if (fault.lost !== undefined) return void answer.writeHead(fault.lost).end();
    if (fault.lieBytes !== undefined && bytes.length > fault.lieBytes) {
      const shorter = { ...given.headers, "content-length": String(fault.lieBytes) };
      return void answer.writeHead(status, shorter).end(bytes.subarray(0, fault.lieBytes));
    }
    answer.writeHead(status, given.headers);
    if (fault.bodyBytes !== undefined && bytes.length > fault.bodyBytes) {
      return void answer.write(bytes.subarray(0, fault.bodyBytes), () => answer.destroy());
    }
    answer.end(bytes);
  }
}

async function all(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    for await (const part of stream) parts.push(part as Buffer);
  } catch {
    // A client that is gone asks nothing more.
  }
  return Buffer.concat(parts);
}
