/**
 * A place where a provider's bytes lie: a folder, a bucket, an FTPS folder, another institution's provider. It has a
 * name within its home, a region in whose law it stands, and a store.
 */
import type { ObjectStore } from "./object-store.ts";

/** A holder's signature that it destroyed what it had of an erased record. Opaque here: who asks for it checks it. */
export interface PlaceAttestation {
  readonly holder: Uint8Array;
  readonly address: string;
  readonly signature: Uint8Array;
}

export interface Place {
  /** As `isPlaceName`. */
  readonly name: string;
  /** As `isRegion`: "eu", "ch", "us-east". */
  readonly region: string;
  readonly store: ObjectStore;
  /**
   * Of a place that somebody else runs who signs for it: removes those objects and signs that it did, over `address`. It
   * may be asked again for what is gone.
   */
  attest?(erased: {
    readonly recordId: Uint8Array;
    readonly names: readonly string[];
    readonly address: string;
  }): Promise<readonly PlaceAttestation[]>;
}

/** How an object is divided over places: any `k` of its `n` shards give it back; `k` = 1 is `n` whole copies. */
export interface Placement {
  readonly k: number;
  readonly n: number;
  /** Regions in which its shards may lie; anywhere where absent or empty. */
  readonly regions?: readonly string[];
}

/** Most shards of an object. */
export const shardsMax = 16;
/** Most regions that a placement names. */
export const regionsMax = 16;

/** True for text that can name a place: `[a-z0-9][a-z0-9-]{0,31}`. */
export function isPlaceName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,31}$/.test(text);
}

/** True for text that can be a region's code, lower-case: `[a-z0-9][a-z0-9-]{0,15}`. */
export function isRegion(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,15}$/.test(text);
}

/** True where 1 ≤ k ≤ n ≤ `shardsMax` and the regions are at most `regionsMax` codes, each once. */
export function isPlacement({ k, n, regions = [] }: Placement): boolean {
  return (
    Number.isInteger(k) &&
    Number.isInteger(n) &&
    1 <= k &&
    k <= n &&
    n <= shardsMax &&
    regions.length <= regionsMax &&
    regions.every(isRegion) &&
    new Set(regions).size === regions.length
  );
}

/** True where a shard of `placement` may lie at `place`. */
export function allows(placement: Placement, place: Place): boolean {
  const regions = placement.regions ?? [];
  return regions.length === 0 || regions.includes(place.region);
}
