/**
 * The home role: what the commands on a home ask of its services' keys while a server runs on it (CONTRACT, Locking).
 * Every route is for the token alone, which lies in the home at mode 0600: whoever reads it could read the home.
 */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { type Admission, type Submitted, transactionBytesMax } from "@chartseal/ledger";
import type { AuthorityNode, Hospital, Registration } from "@chartseal/sharing";
import { z } from "zod";
import { helloProof } from "../../hello.ts";
import type { Role, RoleApp } from "../../host/role.ts";
import { hexOf, hexUpTo } from "../../wire.ts";

export interface HomeServices {
  /** The machine's token, 32 bytes: the seed of the key that commands sign with. */
  readonly token: Uint8Array;
  /** The home's folder, as the system resolves it. */
  readonly folder: string;
  /** The node of the present committee that has that index: 1 to 64. */
  node(index: number): AuthorityNode;
  namespace(name: string): Promise<Hospital | undefined>;
  addNamespace(name: string): Promise<Registration>;
  /** The validator's vote for what a body asks. */
  admit(body: Uint8Array): Promise<Admission>;
  /** The provider says what an audit in its name says. */
  submitAudit(body: Uint8Array): Promise<Submitted>;
  /** The home's operator says what it proposes, votes and does with its stake. */
  submitOperation(body: Uint8Array): Promise<Submitted>;
}

const access = { access: "local" } as const;
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/);
const attributes = z.array(z.string().max(128)).max(1_024);
const submitted = z.strictObject({
  height: z.int(),
  index: z.int(),
  identifier: hexOf(32),
  blockHash: hexOf(32),
});
const sealed = z.strictObject({ node: z.int(), sealed: hexUpTo(256 * 1024) });

export function homeRole(services: HomeServices): Role {
  return {
    name: "home",
    register(app) {
      addHello(app, services);
      addNodes(app, services);
      addNamespaces(app, services);
      addVouching(app, services);
      addAdmissions(app, services);
      addAudits(app, services);
      addOperations(app, services);
    },
    health: async () => ({}),
  };
}

function addHello(app: RoleApp, { token, folder }: HomeServices): void {
  const schema = {
    summary: "Shows that this server holds the token and runs on the caller's home",
    body: z.strictObject({ nonce: hexOf(32) }),
    response: { 200: z.strictObject({ proof: hexOf(32) }) },
  };
  app.post("/hello", { config: access, schema }, async (request) => ({
    proof: toHex(helloProof({ token, folder, nonce: fromHex(request.body.nonce, 32) })),
  }));
}

function addNodes(app: RoleApp, { node: nodeOf }: HomeServices): void {
  const params = z.strictObject({ index: z.coerce.number().int().min(1).max(64) });
  const answers = {
    summary: "A node's answer to a granted key request, sealed to the provider",
    params,
    body: z.strictObject({ requestId: hexOf(32) }),
    response: { 200: sealed },
  };
  app.post("/nodes/:index/answers", { config: access, schema: answers }, async (request) => {
    const answer = await (await nodeOf(request.params.index)).answer(fromHex(request.body.requestId, 32));
    return { node: answer.node, sealed: toHex(answer.sealed) };
  });
  const partials = {
    summary: "A node's part of an account's base key, sealed to the account",
    params,
    body: z.strictObject({ account: hexOf(20) }),
    response: { 200: sealed },
  };
  app.post("/nodes/:index/base-partials", { config: access, schema: partials }, async (request) => {
    const answer = await (await nodeOf(request.params.index)).basePartial(fromHex(request.body.account, 20));
    return { node: answer.node, sealed: toHex(answer.sealed) };
  });
}

async function requireHospital(services: HomeServices, wanted: string): Promise<Hospital> {
  const hospital = await services.namespace(wanted);
  if (hospital !== undefined) return hospital;
  throw new ChartsealError("attribute-unknown", `the namespace ${wanted} is not of this home`, {
    data: { namespace: wanted },
  });
}

function addNamespaces(app: RoleApp, services: HomeServices): void {
  const params = z.strictObject({ name });
  const add = {
    summary: "Makes a hospital's keys and registers it, or proposes it where others must vote",
    body: z.strictObject({ name }),
    response: { 201: z.strictObject({ namespace: name, proposalId: hexOf(32).nullable() }) },
  };
  app.post("/namespaces", { config: access, schema: add }, async (request, reply) => {
    const registration = await services.addNamespace(request.body.name);
    const proposalId = registration.registered ? null : toHex(registration.proposalId);
    reply.code(201);
    return { namespace: request.body.name, proposalId };
  });
  const find = {
    summary: "The account of a hospital of this home, or null",
    params,
    response: { 200: z.strictObject({ account: hexOf(20).nullable() }) },
  };
  app.get("/namespaces/:name", { config: access, schema: find }, async (request) => {
    const hospital = await services.namespace(request.params.name);
    return { account: hospital === undefined ? null : toHex(hospital.account) };
  });
  const extend = {
    summary: "A hospital lengthens its public lists, so that policies may have so many columns",
    params,
    body: z.strictObject({ columns: z.int().min(1).max(256) }),
    response: { 200: submitted },
  };
  app.post("/namespaces/:name/columns", { config: access, schema: extend }, async (request) => {
    const hospital = await requireHospital(services, request.params.name);
    return plain(await hospital.extend(request.body.columns));
  });
  const keys = {
    summary: "An account's signing keys, sealed to it",
    params,
    body: z.strictObject({ account: hexOf(20), baseKey: hexOf(48) }),
    response: { 200: z.strictObject({ sealed: hexUpTo(256 * 1024) }) },
  };
  app.post("/namespaces/:name/signing-keys", { config: access, schema: keys }, async (request) => {
    const { account, baseKey } = request.body;
    const hospital = await requireHospital(services, request.params.name);
    const made = await hospital.signingKeys({ account: fromHex(account, 20), baseKey: fromHex(baseKey, 48) });
    return { sealed: toHex(made) };
  });
}

function plain({ height, index, identifier, blockHash }: Submitted): z.output<typeof submitted> {
  return { height, index, identifier: toHex(identifier), blockHash: toHex(blockHash) };
}

function addVouching(app: RoleApp, services: HomeServices): void {
  const params = z.strictObject({ name });
  const vouch = {
    summary: "A hospital vouches; with a digest, for one full key",
    params,
    body: z.strictObject({ account: hexOf(20), attributes, digest: hexOf(32).nullable() }),
    response: { 200: submitted },
  };
  app.post("/namespaces/:name/vouches", { config: access, schema: vouch }, async (request) => {
    const { digest, ...body } = request.body;
    const hospital = await requireHospital(services, request.params.name);
    const account = fromHex(body.account, 20);
    if (digest === null) return plain(await hospital.vouch(account, body.attributes));
    return plain(await hospital.vouchFull(account, body.attributes, fromHex(digest, 32)));
  });
  const revoke = {
    summary: "A hospital ends vouches; no attributes: all of them",
    params,
    body: z.strictObject({ account: hexOf(20), attributes }),
    response: { 200: submitted },
  };
  app.post("/namespaces/:name/revocations", { config: access, schema: revoke }, async (request) => {
    const { account, attributes: ended } = request.body;
    const hospital = await requireHospital(services, request.params.name);
    return plain(await hospital.revoke(fromHex(account, 20), ended));
  });
}

function addAdmissions(app: RoleApp, services: HomeServices): void {
  const schema = {
    summary: "The home's validator admits what a transaction's body asks for",
    body: z.strictObject({ body: hexUpTo(transactionBytesMax) }),
    response: { 200: z.strictObject({ validator: hexOf(32), signature: hexOf(64) }) },
  };
  app.post("/admissions", { config: access, schema }, async (request) => {
    const { validator, signature } = await services.admit(fromHex(request.body.body));
    return { validator: toHex(validator), signature: toHex(signature) };
  });
}

function addAudits(app: RoleApp, services: HomeServices): void {
  const schema = {
    summary: "The home's provider signs and submits what an audit in its name says",
    body: z.strictObject({ body: hexUpTo(transactionBytesMax) }),
    response: { 200: submitted },
  };
  app.post("/audits", { config: access, schema }, async (request) =>
    plain(await services.submitAudit(fromHex(request.body.body))),
  );
}

function addOperations(app: RoleApp, services: HomeServices): void {
  const schema = {
    summary:
      "The operator of the home's validator signs and submits a proposal, a vote or what it does with its stake",
    body: z.strictObject({ body: hexUpTo(transactionBytesMax) }),
    response: { 200: submitted },
  };
  app.post("/operations", { config: access, schema }, async (request) =>
    plain(await services.submitOperation(fromHex(request.body.body))),
  );
}
