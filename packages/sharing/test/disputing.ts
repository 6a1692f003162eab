/** What disputes in tests are made of: answers that a reader has in hands, other ones that the provider signs, judges at work. */
import { sha256 } from "@chartseal/crypto";
import { type Action, decodeTransaction, entries, signStatement, type Verdict } from "@chartseal/ledger";
import { openAsJudge, type Sealed, type Side } from "../src/dispute/box.ts";
import {
  AccountWriter,
  askTransform,
  type Dispute,
  type FailedAnswer,
  failedAnswer,
  judgeNext,
  OpenDisputes,
  readDispute,
  request,
} from "../src/index.ts";
import { readEntry, readRequest } from "../src/state.ts";
import type { Member, World } from "./world.ts";

/** What the reader has in hands after an honest answer to a new request. */
export async function answeredTo(world: World, member: Member, recordId: Uint8Array): Promise<FailedAnswer> {
  const granted = await request(world, { member, recordId });
  return failedAnswer(granted, member, await askTransform(world, { member, granted }));
}

/** The same, with another T that the provider signs as its own. */
export async function signedAs(
  world: World,
  failed: FailedAnswer,
  transform: Uint8Array,
): Promise<FailedAnswer> {
  const { requestId, transformKeyId, answer } = failed;
  const { recordId, recordDigest } = (await readRequest(world.ledger, requestId))!;
  const about = {
    ...{ chainId: world.ledger.chainId, provider: world.provider.account, requestId, recordId, recordDigest },
    ...{ transformKeyId, answerHash: sha256(transform) },
  };
  const statement = signStatement(world.providerIdentity, about, answer.statement.rows);
  return { ...failed, answer: { ...answer, transform, statement } };
}

/** Nodes by number do what is theirs to do. */
export async function nodesJudge(world: World, ...numbers: readonly number[]): Promise<void> {
  const disputes = new OpenDisputes(world);
  for (const number of numbers) {
    const { identity } = world.nodeParts[number - 1]!;
    const writer = new AccountWriter(world.surroundings, identity);
    const secrets = [identity.hpkeSecret];
    const node = { surroundings: world.surroundings, account: identity.account, writer, secrets, disputes };
    while (await judgeNext(node));
  }
}

/** What comes of it when the provider has followed and all three have judged. */
export async function settledIn(world: World, dispute: Dispute): Promise<Verdict | null> {
  await world.provider.follow();
  await nodesJudge(world, 1, 2, 3);
  return (await readDispute(world, dispute.disputeId)).outcome;
}

/** The account's own key where there is one. */
export const liveKeyOf = (world: World, { account }: Pick<Member, "account">) =>
  readEntry(world.ledger, entries.liveKey, account);

/** What a side shows node `number` on the ledger. */
export async function shownToNode(
  world: World,
  dispute: Dispute,
  { side, number }: { readonly side: Side; readonly number: number },
): Promise<Uint8Array | undefined> {
  const identifier = side === "provider" ? dispute.opening : dispute.evidence;
  const found = await world.ledger.transaction(identifier!);
  const sealed = decodeTransaction(found!.bytes).body.action as Sealed & Action;
  const { identity } = world.nodeParts[number - 1]!;
  const asked = { side, sealed, judge: identity.account, secrets: [identity.hpkeSecret] };
  return await openAsJudge(world, dispute, asked);
}
