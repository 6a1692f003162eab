/** The three keys of split storage from a home's placement secret (spec/5-storage.md, Split): each has one use. */
import { hkdf, tagOf } from "@chartseal/crypto";
import type { SplitKeys } from "@chartseal/storage";

/** Bytes of a placement secret. */
export const placementSecretBytes = 32;

export function splitKeysOf(secret: Uint8Array): SplitKeys {
  const key = (use: "names" | "blocks" | "manifests"): Uint8Array =>
    hkdf(secret, new Uint8Array(0), tagOf(`storage/shard-${use}`), 32);
  return { names: key("names"), blocks: key("blocks"), manifests: key("manifests") };
}
