/**
 * The namespace role's part for an identity provider: an account begins and ends its own login, has its own claims read
 * again, ends its own link, asks why it holds what. The machine's token may do it for everybody. The browser comes back to
 * the member's machine and never here (docs/decisions/identity-provider.md).
 */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import type { LinkReport, LinkWish, Why } from "@chartseal/sharing";
import { z } from "zod";
import type { RoleApp, Signer } from "../../host/role.ts";
import { hexOf } from "../../wire.ts";

/** What a namespace that follows a provider can be asked. */
export interface IdentityService {
  /** What a wish names. */
  client(): Promise<{ readonly issuer: string; readonly clientId: string }>;
  begin(wish: LinkWish, redirectUri: string): Promise<{ readonly url: string; readonly state: string }>;
  finish(
    account: Uint8Array,
    answer: { readonly state: string; readonly redirected: string },
  ): Promise<LinkReport>;
  /** Accounts in hex; none: everybody who is linked. */
  sync(account?: string): Promise<readonly LinkReport[]>;
  unlink(account: string): Promise<LinkReport | undefined>;
  why(account: Uint8Array, attribute?: string): Promise<readonly Why[]>;
}

/** The service of a namespace, or undefined where it follows no provider. */
export type IdentityOf = (namespace: string) => Promise<IdentityService | undefined>;

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/);
const params = z.strictObject({ name });
const attributes = z.array(z.string().max(128)).max(1_024).readonly();
const outcome = z.enum(["current", "gone", "unlinked", "unreachable"]);
const report = z.strictObject({
  account: hexOf(20),
  outcome,
  vouched: attributes,
  revoked: attributes,
  withheld: attributes,
  reason: z.string().max(256).optional(),
});
/** Whose link: an account's own where it signs; the token must say, or means everybody's. */
const whose = z.strictObject({ account: hexOf(20).optional() });
const act = z.strictObject({ height: z.int(), transaction: z.string().max(64) });
const why = z.strictObject({
  attribute: z.string(),
  standing: z.boolean(),
  by: z.enum(["mapping", "hand", "mapping-and-hand", "self", "unknown"]),
  vouch: act,
  match: z
    .strictObject({
      rule: z.int(),
      claim: z.array(z.string()).readonly(),
      operator: z.string(),
      value: z.union([z.string(), z.number(), z.boolean()]),
    })
    .nullable(),
  identity: z.strictObject({ issuer: z.string(), subject: z.string() }).nullable(),
  revoked: act.extend({ reason: z.string(), atMs: z.number().nullable() }).nullable(),
});

export function addIdentity(app: RoleApp, identityOf: IdentityOf): void {
  addLogin(app, identityOf);
  addFollowing(app, identityOf);
}

/** @throws ChartsealError `input-invalid` for a namespace without an identity provider */
async function required(identityOf: IdentityOf, namespace: string): Promise<IdentityService> {
  const service = await identityOf(namespace);
  if (service !== undefined) return service;
  throw new ChartsealError("input-invalid", `${namespace} has no identity provider here`, {
    data: { namespace },
  });
}

function accountOf(signer: Signer | undefined): Uint8Array {
  if (signer?.kind === "account") return signer.account;
  throw new ChartsealError("defect", "the host let a stranger in");
}

/** Hex. An account asks for itself and nobody else. */
function whoseOf(signer: Signer | undefined, asked: string | undefined): string | undefined {
  if (signer?.kind === "local") return asked;
  const own = toHex(accountOf(signer));
  if (asked === undefined || asked === own) return own;
  throw new ChartsealError("signature-invalid", "an account asks for itself", { data: { part: "access" } });
}

function addLogin(app: RoleApp, identityOf: IdentityOf): void {
  const config = { access: "account" } as const;
  const client = {
    summary: "Issuer and client that a wish to be linked names",
    params,
    response: { 200: z.strictObject({ issuer: z.string(), clientId: z.string() }) },
  };
  app.get("/:name/identity", { config, schema: client }, async (request) => {
    return await (await required(identityOf, request.params.name)).client();
  });
  const begin = {
    summary: "Begins the account's login at the namespace's identity provider; its wish is the login's nonce",
    params,
    body: z.strictObject({
      challenge: hexOf(32),
      signature: hexOf(64),
      redirectUri: z.string().max(256),
    }),
    response: { 200: z.strictObject({ url: z.string(), state: z.string() }) },
  };
  app.post("/:name/identity/begin", { config: { ...config, cost: 10 }, schema: begin }, async (request) => {
    const { challenge, signature, redirectUri } = request.body;
    const account = accountOf(request.signer);
    const wish = { account, challenge: fromHex(challenge, 32), signature: fromHex(signature, 64) };
    return await (await required(identityOf, request.params.name)).begin(wish, redirectUri);
  });
  const finish = {
    summary: "Ends the login with the address that the account's browser came back to, and links the account",
    params,
    body: z.strictObject({ state: z.string().max(256), redirected: z.string().max(8_192) }),
    response: { 200: report },
  };
  app.post("/:name/identity/finish", { config: { ...config, cost: 10 }, schema: finish }, async (request) => {
    const service = await required(identityOf, request.params.name);
    return await service.finish(accountOf(request.signer), request.body);
  });
}

function addFollowing(app: RoleApp, identityOf: IdentityOf): void {
  const config = { access: "signed", cost: 10 } as const;
  const sync = {
    summary: "Reads claims again: the signing account's, or with the machine's token one's or everybody's",
    params,
    body: whose,
    response: { 200: z.strictObject({ links: z.array(report).readonly() }) },
  };
  app.post("/:name/identity/sync", { config, schema: sync }, async (request) => {
    const account = whoseOf(request.signer, request.body.account);
    return { links: await (await required(identityOf, request.params.name)).sync(account) };
  });
  const unlink = {
    summary: "Ends a link: what its claims brought is revoked",
    params,
    body: whose,
    response: { 200: report },
  };
  app.post("/:name/identity/unlink", { config, schema: unlink }, async (request) => {
    const account = whoseOf(request.signer, request.body.account);
    const service = await required(identityOf, request.params.name);
    const ended = account === undefined ? undefined : await service.unlink(account);
    if (ended !== undefined) return ended;
    throw new ChartsealError("input-invalid", "the account is not linked here");
  });
  const reasons = {
    summary: "Why an account holds what it holds at this namespace, or no longer does",
    params,
    body: whose.extend({ attribute: z.string().max(128).optional() }),
    response: { 200: z.strictObject({ reasons: z.array(why).readonly() }) },
  };
  app.post("/:name/identity/why", { config, schema: reasons }, async (request) => {
    const account = whoseOf(request.signer, request.body.account);
    if (account === undefined) throw new ChartsealError("input-invalid", "say whose");
    const service = await required(identityOf, request.params.name);
    return { reasons: await service.why(fromHex(account, 20), request.body.attribute) };
  });
}
