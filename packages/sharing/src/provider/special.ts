/**
 * Keys of emergencies and proxies in custody (CRYPTO §3.1, Emergency leaf): apart from the accounts' own, used only for
 * the request that names their grant, only while it is in force by the ledger and by the provider's own clock, only for
 * the records that it names; deleted when it is over.
 */
import { ChartsealError, equalBytes } from "@chartseal/crypto";
import {
  demandGrant,
  demandReading,
  demandSpecialKey,
  entries,
  type RecordValue,
  type RequestValue,
  type SpecialMode,
} from "@chartseal/ledger";
import { openDisputed } from "../dispute/opening.ts";
import { judged, judgingMs } from "../judged.ts";
import type { Reveal } from "../parties.ts";
import { type Reader, readEntry } from "../state.ts";
import type { ProviderAtWork, ProviderSelf } from "./self.ts";
import type { CustodyKey } from "./stores.ts";

/** The mode of a request that needs a special key. */
export function specialModeOf({ proof }: Pick<RequestValue, "proof">): SpecialMode | undefined {
  return proof === "emergency" || proof === "proxy" ? proof : undefined;
}

/** The grant's key for this reveal, and the one attribute that it is used with. */
export async function judgeSpecial(
  self: ProviderSelf,
  place: {
    readonly mode: SpecialMode;
    readonly reveal: Reveal;
    readonly record: RecordValue;
  },
): Promise<{ readonly custody: CustodyKey; readonly attributes: readonly string[] }> {
  const { ledger } = self.surroundings;
  const { mode, reveal, record } = place;
  const { account, recordId } = reveal;
  const grantId = (await readEntry(ledger, entries.requestGrant, reveal.requestId))?.grantId;
  if (grantId === undefined) throw new ChartsealError("grant-missing", "the request names no grant");
  const timestampMs = await judgingMs(self.surroundings);
  const asked = { mode, grantId, timestampMs, account, recordId, record };
  const { attribute } = await judged(ledger, (state) => demandReading(state, asked));
  const live = await judged(ledger, (state) => demandSpecialKey(state, grantId));
  const isMine = equalBytes(live.provider, self.identity.account);
  const isIt = equalBytes(live.keyId, reveal.transformKeyId) && equalBytes(live.account, account);
  const custody = isMine && isIt ? await self.stores.special.get(grantId, live.keyId) : undefined;
  if (custody !== undefined) return { custody, attributes: [attribute] };
  throw new ChartsealError("revoked", `the key is not the one for this ${mode}`, {
    hint: "Opening again asks for a new one while it is in force.",
  });
}

/**
 * Deletes the keys of what is over, those of a replaced account key, and of a grant in force all but its present one. What
 * a dispute asks of them is opened first, and looked for after it was seen that they are to go: the ledger takes none later.
 */
export async function followSpecial(self: ProviderAtWork): Promise<void> {
  const { surroundings, identity, stores } = self;
  const remove = async (grantId: Uint8Array): Promise<void> => {
    await openDisputed(self);
    await stores.special.remove(grantId);
  };
  const { ledger } = surroundings;
  for (const grantId of await stores.special.accounts()) {
    const isProxy = (await readEntry(ledger, entries.proxy, grantId)) !== undefined;
    const mode = isProxy ? "proxy" : "emergency";
    if (!(await isInForce(surroundings, { mode, grantId }))) {
      await remove(grantId);
      continue;
    }
    const live = await readEntry(ledger, entries.specialKey, grantId);
    // None yet: one may be on its way to the ledger.
    if (live === undefined) continue;
    const isMine = equalBytes(live.provider, identity.account);
    if (isMine && (await holds(ledger, (state) => demandSpecialKey(state, grantId))))
      await stores.special.settle(grantId, live.keyId);
    else await remove(grantId);
  }
}

async function isInForce(
  surroundings: ProviderSelf["surroundings"],
  grant: { readonly mode: SpecialMode; readonly grantId: Uint8Array },
): Promise<boolean> {
  const timestampMs = await judgingMs(surroundings);
  return await holds(surroundings.ledger, (state) => demandGrant(state, { ...grant, timestampMs }));
}

/** Whether the ledger's rule refuses nothing at the head. */
async function holds(ledger: Reader, rule: Parameters<typeof judged>[1]): Promise<boolean> {
  try {
    await judged(ledger, rule);
    return true;
  } catch (error) {
    if (error instanceof ChartsealError && error.family === "refused") return false;
    throw error;
  }
}
