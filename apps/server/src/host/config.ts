/** What a host is told: where it listens, which roles it plays, its limits. Checked whole, with the path of what is wrong. */
import { ChartsealError } from "@chartseal/crypto";
import { z } from "zod";

export const roleNames = ["ledger", "provider", "authority", "namespace", "objects"] as const;
export type RoleName = (typeof roleNames)[number];

const rate = z.strictObject({
  perSecond: z.number().positive().max(1_000_000),
  burst: z.number().positive().max(10_000_000),
});

const limits = z.strictObject({
  /** Of a JSON body. */
  bodyBytesMax: z
    .int()
    .min(1024)
    .max(64 * 1024 * 1024)
    .default(4 * 1024 * 1024),
  /** Of all request headers together. */
  headerBytesMax: z
    .int()
    .min(1024)
    .max(64 * 1024)
    .default(16 * 1024),
  headersTimeoutMs: z.int().min(100).max(600_000).default(10_000),
  /** For a whole request that is no stream. */
  requestTimeoutMs: z.int().min(100).max(600_000).default(30_000),
  /** A connection on which nothing moves. */
  idleTimeoutMs: z.int().min(100).max(3_600_000).default(120_000),
  /** How long a stopping server waits for what is under way. */
  shutdownMs: z.int().min(0).max(600_000).default(10_000),
  connectionsMax: z.int().min(1).max(100_000).default(1_024),
  /** Of one address that does not sign. */
  anonymous: rate.default({ perSecond: 200, burst: 1_000 }),
  /** Of one key that signs. */
  signed: rate.default({ perSecond: 200, burst: 1_000 }),
});

/** What a holder keeps for other providers (roles/objects). */
const objects = z.strictObject({
  peers: z
    .array(
      z.strictObject({
        account: z.string().regex(/^[0-9a-f]{40}$/, "not an account, 40 hex"),
        quotaBytes: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
      }),
    )
    .max(1_024)
    .refine((peers) => new Set(peers.map(({ account }) => account)).size === peers.length, "each peer once")
    .default([]),
});

const config = z.strictObject({
  listen: z
    .strictObject({
      /** An address of this machine; anything but loopback must be said. */
      host: z.string().min(1).max(255).default("127.0.0.1"),
      /** 0: any that is free. */
      port: z.int().min(0).max(65_535).default(0),
    })
    .default({ host: "127.0.0.1", port: 0 }),
  roles: z
    .array(z.enum(roleNames))
    .min(1)
    .refine((roles) => new Set(roles).size === roles.length, "each role once")
    .default(["ledger", "provider", "authority", "namespace"]),
  /** `host:port` under which clients know this server, beside the address that it listens on. */
  authorities: z
    .array(z.string().regex(/^[a-z0-9.:[\]-]{1,255}$/))
    .max(16)
    .default([]),
  limits: limits.default(limits.parse({})),
  objects: objects.default({ peers: [] }),
});

export type HostConfig = z.output<typeof config>;
export type HostConfigInput = z.input<typeof config>;

/** @throws ChartsealError `input-invalid`, data {path}: the first thing that is wrong */
export function parseConfig(input: unknown): HostConfig {
  const parsed = config.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw new ChartsealError(
    "input-invalid",
    `the server's configuration is wrong${path === "" ? "" : ` at ${path}`}: ${issue?.message ?? ""}`,
    { data: { path } },
  );
}
