/**
 * One server as its clients see it: JSON out and in, requests signed where a key is given, problems turned back into the
 * errors that they were, and what cannot be reached named by the caller's code.
 */
import { ChartsealError, type ErrorCode, hasCode, randomBytes, toHex, utf8 } from "@chartseal/crypto";
import { fromProblem } from "../problem.ts";
import { type RequestSigner, signRequest } from "../signature/message.ts";
import type { HttpResponse, Transport } from "./transport.ts";

export interface ConnectionOptions {
  /** `http://host:port`. */
  readonly url: string;
  readonly transport: Transport;
  readonly now: () => number;
  /** What an unreachable server is called. */
  readonly unreachable: ErrorCode;
  /** Signs every request that names no other signer. */
  readonly signer?: RequestSigner;
}

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  readonly target: string;
  /** A JSON value, bytes that a signature covers, or a stream of bytes that none does. */
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly stream?: AsyncIterable<Uint8Array>;
  /** More header fields, by lower-case names. */
  readonly fields?: Readonly<Record<string, string>>;
  /** `null` for no signature whatever the connection signs with. */
  readonly signer?: RequestSigner | null;
  readonly signal?: AbortSignal;
  /** Largest JSON answer. */
  readonly answerBytesMax?: number;
  /** Acting on it twice is as acting on it once; GET and HEAD always are. Of no effect on a stream. */
  readonly isRepeatable?: boolean;
}

const answerBytesMaxDefault = 16 * 1024 * 1024;
/** How long a server's limit is waited out, and how often. */
const patienceSecondsMax = 5;
const attemptsMax = 4;
/** How a connection fails that was kept and has gone meanwhile. A server that is not there fails otherwise. */
const brokenCodes: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE"]);
/** How often a request is sent that may be repeated: of the connections that were kept, more than one may have gone. */
const sendsMax = 3;

function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const given = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", given);
      resolve();
    }, ms);
    if (signal?.aborted === true) given();
    else signal?.addEventListener("abort", given, { once: true });
  });
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #origin: URL;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#origin = new URL(options.url);
  }

  /** The same server under another name for its absence. */
  as(unreachable: ErrorCode): Connection {
    return new Connection({ ...this.#options, unreachable });
  }

  /**
   * A request that came too soon was not acted on, and is made again when the server says so, if that is soon.
   * @throws ChartsealError as the server says; the connection's code where it cannot be reached or speaks otherwise
   */
  json(call: Call): Promise<Record<string, unknown>> {
    return this.#patiently(call, () => this.#jsonOnce(call));
  }

  /** An answer of any success, for who reads its fields and bytes. @throws ChartsealError as `json` */
  ask(call: Call): Promise<HttpResponse> {
    return this.#patiently(call, () => this.#askOnce(call));
  }

  async #patiently<T>(call: Call, once: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once();
      } catch (error) {
        const seconds = hasCode(error, "rate-limited") ? error.data.retryAfterSeconds : undefined;
        const isSoon = typeof seconds === "number" && seconds <= patienceSecondsMax;
        if (!isSoon || call.stream !== undefined || attempt === attemptsMax) throw error;
        await waitFor(1000 * seconds, call.signal);
      }
    }
  }

  async #jsonOnce(call: Call): Promise<Record<string, unknown>> {
    const response = await this.#send(call);
    const text = await this.#text(response, call.answerBytesMax ?? answerBytesMaxDefault);
    const value = parse(text);
    if (response.status >= 200 && response.status < 300 && value !== undefined) return value;
    throw fromProblem(value) ?? this.#lost(`the server answered with status ${response.status}`);
  }

  async #askOnce(call: Call): Promise<HttpResponse> {
    const response = await this.#send(call);
    const isDone = response.status >= 200 && response.status < 300;
    // Read though there is nothing in it: a connection is not used again before that.
    if (isDone && call.method === "HEAD") await this.#text(response, 0);
    if (isDone) return response;
    const value = parse(await this.#text(response, answerBytesMaxDefault));
    const retryAfterSeconds = Number(response.field("retry-after"));
    if (value === undefined && response.status === 429 && retryAfterSeconds > 0) {
      throw new ChartsealError("rate-limited", "too many requests from here", {
        data: { retryAfterSeconds },
      });
    }
    throw (
      fromProblem(value) ??
      this.#lost(`the server answered with status ${response.status}`, undefined, response.status)
    );
  }

  /** The answer's bytes as they come. */
  async *bytes(call: Call): AsyncGenerator<Uint8Array> {
    yield* this.bodyOf(await this.ask(call));
  }

  /** An answer's bytes as they come. @throws ChartsealError the connection's code where they break off */
  async *bodyOf({ body }: HttpResponse): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw this.#lost("the server broke off its answer", error);
    }
  }

  /**
   * A range of what another server gives at a URL that this one named: unsigned, by TLS unless this server is asked without
   * it, and not believed. @throws ChartsealError the connection's code for everything that is not those bytes
   */
  async *elsewhere(url: string, range: string): AsyncGenerator<Uint8Array> {
    const there = this.#there(url);
    const target = `${there.pathname}${there.search}`;
    try {
      const sent = this.#options.transport.send(there, { method: "GET", target, headers: { range } });
      const { status, body } = await sent;
      if (status === 206) return yield* body;
      for await (const _piece of body) break;
    } catch (error) {
      throw this.#lost("the store broke off its answer", error);
    }
    throw this.#lost("the store gives something else");
  }

  /** By TLS unless this server is asked without it. */
  #there(url: string): URL {
    const there = URL.canParse(url) ? new URL(url) : undefined;
    const isAllowed = there?.protocol === "https:" || there?.protocol === this.#origin.protocol;
    if (there !== undefined && isAllowed) return there;
    throw this.#lost("the server named no URL that is asked");
  }

  /** Puts bytes at a URL that this server named, unsigned. @throws ChartsealError the connection's code, data {status} where told */
  async putElsewhere(url: string, bytes: Uint8Array): Promise<void> {
    const there = this.#there(url);
    const target = `${there.pathname}${there.search}`;
    let status: number;
    try {
      const put = { method: "PUT", target, headers: {}, body: bytes };
      const answer = await this.#options.transport.send(there, put);
      status = answer.status;
      for await (const _piece of answer.body);
    } catch (error) {
      throw this.#lost("the store broke off", error);
    }
    if (status !== 200) throw this.#lost(`the store answered with status ${status}`, undefined, status);
  }

  /**
   * Sent once more on another connection where one broke before an answer: whoever sends cannot tell whether the server
   * acted on it, so this is for requests that may be repeated alone (RFC 9110 section 9.2.2).
   */
  async #send(call: Call): Promise<HttpResponse> {
    const isAsking = call.json === undefined && call.bytes === undefined && call.method === undefined;
    const isRepeatable =
      call.stream === undefined &&
      (call.isRepeatable ?? (isAsking || call.method === "GET" || call.method === "HEAD"));
    for (let sends = 1; ; sends++) {
      try {
        return await this.#sendOnce(call);
      } catch (error) {
        const cause = error instanceof ChartsealError ? error.cause : undefined;
        const isBroken = cause instanceof Error && "code" in cause && brokenCodes.has(cause.code);
        if (!isBroken || !isRepeatable || sends === sendsMax) throw error;
      }
    }
  }

  async #sendOnce(call: Call): Promise<HttpResponse> {
    const { transport, now } = this.#options;
    const { target, json, stream, signal, fields = {} } = call;
    const body = json === undefined ? call.bytes : utf8(JSON.stringify(json));
    const method = call.method ?? (body === undefined && stream === undefined ? "GET" : "POST");
    const signer = call.signer === undefined ? this.#options.signer : call.signer;
    const authority = this.#origin.host;
    const signed =
      signer === undefined || signer === null
        ? {}
        : signRequest(
            signer,
            { method, authority, target, fields, ...(body === undefined ? {} : { body }) },
            { nowMs: now(), nonce: toHex(randomBytes(16)) },
          );
    const isBytes = stream !== undefined || call.bytes !== undefined;
    const contentType = isBytes
      ? "application/octet-stream"
      : body === undefined
        ? undefined
        : "application/json";
    const failed: unknown[] = [];
    const sending = stream === undefined ? body : remembering(stream, failed);
    try {
      return await transport.send(this.#origin, {
        method,
        target,
        headers: {
          ...(contentType === undefined ? {} : { "content-type": contentType }),
          ...fields,
          ...signed,
        },
        ...(sending === undefined ? {} : { body: sending }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      // A source that failed tells its own story.
      if (failed.length > 0) throw failed[0];
      throw this.#lost("the server cannot be reached", error);
    }
  }

  async #text({ body }: HttpResponse, sizeMax: number): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    let size = 0;
    try {
      for await (const chunk of body) {
        size += chunk.length;
        if (size > sizeMax) throw new Error("the answer is larger than it can be");
        text += decoder.decode(chunk, { stream: true });
      }
    } catch (error) {
      throw this.#lost("the server's answer cannot be read", error);
    }
    return text + decoder.decode();
  }

  #lost(message: string, cause?: unknown, status?: number): ChartsealError {
    return new ChartsealError(this.#options.unreachable, message, {
      data: { server: this.#origin.origin, ...(status === undefined ? {} : { status }) },
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

async function* remembering(
  source: AsyncIterable<Uint8Array>,
  failed: unknown[],
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    failed.push(error);
    throw error;
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
