/**
 * A key for one emergency or one appointment as proxy (CRYPTO §3.1, Emergency leaf): asked for by its reader, answered by
 * t nodes while it is in force, kept by the provider alone. Its secret z is another than the account's own and opens
 * nothing but what that key transforms.
 */
import {
  ChartsealError,
  encode,
  encodeBlindProof,
  equalBytes,
  type IssueRequest,
  issueDigest,
  proveBlind,
  randomBytes,
  type Scalar,
  transformKeyPair,
} from "@chartseal/crypto";
import { demandGrant, entries, type SpecialMode } from "@chartseal/ledger";
import { readCommittee } from "./committee.ts";
import { withAnswers } from "./issue.ts";
import { judged, judgingMs } from "./judged.ts";
import type { AuthorityNode, MemberKeys, Provider, Surroundings } from "./parties.ts";
import { request } from "./request.ts";
import { askTransform, type KeepUnopened, type Opened, open } from "./retrieve.ts";
import { type Reader, readEntry } from "./state.ts";
import { AccountWriter } from "./submit.ts";

/** Which emergency or appointment. */
export interface GrantName {
  readonly mode: SpecialMode;
  /** 32 bytes. */
  readonly grantId: Uint8Array;
}

/** What the client keeps: z, and the request that it was drawn for. */
export interface SpecialSecret {
  readonly requestId: Uint8Array;
  readonly recoveryKey: Scalar;
}

/** z with the id of the key that the provider keeps. */
export interface SpecialKey {
  readonly keyId: Uint8Array;
  readonly recoveryKey: Scalar;
}

/** The key that the secret finishes, where the ledger shows it as the grant's own, with this provider. */
export async function specialKeyOf(
  { ledger, provider }: { readonly ledger: Reader; readonly provider: Pick<Provider, "account"> },
  { grantId }: GrantName,
  { requestId, recoveryKey }: SpecialSecret,
): Promise<SpecialKey | undefined> {
  const key = await readEntry(ledger, entries.specialKey, grantId);
  if (key === undefined || !equalBytes(key.requestId, requestId)) return undefined;
  return equalBytes(key.provider, provider.account) ? { keyId: key.keyId, recoveryKey } : undefined;
}

/**
 * Asks for the key and has it issued.
 * @throws ChartsealError `emergency-missing`, `proxy-missing`, `issue-refused`, `ledger-unreachable` where fewer than t
 *   nodes answer
 */
export async function obtainSpecialKey(
  surroundings: Surroundings & { readonly provider: Provider; readonly nodes: readonly AuthorityNode[] },
  options: {
    readonly member: MemberKeys;
    readonly grant: GrantName;
    /** Called with z before the key is asked for, so that a crash cannot lose it. */
    readonly saved: (secret: SpecialSecret) => Promise<void>;
  },
): Promise<SpecialKey> {
  const { ledger, pairing, provider, nodes } = surroundings;
  const { member, grant } = options;
  const secret = await requestSpecialKey(surroundings, { ...options, provider: provider.account });
  const { requestId } = secret;
  const { reading } = await readCommittee(ledger, pairing);
  await withAnswers(nodes, reading.threshold, {
    ask: (node) => node.answer(requestId),
    use: (answers) => provider.takeIssue({ requestId, answers }),
  });
  // Which key is the grant's the ledger says, not the provider.
  const key = await specialKeyOf(surroundings, grant, secret);
  if (key !== undefined) return key;
  throw new ChartsealError("issue-invalid", `the provider has not made the ${grant.mode}'s key`, {
    data: { account: member.account },
  });
}

async function requestSpecialKey(
  surroundings: Surroundings,
  options: {
    readonly member: MemberKeys;
    readonly grant: GrantName;
    readonly provider: Uint8Array;
    readonly saved: (secret: SpecialSecret) => Promise<void>;
  },
): Promise<SpecialSecret> {
  const { ledger, pairing } = surroundings;
  const { member, provider } = options;
  const { mode, grantId } = options.grant;
  const timestampMs = await judgingMs(surroundings);
  const { attribute } = await judged(ledger, (state) => demandGrant(state, { mode, grantId, timestampMs }));
  const pair = transformKeyPair(pairing, { mode });
  const { reading } = await readCommittee(ledger, pairing);
  const asked: IssueRequest = {
    chainId: ledger.chainId,
    epoch: reading.epoch,
    requestId: randomBytes(32),
    account: member.account,
    blinded: pair.blinded,
    attributes: [attribute],
    provider,
    mode,
    grantId,
  };
  const proof = proveBlind(pairing, { pair, digest: issueDigest(pairing, asked) });
  const { requestId, attributes, epoch } = asked;
  const secret = { requestId, recoveryKey: pair.recoveryKey };
  await options.saved(secret);
  await new AccountWriter(surroundings, member).submit({
    kind: "request-special-key",
    requestId,
    blinded: pairing.g1.encode(pair.blinded),
    proof: encode(encodeBlindProof(pairing, proof)),
    attributes,
    provider,
    mode,
    grantId,
    epoch,
  });
  return secret;
}

/**
 * All steps of `retrieve` under a special key: request, transform, open. The member's own key takes no part.
 * @throws what `retrieve` does, and `emergency-missing`, `proxy-missing`
 */
export async function retrieveSpecially(
  surroundings: Surroundings & { readonly provider: Provider },
  options: {
    readonly member: MemberKeys;
    readonly grant: GrantName;
    readonly key: SpecialKey;
    readonly recordId: Uint8Array;
    /** BTG or ETREAT in an emergency; a proxy needs none. */
    readonly purpose?: string;
    readonly unopened?: KeepUnopened;
  },
): Promise<Opened & { readonly requestId: Uint8Array }> {
  const { member, key, unopened, ...asked } = options;
  const { keyId: transformKeyId, recoveryKey } = key;
  const reader = { ...member, transformKeyId, recoveryKey };
  const granted = await request(surroundings, { ...asked, member: reader });
  const transformed = await askTransform(surroundings, { member: reader, granted });
  const keep = unopened === undefined ? {} : { unopened };
  const opened = await open(surroundings, { member: reader, granted, transformed, ...keep });
  return { ...opened, requestId: granted.requestId };
}
