/** CometBFT's side of the socket to an application: what a node asks, asked without the node's own work and waiting. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Request, Response } from "cosmjs-types/tendermint/abci/types";

/** One of its fields is set. */
type Question = { readonly [K in keyof Request]?: Partial<NonNullable<Request[K]>> };

export class AbciClient {
  readonly #socket: Socket;
  readonly #answered: ((response: Response) => void)[] = [];
  #held: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    // A connection that is lost leaves its questions open, and whoever waits for them ends with the process.
    socket.on("error", (error) => socket.destroy(error));
  }

  static async connect(port: number): Promise<AbciClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new AbciClient(socket);
  }

  /** @throws Error for an exception, which would stop a node */
  async ask(question: Question): Promise<Response> {
    const [response] = await this.askAll([question]);
    return response!;
  }

  /** Questions sent together, answered in order. */
  async askAll(questions: readonly Question[]): Promise<Response[]> {
    const answers = questions.map(() => new Promise<Response>((resolve) => this.#answered.push(resolve)));
    this.#socket.cork();
    for (const question of questions) {
      const body = Request.encode(Request.fromPartial(question as object)).finish();
      this.#socket.write(lengthOf(body.length));
      this.#socket.write(body);
    }
    this.#socket.uncork();
    const responses = await Promise.all(answers);
    for (const { exception } of responses) {
      if (exception !== undefined) throw new Error(`the application failed: ${exception.error}`);
    }
    return responses;
  }

  #take(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (;;) {
      const message = firstMessage(rest);
      if (message === undefined) break;
      rest = rest.subarray(message.end);
      this.#answered.shift()?.(Response.decode(message.body));
    }
    this.#held = rest;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A varint. */
function lengthOf(size: number): Uint8Array {
  const bytes: number[] = [];
  let rest = size;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

function firstMessage(bytes: Buffer): { body: Buffer; end: number } | undefined {
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    length += (bytes[at]! & 0x7f) * 2 ** (7 * at);
    if (bytes[at]! >= 0x80) continue;
    const end = at + 1 + length;
    return bytes.length < end ? undefined : { body: bytes.subarray(at + 1, end), end };
  }
  return undefined;
}
