/** The namespace role: a hospital's service for its namespace. An account collects its own signing keys here. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import type { NamespaceService } from "@chartseal/sharing";
import { z } from "zod";
import type { Role, RoleApp } from "../../host/role.ts";
import { hexOf, hexUpTo } from "../../wire.ts";
import { addIdentity, type IdentityOf } from "./identity.ts";

export interface NamespaceRoleOptions {
  /** The service of a namespace that this host runs, or undefined. */
  readonly namespace: (name: string) => Promise<NamespaceService | undefined>;
  /** Names of the namespaces that this host runs. */
  readonly names: () => Promise<readonly string[]>;
  /** The identity provider that a namespace of this host follows. */
  readonly identity?: IdentityOf;
}

const namespaceName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/);
/** Signing keys of a whole set, sealed. */
const sealedBytesMax = 256 * 1024;

export function namespaceRole(options: NamespaceRoleOptions): Role {
  return {
    name: "namespace",
    register: (app) => {
      addSigningKeys(app, options);
      addIdentity(app, options.identity ?? (async () => undefined));
    },
    health: async () => ({ namespaces: (await options.names()).length }),
  };
}

/** @throws ChartsealError `attribute-unknown` for a namespace of another host */
async function requireNamespace(options: NamespaceRoleOptions, name: string): Promise<NamespaceService> {
  const service = await options.namespace(name);
  if (service !== undefined) return service;
  throw new ChartsealError("attribute-unknown", `the namespace ${name} is not served here`, {
    data: { namespace: name },
  });
}

function addSigningKeys(app: RoleApp, options: NamespaceRoleOptions): void {
  const schema = {
    summary: "The account's signing keys of current periods, sealed to the account's registered key",
    params: z.strictObject({ name: namespaceName }),
    body: z.strictObject({ baseKey: hexOf(48) }),
    response: { 200: z.strictObject({ sealed: hexUpTo(sealedBytesMax) }) },
  };
  app.post("/:name/signing-keys", { config: { access: "account", cost: 10 }, schema }, async (request) => {
    const service = await requireNamespace(options, request.params.name);
    const { signer } = request;
    if (signer?.kind !== "account") throw new ChartsealError("defect", "the host let a stranger in");
    const { account } = signer;
    const sealed = await service.signingKeys({ account, baseKey: fromHex(request.body.baseKey, 48) });
    return { sealed: toHex(sealed) };
  });
}
