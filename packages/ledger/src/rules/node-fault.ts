/**
 * node-fault: an answer that a node signed and that does not verify, shown by whoever received it (CRYPTO §2.3). The
 * machine checks both: the signature, so that nobody is named for what another made up, and the answer against the
 * node's public value of that epoch, so that nobody is named for a right one.
 */
import {
  answerParts,
  baseDigest,
  ChartsealError,
  checkAnswer,
  checkBasePartial,
  decodeAnswer,
  decodeBasePartial,
  decodeCommitteeKey,
  type G2,
  type GT,
  type IssueRequest,
  issueDigest,
  type KeySpace,
  verifyTagged,
} from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import { entries, load } from "../state-kinds.ts";
import { sessionSpace } from "./committee.ts";
import { nameNode } from "./node-faults.ts";
import { committeeOf } from "./present-committee.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";

/** What the answer answers: its d, and the check that a right one passes. */
interface Question {
  readonly digest: Uint8Array;
  /** @throws ChartsealError for a wrong answer */
  check(key: Uint8Array): void;
}

export const nodeFault: Rule<"node-fault"> = (setting, action) => {
  const { state, consortium } = setting;
  const { node, epoch, answer, signature } = action;
  signerOf(setting);
  const question =
    action.subject === "issue" ? issueQuestion(setting, action) : baseQuestion(setting, action);
  const session = action.subject === "issue" ? "reading" : "signing";
  const committee = committeeOf(state, consortium, { session, epoch });
  const account = committee?.nodes[node - 1];
  demand(committee !== undefined && account !== undefined, "fault-unsigned");
  const key = load(state, entries.account, account)?.publicKey;
  const parts = answerParts(question.digest, node, answer);
  demand(key && verifyTagged(key, signature, "authority/answer", ...parts), "fault-unsigned");
  demand(
    isWrong(() => question.check(committee.key)),
    "fault-unfounded",
  );
  const named = nameNode(setting, { node: account, about: question.digest, fault: "answer-invalid", epoch });
  demand(named, "fault-known");
};

function isWrong(check: () => void): boolean {
  try {
    check();
    return false;
  } catch (error) {
    const wrong = ["encoding-invalid", "issue-invalid", "input-invalid"];
    if (error instanceof ChartsealError && wrong.includes(error.code)) return true;
    throw error;
  }
}

/** A part that names another node than the one that signed it is wrong, whatever else it says. */
function demandOwn(part: { readonly node: number }, node: number): void {
  if (part.node !== node) throw new ChartsealError("issue-invalid", "an answer names another node");
}

function issueQuestion({ state, block }: Setting, action: ActionOf<"node-fault">): Question {
  const { pairing, chainId } = block;
  const special = load(state, entries.specialRequest, action.id);
  const value = special ?? load(state, entries.keyRequest, action.id);
  demand(value, "request-unknown");
  demand(value.epoch === action.epoch, "fault-unsigned");
  const { account, attributes, provider, mode, epoch } = value;
  const blinded = pairing.g1.decode(value.blinded);
  const request: IssueRequest = {
    chainId,
    epoch,
    requestId: action.id,
    account,
    blinded,
    attributes,
    provider,
    mode,
    ...(special === undefined ? {} : { grantId: special.grantId }),
  };
  return {
    digest: issueDigest(pairing, request),
    check: (bytes) => {
      const answer = decodeAnswer(pairing, action.answer, attributes.length);
      demandOwn(answer, action.node);
      const space = sessionSpace(pairing, "reading") as KeySpace<GT>;
      checkAnswer(pairing, { request, key: decodeCommitteeKey(space, bytes), answer });
    },
  };
}

function baseQuestion({ block }: Setting, { id, epoch, node, answer }: ActionOf<"node-fault">): Question {
  const { pairing, chainId } = block;
  demand(id.length === 20, "fault-unsigned");
  return {
    digest: baseDigest(chainId, epoch, id),
    check: (bytes) => {
      const partial = decodeBasePartial(pairing, answer);
      demandOwn(partial, node);
      const space = sessionSpace(pairing, "signing") as KeySpace<G2>;
      checkBasePartial(pairing, { space, key: decodeCommitteeKey(space, bytes), account: id }, partial);
    },
  };
}
