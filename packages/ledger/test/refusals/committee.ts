/** Refusals of changes of the committee, of nodes that would join it, and of evidence against nodes. */
import {
  answerIssue,
  answerParts,
  baseDigest,
  basePartial,
  decode,
  decodeBlindProof,
  encodeAnswer,
  encodeBasePartial,
  encodeCommitteeKey,
  type IssueRequest,
  issueDigest,
  readingKeySpace,
  signTagged,
  utf8,
} from "@chartseal/crypto";
import type { ActionOf } from "../../src/actions.ts";
import { entries, load, save } from "../../src/state-kinds.ts";
import { encodeTransaction } from "../../src/transaction.ts";
import { ChangeRun, opening, refreshed, roundMs, spaceOf } from "../committee-run.ts";
import { doctor, nodes, owner, service, stranger, type World } from "../world.ts";
import { both, type Case, nobody, someHash } from "./making.ts";

const registration = (who: typeof nobody) =>
  ({ kind: "register-node", publicKey: who.publicKey, hpkeKey: who.hpkeKey }) as const;
const resharing = (changes: object) => opening({ ...refreshed, change: "reshare", dealers: [1, 2] }, changes);

/** A resharing that the validators admit but nothing can come of. */
const impossible =
  (changes: object): Case[2] =>
  (w) =>
    w.admitted(service, resharing(changes));

const accounts = nodes.map(({ account }) => account);

export const changes: readonly Case[] = [
  [
    "account-exists",
    "a node of the genesis that registers again",
    (w) => w.admitted(nodes[0]!, registration(nodes[0]!)),
  ],
  ["account-mismatch", "a node under another's key", (w) => w.admitted(doctor, registration(stranger))],
  ["admission-missing", "a node without a vote", (w) => w.signed(nobody, registration(nobody))],
  ["admission-missing", "a resharing without a vote", (w) => w.signed(nodes[0]!, resharing({}))],
  ["admission-missing", "a refresh by nobody", (w) => encodeTransaction(w.body(opening(refreshed)), {})],
  [
    "role-missing",
    "a refresh that a provider opens",
    (w) => {
      w.timestampMs += roundMs;
      return w.signed(service, opening(refreshed));
    },
  ],
  ["change-open", "a refresh right after the key generation", (w) => w.signed(nodes[0]!, opening(refreshed))],
  [
    "change-open",
    "a refresh while one is under way",
    (w) => {
      w.submit(w.admitted(service, opening(refreshed)));
      return w.signed(nodes[1]!, opening(refreshed));
    },
  ],
  ["change-invalid", "a threshold of none", impossible({ threshold: 0 })],
  ["change-invalid", "a threshold above the nodes", impossible({ threshold: 4 })],
  ["change-invalid", "no nodes", impossible({ nodes: [], threshold: 0 })],
  ["change-invalid", "a node twice", impossible({ nodes: [accounts[0], accounts[0]], threshold: 1 })],
  ["change-invalid", "a member that is no node", impossible({ nodes: [...accounts, owner.account] })],
  ["change-invalid", "a node that nobody knows", impossible({ nodes: [...accounts, nobody.account] })],
  ["change-invalid", "fewer dealers than t", impossible({ dealers: [1] })],
  ["change-invalid", "more dealers than t", impossible({ dealers: [1, 2, 3] })],
  ["change-invalid", "a dealer twice", impossible({ dealers: [2, 2] })],
  ["change-invalid", "dealers out of order", impossible({ dealers: [2, 1] })],
  ["change-invalid", "a dealer outside the committee", impossible({ dealers: [1, 4] })],
  [
    "change-invalid",
    "a refresh with another threshold",
    (w) => w.admitted(service, opening(refreshed, { threshold: 3 })),
  ],
  [
    "change-invalid",
    "a refresh that leaves a dealer out",
    (w) => w.admitted(service, opening(refreshed, { dealers: [1, 2] })),
  ],
  [
    "change-invalid",
    "a refresh among nodes in another order",
    (w) => w.admitted(service, opening(refreshed, { nodes: [...accounts].reverse() })),
  ],
  [
    "change-key",
    "a resharing that would come to another key, on a state whose key is not that of its shares",
    (w) => {
      const space = spaceOf(w, "audit");
      const key = w.committee(space);
      const publicKey = space.group.combine([{ point: key.publicKey, scalar: 2n }]);
      const change = { ...refreshed, change: "reshare", dealers: [1, 2] } as const;
      w.submit(w.admitted(service, opening(change)));
      save(w.state, entries.committee, utf8("audit"), encodeCommitteeKey(space, { ...key, publicKey }));
      const run = new ChangeRun(w, change, "audit");
      for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
      run.conclude([1, 2]);
      return w.signed(nodes[2]!, run.concluding);
    },
  ],
  [
    "epoch-wrong",
    "a key of answers of the epoch before",
    (w) => {
      const { action } = w.keyRequest(doctor, { label: "key", attributes: both });
      w.do(doctor, action);
      const value = load(w.state, entries.keyRequest, action.requestId)!;
      save(w.state, entries.keyRequest, action.requestId, { ...value, epoch: 2 });
      const { requestId } = action;
      return w.signed(service, { kind: "key-issued", requestId, keyId: someHash, nodes: [1, 2] });
    },
  ],
];

type Evidence = ActionOf<"node-fault">;

/** Node 2's answer to the doctor's request, changed before node 2 signs it. */
export function issueEvidence(world: World, change: (answer: Uint8Array) => Uint8Array): Evidence {
  const { pairing, chainId } = world;
  const { action } = world.keyRequest(doctor, { label: "key", attributes: both });
  world.do(doctor, action);
  const { requestId, epoch, attributes, provider, mode } = action;
  const { account } = doctor;
  const blinded = pairing.g1.decode(action.blinded);
  const request: IssueRequest = { chainId, epoch, requestId, account, blinded, attributes, provider, mode };
  return evidenceOf(world, { request, proof: action.proof, change });
}

/** Node 2's answer to any request, changed before node 2 signs it. */
export function evidenceOf(
  world: World,
  asked: {
    readonly request: IssueRequest;
    readonly proof: Uint8Array;
    readonly change: (answer: Uint8Array) => Uint8Array;
  },
): Evidence {
  const { pairing } = world;
  const { request, change } = asked;
  const { requestId, epoch } = request;
  const proof = decodeBlindProof(pairing, decode(asked.proof, { sizeMax: 256 }));
  const key = world.committee(readingKeySpace(pairing));
  const right = answerIssue(pairing, { request, proof, key, share: world.shares.reading![1]! });
  const answer = change(encodeAnswer(pairing, right));
  const digest = issueDigest(pairing, request);
  const signature = signTagged(nodes[1]!.seed, "authority/answer", ...answerParts(digest, 2, answer));
  return { kind: "node-fault", subject: "issue", id: requestId, epoch, node: 2, answer, signature };
}

/** Node 2's part of the doctor's base key, changed before node 2 signs it. */
export function baseEvidence(world: World, change: (answer: Uint8Array) => Uint8Array): Evidence {
  const { pairing, chainId } = world;
  const { account } = doctor;
  const right = basePartial(pairing, { account, share: world.shares.signing![1]! });
  const answer = change(encodeBasePartial(pairing, right));
  const digest = baseDigest(chainId, 1, account);
  const signature = signTagged(nodes[1]!.seed, "authority/answer", ...answerParts(digest, 2, answer));
  return { kind: "node-fault", subject: "base", id: account, epoch: 1, node: 2, answer, signature };
}

/** The last bytes of an answer are its proof's response: another one does not verify. */
export function spoilt(answer: Uint8Array): Uint8Array {
  const copy = answer.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}

const shown =
  (changes: (evidence: Evidence) => Partial<Evidence>, made = issueEvidence): Case[2] =>
  (w) => {
    const evidence = made(w, spoilt);
    return w.signed(service, { ...evidence, ...changes(evidence) });
  };

export const faults: readonly Case[] = [
  ["fault-unsigned", "an answer that somebody changed", shown(({ answer }) => ({ answer: spoilt(answer) }))],
  ["fault-unsigned", "one node's answer held against another", shown(() => ({ node: 1 }))],
  ["fault-unsigned", "an answer of a node that there is not", shown(() => ({ node: 4 }))],
  ["fault-unsigned", "an answer of an epoch that there was not", shown(() => ({ epoch: 2 }), baseEvidence)],
  ["fault-unsigned", "an answer to another's base key", shown(() => ({ id: owner.account }), baseEvidence)],
  [
    "fault-unsigned",
    "an answer to an account of another size",
    shown(() => ({ id: someHash }), baseEvidence),
  ],
  ["request-unknown", "an answer to a request that nobody made", shown(() => ({ id: someHash }))],
  [
    "fault-unfounded",
    "a right answer",
    (w) =>
      w.signed(
        service,
        issueEvidence(w, (answer) => answer),
      ),
  ],
  [
    "fault-unfounded",
    "a right part of a base key",
    (w) =>
      w.signed(
        service,
        baseEvidence(w, (one) => one),
      ),
  ],
  [
    "fault-known",
    "the same wrong answer twice",
    (w) => {
      const evidence = issueEvidence(w, spoilt);
      w.do(service, evidence);
      return w.signed(doctor, evidence);
    },
  ],
];
