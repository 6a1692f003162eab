/**
 * Another institution's provider as a place: an object store over HTTP, signed by the account that was made for this place.
 * Its seed lies in places.json, so that `verify` and a repair reach the place without anybody's passphrase.
 */
import { ChartsealError, ed25519KeyPairFromSeed, fromHex, hasCode, toHex } from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import type { HttpObjectStore } from "@chartseal/server/client-store";
import type { HolderPlace } from "../home/places-file.ts";

/** Between attempts, growing: a holder that is away is given up after six seconds. */
const pauseMs = 50;

/** The account that speaks to the place, in hex. */
export function accountAt({ seed }: HolderPlace): string {
  return toHex(accountOf(ed25519KeyPairFromSeed(fromHex(seed, 32)).publicKey));
}

async function connect(place: HolderPlace) {
  const [{ Connection }, { nodeTransport }] = await Promise.all([
    import("@chartseal/server/client"),
    import("@chartseal/server/client-node"),
  ]);
  const transport = nodeTransport();
  const connection = new Connection({
    url: place.url,
    transport,
    now: Date.now,
    unreachable: "provider-unreachable",
    signer: { keyId: accountAt(place), seed: fromHex(place.seed, 32) },
  });
  return { connection, close: () => transport.close() };
}

export async function openHolder(place: HolderPlace): Promise<HttpObjectStore & { close(): void }> {
  const [{ HttpObjectStore }, { connection, close }] = await Promise.all([
    import("@chartseal/server/client-store"),
    connect(place),
  ]);
  return Object.assign(new HttpObjectStore({ connection, pauseMs }), { close });
}

/** Asks without a name whether a server is there that keeps objects. @throws ChartsealError `provider-unreachable` */
export async function demandHolder(place: HolderPlace): Promise<void> {
  const { connection, close } = await connect(place);
  try {
    await connection.json({ target: "/v1/objects", signer: null });
  } catch (error) {
    // The answer to whoever does not sign.
    if (hasCode(error, "signature-invalid")) return;
    if (hasCode(error, "provider-unreachable") && error.data.status === undefined) {
      throw new ChartsealError("provider-unreachable", `${place.url} cannot be reached`, {
        data: error.data,
        cause: error,
      });
    }
  } finally {
    close();
  }
  throw new ChartsealError("provider-unreachable", `${place.url} keeps no objects for other providers`, {
    data: { server: place.url },
    hint: "Whoever runs it names its peers in objects.peers of its configuration.",
  });
}
