/**
 * Institutions hold the same blocks, but not at the same moment. Before another one's service is asked it must know what
 * this one's ledger knows, and what it did must be seen here before anything is built on it.
 */
import { fromHex } from "@chartseal/crypto";
import { decodeHeader, type Ledger } from "@chartseal/ledger";
import type { Connection } from "@chartseal/server/client";
import type { Provider } from "@chartseal/sharing";

/** Longest wait for the other; then it is asked all the same, and says itself what it lacks. */
export const waitMs = 10_000;

/** The height of another institution's ledger, as its server says: nothing but a wait depends on it. */
async function heightAt(connection: Connection, query: string): Promise<number> {
  const { anchor } = await connection.json({ target: `/v1/ledger/head?${query}` });
  const { header } = (anchor ?? {}) as { readonly header?: unknown };
  return typeof header === "string" ? decodeHeader(fromHex(header, 156)).height : 0;
}

/** Waits until the other has what this ledger has. */
export async function untilTheyKnow(connection: Connection, ledger: Ledger): Promise<void> {
  const { height } = await ledger.head();
  if (height === 0) return;
  await heightAt(connection, `seen=0&after=${height - 1}&wait=${waitMs}`);
}

/** Waits until this ledger has what the other has. */
export async function untilWeKnow(connection: Connection, ledger: Ledger): Promise<void> {
  const height = await heightAt(connection, "seen=0");
  if ((await ledger.head()).height >= height) return;
  for await (const _block of ledger.watch(height, AbortSignal.timeout(waitMs))) return;
}

/** A provider at another institution, with both waits around what depends on the ledger. */
export function levelled(provider: Provider, connection: Connection, ledger: Ledger): Provider {
  const around =
    <A extends readonly unknown[], R>(call: (...asked: A) => Promise<R>) =>
    async (...asked: A): Promise<R> => {
      await untilTheyKnow(connection, ledger);
      const answer = await call(...asked);
      await untilWeKnow(connection, ledger);
      return answer;
    };
  const { demandRoom, placed } = provider;
  return {
    account: provider.account,
    ...(provider.takesLent === undefined ? {} : { takesLent: provider.takesLent }),
    ...(demandRoom === undefined ? {} : { demandRoom: (options) => demandRoom.call(provider, options) }),
    ...(placed === undefined ? {} : { placed: around((input) => placed.call(provider, input)) }),
    audit: (challenge) => provider.audit(challenge),
    takePayload: (source, options) => provider.takePayload(source, options),
    takeHeader: around((input) => provider.takeHeader(input)),
    relay: around((transaction) => provider.relay(transaction)),
    transform: around((reveal) => provider.transform(reveal)),
    takeIssue: around((input) => provider.takeIssue(input)),
    destroy: around((input) => provider.destroy(input)),
    discard: around((input) => provider.discard(input)),
    follow: around(() => provider.follow()),
  };
}
