/** How a client's requests reach a server. Two of them: `fetch`, for browsers, and node:http (node-transport.ts). */

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, or a stream of unknown length. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  /** A header field of the answer by its lower-case name. */
  readonly field: (name: string) => string | undefined;
  /** To be read to its end, or given up by ending the iteration. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Sends one request; rejects where no answer comes. A stream that fails rejects with its own error. */
export interface Transport {
  send(origin: URL, request: HttpRequest): Promise<HttpResponse>;
  /** Lets idle connections go. */
  close(): void;
}

async function* chunksOf(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (stream === null) return;
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The platform's fetch. Streams as bodies need a server that speaks HTTP/2 where the client is a browser. */
export const fetchTransport: Transport = {
  async send(origin, { method, target, headers, body, signal }) {
    const stream = body === undefined || body instanceof Uint8Array ? undefined : ReadableStream.from(body);
    const response = await fetch(new URL(target, origin), {
      method,
      headers,
      redirect: "error",
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : { body: stream ?? (body as Uint8Array<ArrayBuffer>) }),
      ...(stream === undefined ? {} : { duplex: "half" }),
    } as RequestInit);
    const contentType = response.headers.get("content-type") ?? "";
    const field = (name: string): string | undefined => response.headers.get(name) ?? undefined;
    return { status: response.status, contentType, field, body: chunksOf(response.body) };
  },
  close() {},
};
