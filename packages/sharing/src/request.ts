/**
 * The first step OUT (DESIGN): a transaction that proves the policy, in one of the ways of CONTRACT: by attributes
 * (anonymous, through a relay), as the owner, as one person whom the policy names, in an emergency, or as the owner's proxy.
 * The ledger checks and grants.
 */
import {
  ChartsealError,
  ed25519KeyPair,
  equalBytes,
  parsePolicy,
  personsOf,
  signingPolicy,
  toHex,
} from "@chartseal/crypto";
import {
  encodeTransaction,
  identifierOf,
  idOf,
  isEmergencyPurpose,
  outcomes,
  type ProofKind,
  type RecordValue,
  type SpecialMode,
  signOneTime,
} from "@chartseal/ledger";
import type { MemberKeys, Provider, Surroundings } from "./parties.ts";
import { checkPurpose } from "./purposes.ts";
import { checkSigner, signWithAttributes } from "./signing.ts";
import { readRequest, requireRecord } from "./state.ts";
import { AccountWriter, currentBody } from "./submit.ts";

/** A request that the ledger granted, with the secret that uses it. */
export interface Granted {
  readonly requestId: Uint8Array;
  readonly recordId: Uint8Array;
  readonly proof: ProofKind;
  readonly record: RecordValue;
  readonly oneTime: { readonly seed: Uint8Array; readonly publicKey: Uint8Array };
}

/** How this member would prove the record's policy: the owner and a named person by account, else by attributes. */
export function proofOf(record: RecordValue, account: Uint8Array): ProofKind {
  if (equalBytes(record.owner, account)) return "owner";
  const policy = parsePolicy(record.policy);
  return personsOf(policy).includes(toHex(account)) ? "person" : "attributes";
}

/**
 * Asks, and returns the grant.
 * @throws ChartsealError `erased`, `policy-unsatisfied`, `rule-missing`, `rule-violated`, `record-unknown`
 */
export async function request(
  surroundings: Surroundings & { readonly provider: Provider },
  options: {
    readonly member: MemberKeys;
    readonly recordId: Uint8Array;
    /** Default TREAT, in an emergency BTG; an owner needs none, and a proxy none either. */
    readonly purpose?: string;
    /** The emergency or the appointment as proxy that the request stands on. */
    readonly grant?: { readonly mode: SpecialMode; readonly grantId: Uint8Array };
  },
): Promise<Granted> {
  const { ledger } = surroundings;
  const { member, recordId, grant } = options;
  const record = await requireRecord(ledger, recordId);
  const proof = grant?.mode ?? proofOf(record, member.account);
  const oneTime = ed25519KeyPair();
  const requestId = idOf(ledger.chainId, oneTime.publicKey);
  const action = {
    kind: "request-access",
    requestId,
    recordId,
    recordDigest: record.digest,
    purpose: purposeOf(proof, options.purpose),
    oneTimeKey: oneTime.publicKey,
    proof,
    emergencyId: grant?.grantId ?? null,
  } as const;
  if (proof === "attributes") {
    const policy = signingPolicy(parsePolicy(record.policy));
    if (policy === undefined) {
      throw new ChartsealError("policy-unsatisfied", "this record is for persons that its policy names", {
        data: { policy: record.policy },
      });
    }
    await checkSigner(surroundings, member, policy);
    const body = await currentBody(surroundings, action, { anonymous: true });
    const identifier = identifierOf(body);
    const attributes = await signWithAttributes(surroundings, member, {
      policy,
      kind: action.kind,
      identifier,
    });
    const parts = { oneTime: signOneTime(oneTime.seed, body), attributes };
    await surroundings.provider.relay(encodeTransaction(body, parts));
  } else {
    await new AccountWriter(surroundings, member).submit(action, { oneTimeSeed: oneTime.seed });
  }
  await demandGranted(surroundings, requestId);
  return { requestId, recordId, proof, record, oneTime };
}

/** @throws ChartsealError `input-invalid` */
function purposeOf(proof: ProofKind, purpose: string | undefined): string | null {
  if (purpose !== undefined) checkPurpose(purpose, proof === "emergency");
  // The owner needs no purpose; one of an emergency goes to the ledger, which refuses it as it does anybody's.
  if (proof === "owner") return purpose !== undefined && isEmergencyPurpose(purpose) ? purpose : null;
  if (proof === "proxy") return purpose ?? null;
  return purpose ?? (proof === "emergency" ? "BTG" : "TREAT");
}

/** What the ledger decided. @throws ChartsealError for each recorded denial */
async function demandGranted({ ledger }: Surroundings, requestId: Uint8Array): Promise<void> {
  const value = await readRequest(ledger, requestId);
  if (value === undefined) throw new ChartsealError("grant-missing", "the ledger does not show the request");
  const data = { requestId: toHex(requestId) };
  const { outcome, purpose } = value;
  if (outcome === outcomes.granted) return;
  if (outcome === outcomes["denied-erased"])
    throw new ChartsealError("erased", "the record was erased", { data });
  if (outcome === outcomes["denied-rule-missing"]) {
    throw new ChartsealError("rule-missing", "the owner has revoked the rule for this hospital", {
      data,
      hint: "The owner sets one with chartseal rule set.",
    });
  }
  if (outcome === outcomes["denied-rule-expired"]) {
    throw new ChartsealError("rule-violated", "the owner's rule has expired", { data });
  }
  if (purpose !== null && isEmergencyPurpose(purpose)) {
    throw new ChartsealError("rule-violated", `${purpose} is taken only in an emergency`, {
      data: { ...data, purpose },
      hint: "Open with --emergency, or without this purpose.",
    });
  }
  throw new ChartsealError("rule-violated", `the owner's rule does not list the purpose ${purpose ?? ""}`, {
    data: { ...data, purpose },
    hint: "Ask with a listed purpose (--purpose), or ask the owner.",
  });
}
