/**
 * Ciphertext on its way from a provider: a fetch that is cut goes on at the byte where it broke. A ticket that the server
 * does not know any more, after a restart, is had again by the reveal that it was given for.
 */
import { ChartsealError, hasCode } from "@chartseal/crypto";
import { isCut, waitAgain } from "./attempts.ts";
import type { Connection } from "./connection.ts";

export interface Ticket {
  /** The present one, 64 hex. */
  readonly value: () => string;
  /** Asks for it anew. */
  readonly renew: () => Promise<void>;
}

interface Wanted {
  readonly offset: number;
  readonly length: number;
  readonly pauseMs: number;
}

/**
 * From the store itself, where the provider said how, and from the provider whatever that does not give. Nothing of either is
 * believed: whoever reads checks every chunk.
 */
export async function* fetchPayload(
  connection: Connection,
  ticket: Ticket,
  wanted: Wanted & { readonly url?: string },
): AsyncGenerator<Uint8Array> {
  const { url, pauseMs } = wanted;
  let { offset, length } = wanted;
  if (url !== undefined && length > 0) {
    try {
      for await (const chunk of connection.elsewhere(url, `bytes=${offset}-${offset + length - 1}`)) {
        const part = chunk.subarray(0, length);
        offset += part.length;
        length -= part.length;
        yield part;
        if (length === 0) break;
      }
    } catch (error) {
      if (!isCut(error)) throw error;
    }
  }
  yield* fromProvider(connection, ticket, { offset, length, pauseMs });
}

async function* fromProvider(
  connection: Connection,
  ticket: Ticket,
  wanted: Wanted,
): AsyncGenerator<Uint8Array> {
  let { offset, length: left } = wanted;
  for (let failures = 0; left > 0; ) {
    const target = `/v1/provider/transforms/${ticket.value()}/payload?offset=${offset}&length=${left}`;
    try {
      for await (const chunk of connection.bytes({ target })) {
        failures = 0;
        left -= chunk.length;
        offset += chunk.length;
        if (left < 0) throw otherLength();
        yield chunk;
      }
      if (left > 0) throw otherLength();
    } catch (error) {
      if (hasCode(error, "grant-missing") && failures === 0) {
        failures++;
        await ticket.renew();
      } else await waitAgain(error, ++failures, wanted.pauseMs);
    }
  }
}

function otherLength(): ChartsealError {
  const sentence = "the provider sent another number of bytes than was asked for";
  return new ChartsealError("object-altered", sentence);
}
