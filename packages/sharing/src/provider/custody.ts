/**
 * The readers' transform keys on their way in (CRYPTO §2.3): the provider opens, checks and combines t answers of one d
 * and one epoch, keeps the key and says so on the ledger.
 */
import { ChartsealError, type CheckedAnswer, combineAnswers, equalBytes } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { readCommittee } from "../committee.ts";
import { demandEpoch, issueRequestOf, openAnswer } from "../issue.ts";
import type { SealedAnswer } from "../parties.ts";
import { readEntry } from "../state.ts";
import { transformKeyId } from "./custody-key.ts";
import type { ProviderAtWork } from "./self.ts";

interface Issue {
  readonly requestId: Uint8Array;
  readonly answers: readonly SealedAnswer[];
}

/**
 * Makes the account's new live key of t answers. The earlier one is replaced when the ledger has taken the new one.
 * @throws ChartsealError `issue-invalid` with the node that answered wrongly, `issue-refused`
 */
export async function takeIssue(self: ProviderAtWork, issue: Issue): Promise<{ keyId: Uint8Array }> {
  const { surroundings, identity, stores, writer } = self;
  const { ledger, pairing } = surroundings;
  const { requestId } = issue;
  const request = await issueRequestOf(surroundings, requestId);
  if (request.mode !== "transform" || !equalBytes(request.provider, identity.account)) {
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
  const { account } = request;
  return await self.inTurn(async () => {
    if ((await readEntry(ledger, entries.keyRequest, requestId))?.keyId != null) {
      throw new ChartsealError("issue-refused", "this key was issued already");
    }
    // Kept before it is announced: a live key that the provider lost in a crash would lock its reader out.
    await stores.keys.put(account, { keyId, key, dropped: new Map() });
    try {
      await writer.submit({ kind: "key-issued", requestId, keyId, nodes });
    } catch (error) {
      if (error instanceof ChartsealError && error.family !== "unavailable") await forget(self, account);
      throw error;
    }
    await stores.keys.settle(account, keyId);
    return { keyId };
  });
}

/** Deletes what the ledger did not take: a key with an attribute that was revoked meanwhile must not lie here. */
async function forget({ surroundings, stores }: ProviderAtWork, account: Uint8Array): Promise<void> {
  const live = await readEntry(surroundings.ledger, entries.liveKey, account);
  if (live === undefined) await stores.keys.remove(account);
  else await stores.keys.settle(account, live.keyId);
}
