/** What a role of the host is: a name, its routes, and how it is. A role is a folder of `roles/`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { RoleName } from "./config.ts";

export type RoleApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface Role {
  /** `home` is no choice of the configuration: a server that runs on a home has it. */
  readonly name: RoleName | "home";
  /** Registers the role's routes; their paths are below `/v1/NAME`. Every route says in `config.access` who may ask. */
  register(app: RoleApp): void;
  /** What GET /health says of it, machine-readable and without secrets. What it throws is shown by its code. */
  health(): Promise<Readonly<Record<string, string | number | boolean>>>;
  /** Numbers of the moment for GET /metrics, by names in snake case that end in their unit. What it throws shows as down. */
  measures?(): Promise<Readonly<Record<string, number>>>;
  /** Called when the host stops listening: ends what waits, e.g. long polls. */
  stop?(): Promise<void>;
}

/**
 * Who may use a route: `open`, anybody (a signature that is there is checked all the same); `signed`, an account of the
 * ledger or the machine's own token; `account`, an account only; `local`, the token only.
 */
export type Access = "open" | "signed" | "account" | "local";

/** Who signed a request. */
export type Signer =
  | { readonly kind: "account"; readonly keyId: string; readonly account: Uint8Array }
  | { readonly kind: "local"; readonly keyId: string };

declare module "fastify" {
  interface FastifyContextConfig {
    /** A route without one is a defect and stops the host from starting. */
    access?: Access;
    /** True where the body is a stream of bytes that no digest in a header covers (docs/decisions/http.md). */
    streams?: boolean;
    /** True where the body is bytes that are taken whole, and that the signature's digest covers. */
    bytes?: boolean;
    /** How much of the caller's rate one request takes; default 1. */
    cost?: number;
  }
  interface FastifyRequest {
    signer: Signer | undefined;
    /** The body as it was received; empty for none and for streams. */
    rawBody: Uint8Array;
    /** The code of the problem that it was answered with. */
    problemCode: string | undefined;
  }
}
