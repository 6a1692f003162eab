/**
 * Payloads that go past the provider into its store, by pre-signed parts. What is stored is believed by nobody: the
 * provider reads it back once, which gives leaf hashes and digest as if it had passed (docs/decisions/direct-upload.md).
 */
import { ChartsealError, chunkBytesDefault, isFamily, randomBytes, toHex } from "@chartseal/crypto";
import { type DirectAccess, StorageError } from "@chartseal/storage";
import type { DirectIntake, DirectUpload } from "../parties.ts";
import { storageFailure } from "../streams.ts";
import { removeObjects } from "./follow.ts";
import { placementOptions } from "./placing.ts";
import type { ProviderAtWork } from "./self.ts";
import { rebuildLeaves } from "./take.ts";

/** How long a part's URL serves. */
const partMs = 15 * 60_000;

/** Undefined of a provider whose store takes nothing by itself. */
export function directIntake(self: ProviderAtWork): DirectIntake | undefined {
  const { stores } = self;
  const access = stores.objects.direct;
  if (access === undefined) return undefined;
  const { partSizes, partsMax } = access;
  return {
    partSizes,
    partsMax,
    takes: (options) => placementOptions(stores, options).placement === undefined,
    begin: async (options) => {
      placementOptions(stores, options);
      const address = toHex(randomBytes(16));
      return { address, uploadId: await stored(address, () => access.openUpload(address)) };
    },
    partUrl: ({ address, uploadId }, part) =>
      stored(address, () => access.partUrl(address, { uploadId, ...part, expiresMs: partMs })),
    complete: (upload, payload) => complete(self, access, { ...payload, upload }),
    abort: ({ address, uploadId }) => stored(address, () => access.abortUpload(address, uploadId)),
  };
}

async function complete(
  self: ProviderAtWork,
  access: DirectAccess,
  payload: {
    readonly upload: DirectUpload;
    readonly size: number;
    readonly digest: Uint8Array;
    readonly chunkBytes?: number;
  },
): Promise<{ address: string; bytes: number }> {
  const { stores, surroundings } = self;
  const { upload, size, digest, chunkBytes = chunkBytesDefault } = payload;
  const { address, uploadId } = upload;
  // Before the object can be seen, as with any payload: what a crash leaves from here on is an orphan.
  await stores.journal.append({ event: "taken", address, atMs: surroundings.now() });
  await stored(address, () => access.completeUpload(address, { uploadId, size }));
  try {
    await rebuildLeaves(stores, { address, chunkBytes, digest });
  } catch (error) {
    // Not what was said: nobody's, and not kept until somebody collects it.
    if (isFamily(error, "integrity")) await removeObjects(self, address);
    throw error;
  }
  return { address, bytes: size };
}

/** A store's failures as ours. */
async function stored<T>(address: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof StorageError && (error.code === "range-invalid" || error.code === "too-large")) {
      throw new ChartsealError("input-invalid", error.message, { cause: error });
    }
    throw storageFailure(error, address);
  }
}
