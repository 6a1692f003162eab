/**
 * Bytes that come over a data connection, read ahead up to a bound and handed out one chunk at a time. Time counts only
 * while somebody waits for a chunk, so that a slow reader is no slow server.
 */
import type { Socket } from "node:net";

/** Bytes that may wait for their reader. */
const aheadBytesMax = 1 << 19;

export class Inflow {
  readonly #data: Socket;
  readonly #chunks: Uint8Array[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(data: Socket) {
    this.#data = data;
    data.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes >= aheadBytesMax) data.pause();
      this.#wake();
    });
    data.once("end", () => {
      this.#isEnded = true;
      this.#wake();
    });
    data.once("close", () => this.fail(new Error("the data connection was cut")));
  }

  /** What has come is still handed out; then the failure. Does nothing after the end. */
  fail(error: Error): void {
    if (!this.#isEnded) this.#failure ??= error;
    this.#wake();
  }

  /** The next bytes; undefined at the end. @throws where the connection failed, or nothing came for `timeoutMs` */
  async next(timeoutMs: number): Promise<Uint8Array | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#waitingBytes -= chunk.length;
      if (this.#waitingBytes < aheadBytesMax) this.#data.resume();
      return chunk;
    }
    if (this.#isEnded) return undefined;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#signal(timeoutMs);
    return await this.next(timeoutMs);
  }

  #signal(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.fail(new Error("the data connection is silent")), timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
    });
  }
}
