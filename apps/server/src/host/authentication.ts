/**
 * Who asks: every request's signature is checked before its body is looked at, against the account's current key on the
 * ledger or the token of this machine; then the route's own demand, and the rate of whoever asks.
 */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import type { FastifyRequest } from "fastify";
import { Nonces, type Verifier, verifyRequest } from "../signature/verify.ts";
import type { HostConfig } from "./config.ts";
import { RateLimiter } from "./rate-limit.ts";
import type { Access, Signer } from "./role.ts";

export interface Keys {
  /** Public key of the machine's token, where there is one. */
  readonly localKey?: Uint8Array;
  /** An account's current key on the ledger, or undefined. */
  accountKey(account: Uint8Array): Promise<Uint8Array | undefined>;
  now(): number;
}

/** What a signature that does not verify costs its address, in requests. */
const failureCost = 10;

export class Authentication {
  readonly #verifier: Verifier;
  readonly #localKeyId: string | undefined;
  readonly #anonymous: RateLimiter;
  readonly #signed: RateLimiter;

  constructor({ localKey, accountKey, now }: Keys, limits: HostConfig["limits"]) {
    const localKeyId = localKey === undefined ? undefined : toHex(localKey);
    this.#localKeyId = localKeyId;
    this.#anonymous = new RateLimiter(limits.anonymous, now);
    this.#signed = new RateLimiter(limits.signed, now);
    this.#verifier = {
      nonces: new Nonces(),
      startedMs: now(),
      now,
      keyOf: async (keyId) => {
        if (keyId.length === 40) return await accountKey(fromHex(keyId, 20));
        return keyId === localKeyId ? localKey : undefined;
      },
    };
  }

  /** @throws ChartsealError `signature-invalid`, `rate-limited` */
  async admit(request: FastifyRequest): Promise<Signer | undefined> {
    const { cost = 1, ...route } = request.routeOptions.config;
    // What is nowhere is nobody's secret.
    const access = request.is404 ? "open" : (route.access ?? "local");
    const { headers } = request;
    const isSigned = headers["signature-input"] !== undefined || headers.signature !== undefined;
    if (!isSigned) {
      this.#anonymous.spend(request.ip, cost);
      demand(access, undefined);
      return undefined;
    }
    this.#anonymous.spend(request.ip, failureCost);
    const keyId = await verifyRequest(this.#verifier, {
      method: request.method,
      authority: headers.host ?? "",
      target: request.raw.url ?? "",
      field: (name) => fieldOf(request, name),
      body: request.rawBody,
    });
    this.#anonymous.refund(request.ip, failureCost);
    const signer: Signer =
      keyId === this.#localKeyId
        ? { kind: "local", keyId }
        : { kind: "account", keyId, account: fromHex(keyId, 20) };
    demand(access, signer);
    // The machine's own commands share its processor anyway: a limit would only make them fail.
    if (signer.kind === "account") this.#signed.spend(keyId, cost);
    return signer;
  }
}

/** One value, or undefined: a field that came twice has no one reading. */
function fieldOf(request: FastifyRequest, name: string): string | undefined {
  const values = request.raw.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}

function demand(access: Access, signer: Signer | undefined): void {
  if (access === "open") return;
  if (signer === undefined) {
    throw new ChartsealError("signature-invalid", "this route takes signed requests only", {
      data: { part: "missing" },
    });
  }
  if (access === "signed" || access === signer.kind) return;
  throw new ChartsealError("signature-invalid", "this route is not for whoever signed the request", {
    data: { part: "access", access },
  });
}
