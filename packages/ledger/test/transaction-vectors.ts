/** The vectors of spec/6-ledger.md, Vectors of transactions: made from labels alone, so that anybody can make them. */
import { ed25519KeyPairFromSeed, sha256, toHex, utf8 } from "@chartseal/crypto";
import { signNewKey } from "../src/account-keys.ts";
import type { Action } from "../src/actions.ts";
import { actionTable } from "../src/actions.ts";
import {
  accountOf,
  idOf,
  signAdmission,
  signAsAccount,
  signErasedCopy,
  signOneTime,
  signRelay,
  signStorageReceipt,
} from "../src/authorisation.ts";
import { chainIdOf, defaultParameters, encodeGenesis } from "../src/genesis.ts";
import { logStart, nextLogHash, outcomes } from "../src/rules/records.ts";
import { type Authorisation, encodeBody, encodeTransaction, identifierOf } from "../src/transaction.ts";
import { stakeVectorActions } from "./stake-vectors.ts";

/** 32 bytes of a label. */
export const bytes32 = (label: string): Uint8Array => sha256(utf8(`chartseal vector ${label}`));
const bytes20 = (label: string): Uint8Array => bytes32(label).slice(0, 20);
const seed = (label: string): Uint8Array => bytes32(`seed ${label}`);
const keyOf = (label: string): Uint8Array => ed25519KeyPairFromSeed(seed(label)).publicKey;

const lastValidMs = 1_700_000_600_000;
const statement = {
  descriptor: bytes32("descriptor"),
  payloadLength: 1000,
  payloadDigest: bytes32("payload"),
  keyCommitment: bytes32("key commitment"),
  metadataCommitment: bytes32("metadata commitment"),
};
const account = bytes20("account");
const keygen = { session: "reading", attempt: 1, message: Uint8Array.of(0x81, 1) } as const;
const attributes = ["cardiologist@cedars", "physician@cedars"];
const recordId = bytes32("record");
const requestId = bytes32("request");
const policy = "cardiologist@cedars and physician@cedars";
const address = "objects/0011";
const headerHash = bytes32("header");

const newKeyProof = signNewKey(seed("new"), {
  chainId: bytes32("chain"),
  account,
  hpkeKey: bytes32("hpke"),
});
const ruleFields = {
  namespace: "cedars",
  policy,
  writers: policy,
  purposes: ["TREAT"],
  expiresMs: null,
  perDay: 50,
} as const;

/** One action of every kind. */
export const vectorActions: readonly Action[] = [
  { kind: "enrol", publicKey: keyOf("member"), hpkeKey: bytes32("hpke") },
  { kind: "set-hpke-key", hpkeKey: bytes32("hpke") },
  { kind: "keygen-commit", ...keygen },
  { kind: "keygen-reveal", ...keygen },
  { kind: "keygen-deal", ...keygen },
  { kind: "keygen-complaint", ...keygen },
  { kind: "keygen-answer", ...keygen },
  { kind: "keygen-conclude", session: "audit", attempt: 2 },
  {
    kind: "open-committee-change",
    change: "reshare",
    nodes: [account, bytes20("node 4")],
    threshold: 2,
    dealers: [1, 3],
  },
  { kind: "register-provider", publicKey: keyOf("provider"), hpkeKey: bytes32("hpke") },
  {
    kind: "register-namespace",
    name: "cedars",
    account,
    hpkeKey: bytes32("hpke"),
    lists: bytes32("lists"),
    proof: bytes32("proof"),
  },
  { kind: "extend-namespace", name: "cedars", lists: bytes32("lists"), proof: bytes32("proof") },
  { kind: "open-period", namespace: "cedars", attribute: "cardiologist@cedars", label: "2026q4" },
  { kind: "vouch", namespace: "cedars", account, attributes, mode: "full", digest: bytes32("d") },
  { kind: "revoke", namespace: "cedars", account, attributes: [] },
  { kind: "register-node", publicKey: keyOf("node 4"), hpkeKey: bytes32("hpke") },
  {
    kind: "request-key",
    requestId,
    blinded: new Uint8Array(48).fill(0xab),
    proof: bytes32("proof"),
    attributes,
    provider: account,
    mode: "transform",
    epoch: 1,
  },
  { kind: "key-issued", requestId, keyId: bytes32("key"), nodes: [1, 3] },
  {
    kind: "request-special-key",
    requestId,
    blinded: new Uint8Array(48).fill(0xab),
    proof: bytes32("proof"),
    attributes: ["emergency-leaf@self"],
    provider: account,
    mode: "emergency",
    grantId: bytes32("grant"),
    epoch: 1,
  },
  {
    kind: "node-fault",
    subject: "issue",
    id: requestId,
    epoch: 1,
    node: 2,
    answer: bytes32("answer"),
    signature: new Uint8Array(64).fill(2),
  },
  { kind: "set-rule", ...ruleFields },
  { kind: "revoke-rule", namespace: "cedars" },
  {
    kind: "deposit",
    recordId,
    owner: account,
    namespace: "cedars",
    policy,
    authorPolicy: policy,
    headerHash,
    address,
    statement,
    purposes: [],
  },
  { kind: "rekey", recordId, version: 2, headerHash, address, policy, statement: null },
  {
    kind: "request-access",
    requestId,
    recordId,
    recordDigest: bytes32("digest"),
    purpose: "TREAT",
    oneTimeKey: keyOf("one-time"),
    proof: "attributes",
    emergencyId: null,
  },
  {
    kind: "receipt",
    requestId,
    provider: account,
    box: bytes32("box"),
    ownerEnvelope: bytes32("envelope"),
    auditCiphertext: bytes32("audit"),
  },
  { kind: "refuse", requestId, code: "key-missing" },
  { kind: "mark-disputed", recordId, relay: account },
  { kind: "erase", recordId },
  {
    kind: "erase-certificate",
    recordId,
    copies: [{ holder: account, address, signature: new Uint8Array(64).fill(1) }],
  },
  { kind: "alert", alert: "object-altered", recordId, detail: "chunk 3" },
  {
    kind: "raise-era",
    lostHeight: 9,
    lostHash: bytes32("lost"),
    missing: ["2 records"],
    tombstones: [Uint8Array.of(0x80)],
  },
  {
    kind: "declare-emergency",
    emergencyId: bytes32("grant"),
    owner: account,
    records: [recordId],
    reason: "unconscious",
    endMs: 1_700_003_600_000,
    attribute: "emergency-physician@cedars",
  },
  {
    kind: "confirm-emergency",
    emergencyId: bytes32("grant"),
    declaration: bytes32("declaration"),
    attribute: "emergency-physician@cedars",
  },
  { kind: "end-emergency", emergencyId: bytes32("grant") },
  { kind: "review-emergency", emergencyId: bytes32("grant"), outcome: "justified", note: "seen" },
  {
    kind: "set-settings",
    emergencyAttributes: ["emergency-physician@cedars"],
    recoveryRequired: true,
    recoveryDelayMs: 604_800_000,
    emergencyLifetimeMs: 86_400_000,
  },
  { kind: "set-recovery", guardians: [account], threshold: 1, paperKey: keyOf("paper") },
  { kind: "replace-key", publicKey: keyOf("new"), hpkeKey: bytes32("hpke"), proof: newKeyProof },
  {
    kind: "start-recovery",
    account,
    publicKey: keyOf("new"),
    hpkeKey: bytes32("hpke"),
    proof: newKeyProof,
  },
  { kind: "approve-recovery", recoveryId: bytes32("recovery") },
  { kind: "object-recovery", recoveryId: bytes32("recovery") },
  { kind: "finish-recovery", recoveryId: bytes32("recovery") },
  {
    kind: "appoint-proxy",
    proxyId: bytes32("grant"),
    proxy: account,
    endMs: 1_800_000_000_000,
    may: ["read", "rules"],
  },
  { kind: "end-proxy", proxyId: bytes32("grant") },
  { kind: "set-rule-as-proxy", proxyId: bytes32("grant"), ...ruleFields },
  { kind: "revoke-rule-as-proxy", proxyId: bytes32("grant"), namespace: "cedars" },
  { kind: "set-residency", regions: ["ch", "eu"] },
  { kind: "record-placement", recordId, version: 1, k: 2, n: 3, regions: ["ch", "eu"] },
  { kind: "record-repair", recordId, k: 2, n: 3, lost: 1, rebuilt: 1, regions: ["eu"], note: "disk lost" },
  { kind: "open-audit", provider: account, nonceHash: bytes32("nonce hash") },
  {
    kind: "record-audit",
    auditId: bytes32("audit"),
    nonce: bytes32("nonce"),
    challenges: 460,
    records: 7,
    root: bytes32("root"),
    unanswered: 1,
    failures: 1,
    failed: [recordId],
    mended: [],
  },
  {
    kind: "dispute-transform",
    requestId,
    keyId: bytes32("key"),
    rows: [0, 2],
    answerHash: bytes32("answer"),
    signature: new Uint8Array(64).fill(2),
  },
  {
    kind: "open-transform-key",
    disputeId: bytes32("dispute"),
    box: bytes32("box"),
    envelopes: [new Uint8Array(80).fill(1), new Uint8Array(80).fill(2)],
  },
  {
    kind: "dispute-evidence",
    disputeId: bytes32("dispute"),
    box: bytes32("box"),
    envelopes: [new Uint8Array(80).fill(3), new Uint8Array(80).fill(4)],
  },
  {
    kind: "dispute-verdict",
    disputeId: bytes32("dispute"),
    verdict: "sealer",
    opening: bytes32("opening"),
    evidence: bytes32("evidence"),
  },
  { kind: "set-retention", recordId, part: "keep", keepUntilMs: 1_900_000_000_000, eraseAfterMs: null },
  { kind: "place-hold", recordId, holdId: bytes32("hold"), reason: "a lawsuit" },
  { kind: "lift-hold", recordId, holdId: bytes32("hold"), reason: "settled" },
  { kind: "erase-due", recordId },
  ...stakeVectorActions,
];

/** The whole file, hex for bytes. */
export function transactionVectors(): Record<string, unknown> {
  const genesis = encodeGenesis({
    name: "vector consortium",
    createdMs: 1_700_000_000_000,
    parameters: defaultParameters,
    validators: [{ publicKey: keyOf("validator"), stake: 1 }],
    providers: [keyOf("provider")],
    nodes: [keyOf("node 1"), keyOf("node 2"), keyOf("node 3")],
    threshold: 2,
  });
  const chainId = chainIdOf(genesis);
  const head = { height: 0, hash: chainId };
  const bodies = vectorActions.map((action) => encodeBody({ chainId, era: 0, lastValidMs, head, action }));
  const kinds = vectorActions.map(({ kind }, at) => {
    const body = bodies[at]!;
    return { kind, number: actionTable[kind][0], body: toHex(body), identifier: toHex(identifierOf(body)) };
  });
  const body = bodies[vectorActions.findIndex(({ kind }) => kind === "deposit")]!;
  const oneTime = signOneTime(seed("one-time"), body);
  const proof = bytes32("attribute signature");
  const relay = signRelay(seed("provider"), {
    chainId,
    body,
    oneTimeSignature: oneTime.signature,
    attributes: proof,
  });
  const stored = {
    recordId,
    address,
    headerHash,
    payloadDigest: statement.payloadDigest,
    payloadLength: 1000,
  };
  const storageReceipt = signStorageReceipt(seed("provider"), stored);
  const authorisation: Partial<Authorisation> = { oneTime, attributes: proof, relay, storageReceipt };
  const signed = signAsAccount({ seed: seed("member"), sequence: 5, body });
  const copy = signErasedCopy(seed("provider"), { chainId, recordId, address });
  return {
    about: "Recipe: spec/6-ledger.md, Vectors of transactions. Byte strings are lower-case hex.",
    genesis: toHex(genesis),
    chainId: toHex(chainId),
    member: { publicKey: toHex(keyOf("member")), account: toHex(accountOf(keyOf("member"))) },
    id: { oneTimeKey: toHex(keyOf("one-time")), id: toHex(idOf(chainId, keyOf("one-time"))) },
    kinds,
    deposit: {
      account: { sequence: 5, account: toHex(signed.account), signature: toHex(signed.signature) },
      oneTime: toHex(oneTime.signature),
      relay: { account: toHex(relay.account), signature: toHex(relay.signature) },
      storageReceipt: toHex(storageReceipt.signature),
      admission: toHex(signAdmission(seed("validator"), body).signature),
      erasedCopy: toHex(copy.signature),
      transaction: toHex(encodeTransaction(body, authorisation)),
    },
    log: [1, 2].map((count) => {
      const entry = (hash: Uint8Array) => nextLogHash(hash, bytes32("identifier"), outcomes.deposited);
      return toHex(count === 1 ? entry(logStart) : entry(entry(logStart)));
    }),
  };
}
