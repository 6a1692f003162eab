/**
 * Full keys (CRYPTO §2.2, last point): z = 1, for a reader who must work offline, as an owner or a disaster kit. Issued
 * by t nodes, sealed to the account itself: for ACCOUNT@self at the account's own request, for a namespace's attributes
 * with a vouch for this one issue, which the ledger shows to all. A full key outlives revocation: only `rekey` of what
 * it opens takes it back.
 */
import {
  type AttributeKey,
  type CborValue,
  ChartsealError,
  type CheckedAnswer,
  combineAnswers,
  decodeAttributeKey,
  encode,
  encodeAttributeKey,
  encodeBlindProof,
  type GT,
  type IssueRequest,
  issueDigest,
  namespaceOf,
  type Pairing,
  proveBlind,
  randomBytes,
  selfAttribute,
  selfNamespace,
  sha256,
  sortAttributes,
  toHex,
  transformKeyPair,
} from "@chartseal/crypto";
import { readCommittee } from "./committee.ts";
import { demandEpoch, openAnswer, withAnswers } from "./issue.ts";
import type { AuthorityNode, Identity, SealedAnswer, Surroundings } from "./parties.ts";
import { AccountWriter } from "./submit.ts";

/** A full key with all that opening offline needs. Secret: whoever has it reads what its attributes satisfy. */
export interface FullKey {
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  readonly keyId: Uint8Array;
  /** 20 bytes. */
  readonly account: Uint8Array;
  /** The committee's public key as the ledger held it at the issue. */
  readonly mpk: GT;
  readonly key: AttributeKey;
}

export interface FullKeyOptions {
  readonly member: Identity;
  /** Attributes in force; ACCOUNT@self is always among them. */
  readonly attributes: readonly string[];
  readonly nodes: readonly AuthorityNode[];
  /** Has a namespace vouch for this one issue, named by d. */
  readonly vouch: (namespace: string, attributes: readonly string[], digest: Uint8Array) => Promise<unknown>;
  /** Called with the key before the ledger hears that it was issued, so that a crash cannot lose it. */
  readonly saved: (key: FullKey) => Promise<void>;
}

export interface IssuedFullKey {
  readonly keyId: Uint8Array;
  readonly attributes: readonly string[];
  readonly height: number;
}

/** @throws ChartsealError `issue-refused`, `issue-invalid` with the node, `ledger-unreachable`, `transaction-refused` */
export async function issueFullKey(
  surroundings: Surroundings,
  options: FullKeyOptions,
): Promise<IssuedFullKey> {
  const { ledger, pairing } = surroundings;
  const { member, nodes, saved } = options;
  const { reading } = await readCommittee(ledger, pairing);
  const attributes = sortAttributes([selfAttribute(toHex(member.account)), ...options.attributes]);
  const pair = transformKeyPair(pairing, { mode: "full" });
  const request: IssueRequest = {
    chainId: ledger.chainId,
    epoch: reading.epoch,
    requestId: randomBytes(32),
    account: member.account,
    blinded: pair.blinded,
    attributes,
    provider: member.account,
    mode: "full",
  };
  const digest = issueDigest(pairing, request);
  for (const [namespace, group] of byNamespace(attributes)) await options.vouch(namespace, group, digest);
  const writer = new AccountWriter(surroundings, member);
  const { requestId, epoch } = request;
  await writer.submit({
    kind: "request-key",
    requestId,
    blinded: pairing.g1.encode(pair.blinded),
    proof: encode(encodeBlindProof(pairing, proveBlind(pairing, { pair, digest }))),
    attributes,
    provider: member.account,
    mode: "full",
    epoch,
  });
  const { key, answers } = await withAnswers(nodes, reading.threshold, {
    ask: (node) => node.answer(requestId),
    use: async (given) => ({
      key: await combine(surroundings, { member, writer, request, answers: given }),
      answers: given,
    }),
  });
  const keyId = sha256(encode(encodeAttributeKey(pairing, key)));
  const { chainId } = ledger;
  await saved({ chainId, keyId, account: member.account, mpk: reading.publicKey, key });
  const issued = await writer.submit({
    kind: "key-issued",
    requestId,
    keyId,
    nodes: answers.map(({ node }) => node),
  });
  return { keyId, attributes, height: issued.height };
}

function byNamespace(attributes: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const attribute of attributes) {
    const namespace = namespaceOf(attribute);
    if (namespace === selfNamespace) continue;
    groups.set(namespace, [...(groups.get(namespace) ?? []), attribute]);
  }
  return groups;
}

/** Opens and checks t answers to this very request, and combines them. */
async function combine(
  surroundings: Surroundings,
  options: {
    member: Identity;
    writer: AccountWriter;
    request: IssueRequest;
    answers: readonly SealedAnswer[];
  },
): Promise<AttributeKey> {
  const { pairing, ledger } = surroundings;
  const { member, writer, request, answers } = options;
  const { reading } = await readCommittee(ledger, pairing);
  demandEpoch(request, reading.epoch);
  const checked: CheckedAnswer[] = [];
  for (const sealed of answers) {
    checked.push(await openAnswer(surroundings, { receiver: member, writer, request, key: reading, sealed }));
  }
  return combineAnswers(pairing, { threshold: reading.threshold, answers: checked });
}

/** [1, chain id 32, key id 32, account 20, mpk 576, key]: to be stored encrypted and nowhere else. */
export function encodeFullKey(pairing: Pairing, full: FullKey): CborValue {
  const { chainId, keyId, account, mpk, key } = full;
  return [1, chainId, keyId, account, pairing.gt.encode(mpk), encodeAttributeKey(pairing, key)];
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeFullKey(pairing: Pairing, value: CborValue): FullKey {
  const fields: readonly CborValue[] = Array.isArray(value) ? value : [];
  const [version, chainId, keyId, account, mpk, key] = fields;
  if (fields.length !== 6 || version !== 1 || key === undefined) throw malformed();
  return {
    chainId: sized(chainId, 32),
    keyId: sized(keyId, 32),
    account: sized(account, 20),
    mpk: pairing.gt.decode(sized(mpk, 576)),
    key: decodeAttributeKey(pairing, key),
  };
}

function sized(value: CborValue | undefined, size: number): Uint8Array {
  if (value instanceof Uint8Array && value.length === size) return value;
  throw malformed();
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not the encoding of a full key");
}
