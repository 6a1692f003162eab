/** One transaction of every kind about stake and votes, for the published vectors. */
import { sha256, utf8 } from "@chartseal/crypto";
import type { Action } from "../src/actions.ts";
import { defaultStakeParameters } from "../src/rules/stake-parameters.ts";
import type { EvidenceVote } from "../src/stake-values.ts";

const bytes32 = (label: string): Uint8Array => sha256(utf8(label));
const account = bytes32("operator").slice(0, 20);
const validator = bytes32("validator key");
const proposalId = bytes32("proposal");
const voteFor = (blockId: EvidenceVote["blockId"]): EvidenceVote => ({
  blockId,
  seconds: 1_700_000_000,
  nanos: 5,
  signature: new Uint8Array(64).fill(3),
});

export const stakeVectorActions: readonly Action[] = [
  { kind: "bond", validator, amount: 5 },
  { kind: "delegate", validator, amount: 5 },
  { kind: "unbond", validator, amount: 5 },
  { kind: "withdraw-weight", validator },
  {
    kind: "equivocation",
    validator,
    voteType: "precommit",
    height: 9,
    round: 1,
    first: voteFor({ hash: bytes32("block"), total: 1, partsHash: bytes32("parts") }),
    second: voteFor(null),
  },
  { kind: "jail-absent", validator, fromHeight: 1, toHeight: 1_000, missed: 600 },
  { kind: "unjail", validator },
  {
    kind: "propose",
    // CBOR [155, [public key]]: lift-jail.
    action: Uint8Array.of(0x82, 0x18, 155, 0x81, 0x58, 32, ...validator),
    lapsesMs: 1_700_086_400_000,
    note: "it was a mistake",
  },
  { kind: "vote", proposalId, inFavour: true },
  { kind: "execute", proposalId },
  { kind: "set-stake-parameters", ...defaultStakeParameters },
  { kind: "admit-validator", publicKey: validator, operator: account, weight: 10 },
  { kind: "remove-validator", publicKey: validator },
  { kind: "assign-weight", account, weight: 10 },
  { kind: "remove-institution", role: "namespace", account, namespace: "cedars" },
  { kind: "lift-jail", publicKey: validator },
];
