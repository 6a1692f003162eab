/** Requests by node:http: starts in milliseconds, keeps connections alive, streams both ways with back pressure. */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";

/** A connection on which nothing moves for so long is given up. */
const idleTimeoutMs = 120_000;

export function nodeTransport(): Transport {
  const agents = {
    "http:": new Agent({ keepAlive: true, maxSockets: 16 }),
    "https:": new TlsAgent({ keepAlive: true, maxSockets: 16 }),
  };
  return {
    send: (origin, request) => send(agents, origin, request),
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

async function send(
  agents: { readonly "http:": Agent; readonly "https:": TlsAgent },
  origin: URL,
  { method, target, headers, body, signal }: HttpRequest,
): Promise<HttpResponse> {
  const isTls = origin.protocol === "https:";
  const length = body instanceof Uint8Array ? { "content-length": String(body.length) } : {};
  const options = {
    method,
    host: origin.hostname.replace(/^\[|\]$/g, ""),
    port: origin.port === "" ? (isTls ? 443 : 80) : Number(origin.port),
    path: target,
    headers: { host: origin.host, ...length, ...headers },
    timeout: idleTimeoutMs,
    ...(signal === undefined ? {} : { signal }),
  };
  const outgoing = isTls
    ? httpsRequest({ ...options, agent: agents["https:"] })
    : httpRequest({ ...options, agent: agents["http:"] });
  outgoing.on("timeout", () => outgoing.destroy(new Error("nothing moved on the connection")));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve).once("error", reject);
    outgoing.once("close", () => reject(new Error("the connection was closed before an answer came")));
  });
  answered.catch(() => {});
  if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
  else await writeAll(outgoing, body, answered);
  const response = await answered;
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers["content-type"] ?? "",
    field: (name) => response.headersDistinct[name]?.[0],
    body: response,
  };
}

/** Writes a stream; an answer that comes before its end, a refusal, ends the writing. */
async function writeAll(
  outgoing: ReturnType<typeof httpRequest>,
  source: AsyncIterable<Uint8Array>,
  answered: Promise<IncomingMessage>,
): Promise<void> {
  let early = false;
  const ended = answered.then(
    () => {
      early = true;
    },
    () => {
      early = true;
    },
  );
  try {
    for await (const chunk of source) {
      if (early) return;
      if (!outgoing.write(chunk)) {
        const drained = new Promise<void>((resolve) => void outgoing.once("drain", resolve));
        await Promise.race([drained, ended]);
      }
    }
    outgoing.end();
  } catch (error) {
    // What failed was the source: the server sees a request that breaks off and keeps nothing of it.
    outgoing.destroy();
    throw error;
  }
}
