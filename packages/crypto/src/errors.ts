/**
 * Every failure that a caller can meet, as one closed union of codes.
 *
 * A code belongs to one family, and the family decides the command line's exit code and the HTTP status at the edge:
 * `defect` 1, `usage` 2, `refused` 3, `integrity` 4, `unavailable` 5 (CONTRACT, exit codes). Catch a family with
 * `isFamily(error, "integrity")`. Messages say what is wrong with the caller's input and never hold a secret.
 */

export type ErrorFamily = "defect" | "usage" | "refused" | "integrity" | "unavailable";

/** Code → family and one sentence of meaning. Codes are unique in the project and are never renamed. */
export const errorCodes = {
  defect: ["defect", "A defect of the program."],
  "encoding-invalid": ["usage", "Bytes are not the one canonical encoding of what they should be."],
  "policy-syntax": ["usage", "The policy's text is not in the grammar."],
  "policy-limit": ["usage", "The policy is larger than the limits allow."],
  "attribute-unknown": ["usage", "The attribute is well-formed, but no such namespace exists."],
  "member-unknown": ["usage", "No such member."],
  "record-unknown": ["usage", "No such record."],
  "home-missing": ["usage", "There is no consortium in this folder."],
  "home-exists": ["usage", "There is a consortium in this folder already."],
  "input-invalid": ["usage", "An argument or an input file is malformed."],
  "passphrase-missing": ["usage", "A passphrase is needed and none was given."],
  "policy-unsatisfied": ["refused", "The attributes do not satisfy the policy."],
  revoked: ["refused", "The attribute, key or account was revoked."],
  erased: ["refused", "The record was erased."],
  "rule-missing": ["refused", "The owner has set no rule for this namespace."],
  "rule-violated": ["refused", "The owner's rule does not allow it."],
  "passphrase-wrong": ["refused", "The passphrase does not open the key."],
  "recovery-missing": ["refused", "Two ways of recovery are required first."],
  "transaction-refused": ["refused", "The ledger's rules refuse the transaction."],
  "grant-missing": ["refused", "The ledger holds no grant in force for this request."],
  "emergency-missing": ["refused", "No emergency in force allows this."],
  "proxy-missing": ["refused", "No appointment as proxy in force allows this."],
  "identity-refused": ["refused", "The identity provider, or the namespace, does not confirm this identity."],
  "record-held": ["refused", "The record must be kept: a hold stands, or a time that is not over."],
  "quota-exceeded": ["refused", "More bytes are stored, or would be, than was agreed."],
  "peer-unknown": ["refused", "This holder keeps nothing for that account."],
  "issue-refused": ["refused", "The authority does not issue this key."],
  "object-missing": ["integrity", "A stored object is missing."],
  "object-altered": ["integrity", "A stored object differs from what the ledger holds."],
  "header-altered": ["integrity", "A record's header differs from what was sealed or registered."],
  "chain-altered": ["integrity", "The ledger's chain or store is damaged or does not extend what was seen."],
  "signature-invalid": ["integrity", "A signature or a proof does not verify."],
  "transform-invalid": ["integrity", "The provider's transform does not open this record."],
  "issue-invalid": ["integrity", "An authority node's answer does not verify."],
  "provider-unreachable": ["unavailable", "The storage provider cannot be reached."],
  "ledger-unreachable": ["unavailable", "The ledger cannot be reached."],
  "identity-unreachable": ["unavailable", "The namespace's identity provider cannot be reached."],
  "home-busy": ["unavailable", "Another process is using this home."],
  "home-outdated": ["unavailable", "This home was written by an earlier version and must be migrated first."],
  "rate-limited": ["unavailable", "Too many requests from one place or key; later they are answered."],
  "tool-missing": [
    "unavailable",
    "A program that is needed is not here, or not in the version that is needed.",
  ],
  "runtime-too-old": ["unavailable", "The Node.js that runs this is too old."],
} as const satisfies Record<string, readonly [ErrorFamily, string]>;

export type ErrorCode = keyof typeof errorCodes;

/** Data that goes with an error: shown to users and scripts, so never a secret. */
export type ErrorData = Readonly<Record<string, unknown>>;

export class ChartsealError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;
  /** What the caller can do about it, one sentence. */
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { data?: ErrorData; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ChartsealError";
    this.code = code;
    this.data = options.data ?? {};
    this.hint = options.hint;
  }

  get family(): ErrorFamily {
    return errorCodes[this.code][0];
  }
}

/** True for a Chartseal error of that code. */
export function hasCode(error: unknown, code: ErrorCode): error is ChartsealError {
  return error instanceof ChartsealError && error.code === code;
}

/** True for a Chartseal error of that family, e.g. every integrity failure. */
export function isFamily(error: unknown, family: ErrorFamily): error is ChartsealError {
  return error instanceof ChartsealError && error.family === family;
}

/** A bug of ours, not of the world: throws `defect`. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ChartsealError("defect", message);
}
