/**
 * Connections to one FTPS server, few and used again: whoever finds none waits its turn, for a bounded time. What fails
 * for a reason that may pass is done again over another connection.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { StorageError } from "../storage-error.ts";
import { isPassing, leavesConnection, storageErrorOf } from "./ftps-errors.ts";
import { type FtpsAccess, FtpsSession } from "./ftps-session.ts";

export interface PoolOptions {
  readonly access: FtpsAccess;
  /** Most connections at a time. */
  readonly connectionsMax: number;
  /** How often something is tried. */
  readonly attemptsMax: number;
}

/** An idle connection is closed after this time: servers close theirs after minutes. */
const idleMsMax = 15_000;
const firstPauseMs = 100;
const pauseMsMax = 3_000;

interface Waiting {
  readonly wake: () => void;
}

export class FtpsPool {
  readonly #options: PoolOptions;
  readonly #idle = new Map<FtpsSession, NodeJS.Timeout>();
  readonly #waiting: Waiting[] = [];
  #open = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get attemptsMax(): number {
    return this.#options.attemptsMax;
  }

  /** Work that may be done twice, until it succeeds or there is no hope. @throws StorageError */
  async attempt<T>(work: (session: FtpsSession, attempt: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once((session) => work(session, attempt));
      } catch (error) {
        if (attempt >= this.#options.attemptsMax || !isPassing(error)) throw storageErrorOf(error);
        await pause(attempt);
      }
    }
  }

  /** One attempt, whose failure comes out as it is. */
  async once<T>(work: (session: FtpsSession) => Promise<T>): Promise<T> {
    const session = await this.take();
    try {
      return await work(session);
    } catch (error) {
      if (!leavesConnection(error)) session.close();
      throw error;
    } finally {
      this.give(session);
    }
  }

  /** A connection that is the caller's until it gives it back. */
  async take(): Promise<FtpsSession> {
    for (;;) {
      if (this.#isClosed) throw new StorageError("store-unreachable", "the store was closed");
      const idle = this.#takeIdle();
      if (idle !== undefined) return idle;
      if (this.#open < this.#options.connectionsMax) break;
      await this.#turn();
    }
    this.#open++;
    try {
      return await FtpsSession.open(this.#options.access);
    } catch (error) {
      this.#open--;
      this.#waiting.shift()?.wake();
      throw error;
    }
  }

  give(session: FtpsSession): void {
    if (session.isClosed || this.#isClosed) {
      session.close();
      this.#open--;
    } else {
      session.isIdle = true;
      const timer = setTimeout(() => this.#drop(session), idleMsMax);
      timer.unref();
      this.#idle.set(session, timer);
    }
    this.#waiting.shift()?.wake();
  }

  /** Closes idle connections, and those in use when they are given back. */
  close(): void {
    this.#isClosed = true;
    for (const session of [...this.#idle.keys()]) this.#drop(session);
    for (const { wake } of this.#waiting.splice(0)) wake();
  }

  #takeIdle(): FtpsSession | undefined {
    for (const [session, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(session);
      if (!session.isClosed) {
        session.isIdle = false;
        return session;
      }
      this.#open--;
    }
    return undefined;
  }

  #drop(session: FtpsSession): void {
    const timer = this.#idle.get(session);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#idle.delete(session);
    this.#open--;
    session.close();
  }

  /** Until somebody gives a connection back. @throws StorageError after a time in which nobody did */
  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        wake: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(
          new StorageError(
            "store-unreachable",
            "every connection to the FTPS server has been in use for too long",
          ),
        );
      }, 4 * this.#options.access.timeoutMs);
      this.#waiting.push(waiting);
    });
  }
}

/** Longer after each attempt that failed. */
export async function pause(attempt: number): Promise<void> {
  await sleep(Math.min(pauseMsMax, firstPauseMs * 2 ** (attempt - 1)));
}
