/**
 * The readers' transform keys on their way in (CRYPTO §2.3): the provider opens, checks and combines t answers of one d
 * and one epoch, keeps the key and says so on the ledger.
 */
import {
  ChartsealError,
  type CheckedAnswer,
  combineAnswers,
  equalBytes,
  type IssueRequest,
} from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { readCommittee } from "../committee.ts";
import { openDisputed } from "../dispute/opening.ts";
import { demandEpoch, issueRequestOf, openAnswer } from "../issue.ts";
import type { SealedAnswer } from "../parties.ts";
import { readEntry } from "../state.ts";
import { transformKeyId } from "./custody-key.ts";
import type { ProviderAtWork } from "./self.ts";
import type { TransformKeyStore } from "./stores.ts";

interface Issue {
  readonly requestId: Uint8Array;
  readonly answers: readonly SealedAnswer[];
}

/**
 * Makes the account's new live key of t answers, or the key of an emergency or proxy beside it. The earlier one is
 * replaced when the ledger has taken the new one.
 * @throws ChartsealError `issue-invalid` with the node that answered wrongly, `issue-refused`
 */
export async function takeIssue(self: ProviderAtWork, issue: Issue): Promise<{ keyId: Uint8Array }> {
  const { surroundings, identity, writer } = self;
  const { ledger, pairing } = surroundings;
  const { requestId } = issue;
  const request = await issueRequestOf(surroundings, requestId);
  if (request.mode === "full" || !equalBytes(request.provider, identity.account)) {
    throw new ChartsealError("issue-refused", "this key is not for this provider's custody");
  }
  const { reading } = await readCommittee(ledger, pairing);
  demandEpoch(request, reading.epoch);
  const checked: CheckedAnswer[] = [];
  for (const sealed of issue.answers) {
    const receiver = identity;
    checked.push(await openAnswer(surroundings, { receiver, writer, request, key: reading, sealed }));
  }
  const key = combineAnswers(pairing, { threshold: reading.threshold, answers: checked });
  const keyId = transformKeyId(pairing, key);
  const nodes = checked.map(({ answer }) => answer.node);
  const place = placeOf(self, request);
  return await self.inTurn(async () => {
    if (request.keyId !== null || (await issueRequestOf(surroundings, requestId)).keyId !== null) {
      throw new ChartsealError("issue-refused", "this key was issued already");
    }
    // Kept before it is announced: a live key that the provider lost in a crash would lock its reader out.
    await place.store.put(place.holder, { keyId, key, dropped: new Map() });
    try {
      await writer.submit({ kind: "key-issued", requestId, keyId, nodes });
    } catch (error) {
      if (error instanceof ChartsealError && error.family !== "unavailable") await forget(place);
      throw error;
    }
    // The key that this one replaces may be in dispute; from here on the ledger takes no more about it.
    await openDisputed(self);
    await place.store.settle(place.holder, keyId);
    return { keyId };
  });
}

/** Where a key lies, and what the ledger says is there. */
interface Place {
  readonly store: TransformKeyStore;
  /** The account, or the id of the emergency or proxy. */
  readonly holder: Uint8Array;
  live(): Promise<{ readonly keyId: Uint8Array } | undefined>;
}

function placeOf({ surroundings, stores }: ProviderAtWork, request: IssueRequest): Place {
  const { ledger } = surroundings;
  const { account, grantId } = request;
  return grantId === undefined
    ? { store: stores.keys, holder: account, live: () => readEntry(ledger, entries.liveKey, account) }
    : { store: stores.special, holder: grantId, live: () => readEntry(ledger, entries.specialKey, grantId) };
}

/** Deletes what the ledger did not take: a key with an attribute that was revoked meanwhile must not lie here. */
async function forget({ store, holder, live }: Place): Promise<void> {
  const present = await live();
  if (present === undefined) await store.remove(holder);
  else await store.settle(holder, present.keyId);
}
