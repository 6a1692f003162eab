/**
 * The end of a login on this machine (RFC 8252 §7.3): one request to a free port of 127.0.0.1, taken once, from a browser
 * that comes with the login's state. Everything else gets a page that says nothing.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ChartsealError } from "@chartseal/crypto";

const page = (sentence: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Chartseal</title><p>${sentence}</p></html>`;

export class LoopbackRedirect {
  readonly redirectUri: string;
  readonly #server: Server;
  #take: ((url: URL) => boolean) | undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.redirectUri = `http://127.0.0.1:${port}/callback`;
    server.on("request", (request, response) => {
      const url = new URL(request.url ?? "/", this.redirectUri);
      const taken = request.method === "GET" && url.pathname === "/callback" && this.#take?.(url) === true;
      response.writeHead(taken ? 200 : 404, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'",
        "cache-control": "no-store",
        connection: "close",
      });
      response.end(page(taken ? "You may close this page: chartseal goes on." : "Nothing here."));
    });
  }

  static async open(): Promise<LoopbackRedirect> {
    const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 * 1024 });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new LoopbackRedirect(server, (server.address() as AddressInfo).port);
  }

  /** The address that the browser came with. @throws ChartsealError `identity-unreachable` where nobody comes in time */
  async wait(options: { readonly state: string; readonly timeoutMs: number }): Promise<URL> {
    const { state, timeoutMs } = options;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<URL>((resolve, reject) => {
        this.#take = (url) => {
          if (url.searchParams.get("state") !== state) return false;
          this.#take = undefined;
          resolve(url);
          return true;
        };
        const late = new ChartsealError(
          "identity-unreachable",
          "nobody came back from the identity provider",
          {
            hint: "Open the address that was printed, or give --paste.",
          },
        );
        timer = setTimeout(() => reject(late), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
