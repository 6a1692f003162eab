/**
 * What strangers may bring: uploads are anonymous (CRYPTO §3.1), so they are bounded by what an address has under way, by
 * what it brought in a day, and by what all of them have under way together. Whoever holds the machine's token is not a
 * stranger.
 */
import { ChartsealError } from "@chartseal/crypto";

export interface IntakeLimits {
  /** Bytes of one payload. */
  readonly payloadBytesMax: number;
  /** Bytes that one address brings in a day, registered or not. */
  readonly dayBytesMax: number;
  readonly uploadsMax: number;
  readonly addressUploadsMax: number;
}

/** A record of 1 TiB, with its tags. */
export const intakeDefaults: IntakeLimits = {
  payloadBytesMax: 2 ** 40 + 2 ** 36,
  dayBytesMax: 2 ** 37,
  uploadsMax: 64,
  addressUploadsMax: 8,
};

const dayMs = 86_400_000;
/** Addresses that are remembered; with more, the one that was seen first is forgotten. */
const addressesMax = 10_000;

interface Day {
  readonly startMs: number;
  bytes: number;
}

export class Intake {
  readonly #limits: IntakeLimits;
  readonly #now: () => number;
  readonly #days = new Map<string, Day>();
  readonly #underWay = new Map<string, number>();
  #uploads = 0;

  constructor(limits: IntakeLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** The same bytes, counted; `address` undefined for the machine's own. @throws ChartsealError `rate-limited`, `input-invalid` */
  async *through(source: AsyncIterable<Uint8Array>, address: string | undefined): AsyncGenerator<Uint8Array> {
    this.#begin(address);
    let bytes = 0;
    try {
      for await (const chunk of source) {
        bytes += chunk.length;
        if (bytes > this.#limits.payloadBytesMax)
          throw new ChartsealError("input-invalid", "a payload is larger than this provider takes");
        this.count(address, chunk.length);
        yield chunk;
      }
    } finally {
      this.#end(address);
    }
  }

  #begin(address: string | undefined): void {
    if (address === undefined) return;
    const own = this.#underWay.get(address) ?? 0;
    if (this.#uploads >= this.#limits.uploadsMax || own >= this.#limits.addressUploadsMax)
      throw new ChartsealError("rate-limited", "too many uploads are under way", {
        data: { retryAfterSeconds: 5 },
      });
    this.#uploads++;
    this.#underWay.set(address, own + 1);
  }

  #end(address: string | undefined): void {
    if (address === undefined) return;
    this.#uploads--;
    const own = (this.#underWay.get(address) ?? 1) - 1;
    if (own === 0) this.#underWay.delete(address);
    else this.#underWay.set(address, own);
  }

  /** Bytes that an address brings here, or takes leave to bring into the store. @throws ChartsealError `rate-limited` */
  count(address: string | undefined, bytes: number): void {
    if (address === undefined) return;
    const nowMs = this.#now();
    let day = this.#days.get(address);
    if (day === undefined || nowMs - day.startMs >= dayMs) {
      day = { startMs: nowMs, bytes: 0 };
      this.#days.delete(address);
      this.#days.set(address, day);
      if (this.#days.size > addressesMax) this.#days.delete(this.#days.keys().next().value!);
    }
    day.bytes += bytes;
    if (day.bytes <= this.#limits.dayBytesMax) return;
    const retryAfterSeconds = Math.ceil((day.startMs + dayMs - nowMs) / 1000);
    throw new ChartsealError("rate-limited", "this address has brought all that it may in a day", {
      data: { retryAfterSeconds },
    });
  }
}
