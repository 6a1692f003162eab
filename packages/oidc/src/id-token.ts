/**
 * An ID token (OpenID Connect Core 1.0 §3.1.3.7) as a namespace believes it: signed by a key of the issuer, for this
 * client, of this moment, made for this login. Asymmetric signatures alone: under a MAC with the client's secret whoever
 * has that secret would be the provider.
 */
import { ChartsealError } from "@chartseal/crypto";
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";

export const idTokenAlgorithms: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** How far the provider's clock may be from ours. */
export const clockToleranceS = 60;
/** How old a token may be that says who has just logged in. */
export const idTokenAgeS = 600;

export interface IdTokenCheck {
  readonly keys: JWTVerifyGetKey;
  readonly issuer: string;
  readonly clientId: string;
  /** Of a login; a token that comes with a refresh carries none, or the login's. */
  readonly nonce: string | undefined;
  readonly nowMs: number;
}

export interface IdToken extends JWTPayload {
  readonly sub: string;
}

/**
 * @throws ChartsealError `identity-refused`; `identity-unreachable` where the issuer's keys cannot be had
 */
export async function verifyIdToken(token: string, check: IdTokenCheck): Promise<IdToken> {
  const { keys, issuer, clientId, nonce, nowMs } = check;
  const payload = await verified(token, check, keys);
  const { sub, aud, azp } = payload;
  const refuse = (what: string): ChartsealError =>
    new ChartsealError("identity-refused", `the ID token does not hold: ${what}`, { data: { issuer } });
  if (typeof sub !== "string" || sub === "" || sub.length > 255) throw refuse("subject");
  const several = Array.isArray(aud) && aud.length > 1;
  if ((several || azp !== undefined) && azp !== clientId) throw refuse("authorized party");
  if (nonce !== undefined && payload.nonce !== nonce) throw refuse("nonce");
  if (payload.iat! > nowMs / 1000 + clockToleranceS) throw refuse("time of issue");
  return { ...payload, sub };
}

async function verified(
  token: string,
  { issuer, clientId, nowMs }: IdTokenCheck,
  keys: JWTVerifyGetKey,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: clientId,
      algorithms: [...idTokenAlgorithms],
      requiredClaims: ["sub", "iat", "exp"],
      maxTokenAge: idTokenAgeS,
      clockTolerance: clockToleranceS,
      currentDate: new Date(nowMs),
    });
    return payload;
  } catch (cause) {
    if (isOfTheToken(cause)) {
      const what = cause instanceof errors.JWTClaimValidationFailed ? cause.claim : "signature";
      throw new ChartsealError("identity-refused", `the ID token does not hold: ${what}`, { cause });
    }
    throw new ChartsealError("identity-unreachable", "the identity provider's keys cannot be had", { cause });
  }
}

function isOfTheToken(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return false;
  return !(
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    error.code === "ERR_JOSE_GENERIC"
  );
}
