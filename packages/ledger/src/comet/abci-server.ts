/**
 * ABCI 2.0 over a socket, the application's side: each message a protobuf `Request` or `Response` with its length as a
 * varint before it. CometBFT opens four connections (consensus, mempool, query, snapshot); on each of them answers come in
 * the order of the requests. An exception stops the node that it goes to, so an application throws for nothing else.
 */
import { createServer, type Server, type Socket } from "node:net";
import { Request, Response } from "cosmjs-types/tendermint/abci/types";

/** What is answered to a request; `echo` and `flush` are the server's own. */
export type AbciHandler = (request: Request) => Response | Promise<Response>;

export interface AbciServer {
  readonly port: number;
  close(): Promise<void>;
}

/** More than any block or snapshot chunk. */
const messageBytesMax = 64 * 1024 * 1024;

/** On loopback. `failed` learns what an exception was made of: the node that gets it stops. */
export async function serveAbci(options: {
  readonly port: number;
  readonly handle: AbciHandler;
  readonly failed: (error: unknown) => void;
  /** The first connection of a node, while there was none. */
  readonly connected: () => void;
}): Promise<AbciServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sockets.size === 0) options.connected();
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    // A node that goes away in the middle of an answer is no failure of ours.
    socket.on("error", () => socket.destroy());
    void answerAll(socket, options);
  });
  await listening(server, options.port);
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Answers a connection's requests one after another, until it ends. */
async function answerAll(
  socket: Socket,
  { handle, failed }: { readonly handle: AbciHandler; readonly failed: (error: unknown) => void },
): Promise<void> {
  try {
    for await (const message of messages(socket)) {
      const request = Request.decode(message);
      socket.cork();
      socket.write(framed(await answer(request, handle, failed)));
      // Answers to requests that came together go together.
      process.nextTick(() => socket.uncork());
    }
  } catch (error) {
    if (!socket.destroyed) failed(error);
    socket.destroy();
  }
}

async function answer(
  request: Request,
  handle: AbciHandler,
  failed: (error: unknown) => void,
): Promise<Response> {
  if (request.echo !== undefined) return Response.fromPartial({ echo: { message: request.echo.message } });
  if (request.flush !== undefined) return Response.fromPartial({ flush: {} });
  try {
    return await handle(request);
  } catch (error) {
    failed(error);
    const message = error instanceof Error ? error.message : "the application failed";
    return Response.fromPartial({ exception: { error: message } });
  }
}

/** The bytes of a response with their length before them. */
export function framed(response: Response): Uint8Array {
  const body = Response.encode(response).finish();
  const length: number[] = [];
  let rest = body.length;
  for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Uint8Array.from([...length, rest]), body]);
}

/** The messages of a stream of chunks that are cut anywhere. */
export async function* messages(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let held: Uint8Array[] = [];
  let size = 0;
  let wanted = 1;
  for await (const chunk of chunks) {
    held.push(chunk);
    size += chunk.length;
    if (size < wanted) continue;
    let whole: Uint8Array = held.length === 1 ? chunk : Buffer.concat(held, size);
    for (;;) {
      const start = readLength(whole);
      if (start === undefined) {
        wanted = whole.length + 1;
        break;
      }
      wanted = start.at + start.length;
      if (whole.length < wanted) break;
      yield whole.subarray(start.at, wanted);
      whole = whole.subarray(wanted);
    }
    held = [whole];
    size = whole.length;
  }
}

/** The length that a message begins with, and where its bytes begin; undefined while that has not come. */
function readLength(bytes: Uint8Array): { length: number; at: number } | undefined {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte >= 0x80) continue;
    if (length > messageBytesMax) break;
    return { length, at: at + 1 };
  }
  throw new RangeError("an ABCI message is longer than any can be");
}
