/**
 * Another institution's provider becomes a place. An account is made for it and enrolled, and its key is in places.json
 * before the ledger knows it. Whoever runs the holder has to name that account: until then the place waits, and nothing
 * goes there. The same command again goes on where it was cut off.
 */
import { ChartsealError, fromHex, hasCode, randomBytes, toHex } from "@chartseal/crypto";
import { AccountWriter, identityOf, readAccount } from "@chartseal/sharing";
import type { HomePaths } from "../home/paths.ts";
import {
  type HolderPlace,
  type PlaceEntry,
  placesFileOrNew,
  readPlacesFile,
  writePlacesFile,
} from "../home/places-file.ts";
import { demandHolder } from "../services/holder-place.ts";
import type { OwnSession } from "../services/session.ts";
import { whereOf } from "./new-place.ts";
import { demandNew, probe } from "./places.ts";

export type HolderEntry = PlaceEntry & HolderPlace;

export function isHolder(entry: PlaceEntry): entry is HolderEntry {
  return entry.kind === "chartseal";
}

/** The place that an earlier command began to add. */
function begun(places: readonly PlaceEntry[], entry: HolderEntry): HolderEntry | undefined {
  return places
    .filter(isHolder)
    .find((one) => one.name === entry.name && one.region === entry.region && whereOf(one) === whereOf(entry));
}

/** @throws ChartsealError `input-invalid` for a name or a provider that is a place already */
export function checkHolderPlace(paths: Pick<HomePaths, "places">, entry: HolderEntry): void {
  const places = readPlacesFile(paths)?.places ?? [];
  if (begun(places, entry) === undefined) demandNew({ places }, entry);
}

export interface AddedHolder {
  readonly place: string;
  readonly kind: string;
  readonly region: string;
  /** Whom the holder has to name among its peers. */
  readonly account: string;
  /** It does, and takes objects. */
  readonly ready: boolean;
}

/** @throws ChartsealError `input-invalid`; `provider-unreachable`, before anything is changed where nobody keeps objects there */
export async function addHolderPlace(session: OwnSession, given: HolderEntry): Promise<AddedHolder> {
  const { paths } = session.home;
  checkHolderPlace(paths, given);
  await demandHolder(given);
  const file = placesFileOrNew(paths);
  const earlier = begun(file.places, given);
  const entry = earlier ?? given;
  if (earlier === undefined) writePlacesFile(paths, { ...file, places: [...file.places, entry] });
  // Nothing is ever sealed to this account.
  const identity = await identityOf({ seed: fromHex(entry.seed, 32), hpkeSeed: randomBytes(32) });
  if ((await readAccount(session.ledger, identity.account)) === undefined) {
    const { publicKey, hpkePublic: hpkeKey } = identity;
    await new AccountWriter(session, identity).submit({ kind: "enrol", publicKey, hpkeKey });
  }
  const { name: place, kind, region } = entry;
  const account = toHex(identity.account);
  return { place, kind, region, account, ready: await isPeer(entry, account) };
}

/** False where the holder does not name the account yet. @throws ChartsealError `provider-unreachable` */
async function isPeer(entry: HolderEntry, account: string): Promise<boolean> {
  try {
    await probe(entry);
    return true;
  } catch (error) {
    const asked = error instanceof ChartsealError ? (error.cause as Error | undefined)?.cause : undefined;
    if (hasCode(asked, "peer-unknown")) return false;
    if (!hasCode(asked, "signature-invalid")) throw error;
    throw new ChartsealError("provider-unreachable", `${entry.url} does not know the account ${account}`, {
      data: { place: entry.name, account },
      hint: "Another institution's provider is a place where it works with the same ledger.",
      cause: error,
    });
  }
}
