/**
 * The holder's role: an object store over HTTP for other providers, its peers, each with a store and a quota of its own
 * (spec/9-http.md, Objects). It knows bytes and names and nothing else, like any store. Every request is signed, with
 * the digest of its bytes; a large object comes in parts and appears whole, under its name, at the end.
 */
import { Readable } from "node:stream";
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import type { ErasedCopySignature } from "@chartseal/sharing";
import { StorageError } from "@chartseal/storage";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { fieldOnce, sendStored } from "../../host/byte-answers.ts";
import type { Role, RoleApp } from "../../host/role.ts";
import type { Staging } from "../../uploads/staging.ts";
import { hexOf } from "../../wire.ts";
import { type Holding, Holdings, type Peer } from "./holdings.ts";

export interface ObjectsRoleOptions {
  /** Who may keep objects here. */
  readonly peers: readonly Peer[];
  /** The store of one peer; nothing of another's is ever in it. */
  readonly storeOf: ConstructorParameters<typeof Holdings>[1];
  /** Where parts wait for their object. */
  readonly staging: Staging;
  /** The holder's account. */
  readonly account: Uint8Array;
  /** The holder's signature that it keeps no copy under this address; refused where the ledger shows no erasure. */
  attest(erased: { readonly recordId: Uint8Array; readonly address: string }): Promise<ErasedCopySignature>;
}

/** Bytes of one part, and of an object that comes in one request. */
export const partBytesMax = 8 * 1024 * 1024;
const objectBytesMax = 2 ** 41;
/** From when on an upload that does not move is no longer anybody's: its peer would have gone on, or given it up. */
const stalledMs = 10 * 60_000;
const namesMax = 2_000;
const name = z.string().max(4_096);
const access = { access: "account" } as const;

export function objectsRole(options: ObjectsRoleOptions): Role {
  const holdings = new Holdings(options.peers, options.storeOf);
  const of = (request: FastifyRequest): Promise<Holding> => {
    const { signer } = request;
    if (signer?.kind !== "account") throw new ChartsealError("defect", "a route without its signer");
    return holdings.of(signer.keyId);
  };
  return {
    name: "objects",
    register(app) {
      app.addHook("preHandler", async (request) => {
        // An account that is no peer learns nothing more.
        if (request.routeOptions.config.access === "account") await of(request);
      });
      addUsage(app, options, of);
      addContent(app, options, of);
      addNames(app, of);
      addUploads(app, options, of);
      addAttestations(app, options, of);
    },
    health: async () => {
      for (const account of holdings.accounts) await (await holdings.of(account)).usage();
      return { peers: holdings.accounts.length };
    },
    measures: async () => {
      await options.staging.open();
      let [bytes, objects] = [0, 0];
      for (const account of holdings.accounts) {
        const used = await (await holdings.of(account)).usage();
        bytes += used.bytes;
        objects += used.objects;
      }
      const { staging } = options;
      return { held_bytes: bytes, held: objects, uploads: staging.count, upload_bytes: staging.bytes() };
    },
  };
}

type Of = (request: FastifyRequest) => Promise<Holding>;

/** A store's failures as problems that HttpObjectStore turns back. */
async function stored<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const code =
      error.code === "object-missing"
        ? "object-missing"
        : error.code === "store-unreachable"
          ? "provider-unreachable"
          : "input-invalid";
    throw new ChartsealError(code, error.message, { data: { storage: error.code }, cause: error });
  }
}

function addUsage(app: RoleApp, { account, staging }: ObjectsRoleOptions, of: Of): void {
  const schema = {
    summary: "What the peer has here, and the holder's account",
    response: {
      200: z.strictObject({
        account: hexOf(20),
        bytes: z.int(),
        objects: z.int(),
        underWayBytes: z.int(),
        quotaBytes: z.int(),
      }),
    },
  };
  app.get("/", { config: access, schema }, async (request) => {
    const holding = await of(request);
    await staging.open();
    const { account: peer, quotaBytes } = holding.peer;
    const underWayBytes = staging.bytes("peer", peer);
    return { account: toHex(account), ...(await stored(() => holding.usage())), underWayBytes, quotaBytes };
  });
}

function addContent(app: RoleApp, { staging }: ObjectsRoleOptions, of: Of): void {
  const params = z.strictObject({ "*": name });
  const read = { summary: "An object's bytes, or one range of them", params };
  app.route({
    method: ["GET", "HEAD"],
    url: "/content/*",
    config: access,
    schema: read,
    handler: async (request, reply) => {
      const holding = await of(request);
      const { "*": wanted } = request.params;
      const { size } = await stored(() => holding.store.stat(wanted));
      const open = (from: number, toInclusive: number) => holding.store.get(wanted, { from, toInclusive });
      return await stored(() => sendStored(request, reply, { size, etag: holding.etag(wanted, size), open }));
    },
  });
  const sizes = { 200: z.strictObject({ size: z.int() }) };
  const put = { summary: "Stores a small object whole", params, response: sizes };
  app.put(
    "/content/*",
    { config: { ...access, bytes: true }, bodyLimit: partBytesMax, schema: put },
    async (request) => {
      const holding = await of(request);
      const { rawBody } = request;
      await holding.demandRoom(rawBody.length + staging.bytes("peer", holding.peer.account));
      const { "*": wanted } = request.params;
      return await stored(async () => {
        const handle = await holding.store.begin();
        try {
          await handle.write(rawBody);
          return { ...(await holding.commit(handle, wanted)) };
        } finally {
          await handle.abort();
        }
      });
    },
  );
  const removed = { 200: z.strictObject({ removed: z.boolean() }) };
  const remove = { summary: "Removes an object", params, response: removed };
  app.delete("/content/*", { config: access, schema: remove }, async (request) => {
    const holding = await of(request);
    return { removed: await stored(() => holding.remove(request.params["*"])) };
  });
}

function addNames(app: RoleApp, of: Of): void {
  const schema = {
    summary: "Names that begin with a text, in byte order, from after one of them on",
    querystring: z.strictObject({ prefix: name.optional(), after: name.optional() }),
    response: { 200: z.strictObject({ names: z.array(z.string()), more: z.boolean() }) },
  };
  app.get("/names", { config: { ...access, cost: 5 }, schema }, async (request) => {
    const holding = await of(request);
    const { prefix = "", after = "" } = request.query;
    const names: string[] = [];
    return await stored(async () => {
      for await (const one of holding.store.list(prefix)) {
        if (one <= after) continue;
        if (names.length === namesMax) return { names, more: true };
        names.push(one);
      }
      return { names, more: false };
    });
  });
}

function addUploads(app: RoleApp, options: ObjectsRoleOptions, of: Of): void {
  const { staging } = options;
  const params = z.strictObject({ id: hexOf(32) });
  const own = async (request: FastifyRequest, id: string): Promise<Holding> => {
    const holding = await of(request);
    const { about } = await staging.find(id);
    if (about.peer === holding.peer.account) return holding;
    throw new ChartsealError("object-missing", "there is no such upload, or no longer");
  };
  const begin = {
    summary: "Begins an object that comes in parts",
    body: z.strictObject({}),
    response: { 201: z.strictObject({ upload: hexOf(32) }) },
  };
  app.post("/uploads", { config: access, schema: begin }, async (request, reply) => {
    const holding = await of(request);
    const { id } = await staging.create({ peer: holding.peer.account });
    reply.code(201);
    return { upload: id };
  });
  const stands = { 200: z.strictObject({ offset: z.int() }) };
  const offset = { summary: "How much of an upload is on disk", params, response: stands };
  app.get("/uploads/:id", { config: access, schema: offset }, async (request) => {
    await own(request, request.params.id);
    return { offset: (await staging.find(request.params.id)).offset };
  });
  const append = { summary: "The next part, from Upload-Offset on", params, response: stands };
  app.patch(
    "/uploads/:id",
    { config: { ...access, bytes: true }, bodyLimit: partBytesMax, schema: append },
    async (request) => {
      const { id } = request.params;
      const holding = await own(request, id);
      const { rawBody } = request;
      await holding.demandRoom(rawBody.length + staging.bytes("peer", holding.peer.account));
      const at = wholeField(request, "upload-offset");
      const source = Readable.from([rawBody]);
      const taken = await staging.append(id, source, {
        offset: at,
        complete: false,
        sizeMax: objectBytesMax,
      });
      return { offset: taken.offset };
    },
  );
  const cancel = {
    summary: "Gives an upload up",
    params,
    response: { 200: z.strictObject({ done: z.literal(true) }) },
  };
  app.delete("/uploads/:id", { config: access, schema: cancel }, async (request) => {
    await own(request, request.params.id);
    await staging.remove(request.params.id);
    return { done: true as const };
  });
  addCommit(app, options, own);
}

/** A header field that is a whole number. @throws ChartsealError `input-invalid` */
export function wholeField(request: FastifyRequest, field: string): number {
  const text = fieldOnce(request, field) ?? "";
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ChartsealError("input-invalid", `the request needs a field ${field}, a whole number`);
}

function addCommit(
  app: RoleApp,
  { staging }: ObjectsRoleOptions,
  own: (request: FastifyRequest, id: string) => Promise<Holding>,
): void {
  const schema = {
    summary: "Makes an upload of that size an object under that name",
    params: z.strictObject({ id: hexOf(32) }),
    body: z.strictObject({ name, size: z.int().min(0) }),
    response: { 200: z.strictObject({ size: z.int() }) },
  };
  app.post("/uploads/:id/committed", { config: access, schema }, async (request) => {
    const { id } = request.params;
    const holding = await own(request, id);
    const { name: wanted, size } = request.body;
    const upload = await staging.find(id);
    // Told again what was done already: its answer was lost.
    if (upload.result !== null && upload.result.name === wanted && upload.result.size === size)
      return { size };
    if (upload.result !== null || upload.offset !== size) {
      throw new ChartsealError("input-invalid", `the upload stands at ${upload.offset} bytes`, {
        data: { offset: upload.offset },
      });
    }
    await stored(async () => {
      const handle = await holding.store.begin();
      try {
        for await (const chunk of staging.read(id)) await handle.write(chunk);
        await holding.commit(handle, wanted);
      } finally {
        await handle.abort();
      }
    });
    await staging.settle(id, { name: wanted, size });
    return { size };
  });
}

function addAttestations(app: RoleApp, { attest, staging }: ObjectsRoleOptions, of: Of): void {
  const copy = z.strictObject({ holder: hexOf(20), address: z.string(), signature: hexOf(64) });
  const schema = {
    summary: "Removes what an erased record left here, and signs that no copy of it is kept",
    body: z.strictObject({
      recordId: hexOf(32),
      names: z.array(name).min(1).max(1_024),
      /** One signature for all of them, over this text; without it one for each, over its name. */
      address: z.string().min(1).max(256).optional(),
    }),
    response: { 200: z.strictObject({ copies: z.array(copy) }) },
  };
  app.post("/attest-erased", { config: { ...access, cost: 10 }, schema }, async (request) => {
    const holding = await of(request);
    const { recordId, names, address } = request.body;
    const addresses = address === undefined ? names : [address];
    const id = fromHex(recordId, 32);
    const signed: ErasedCopySignature[] = [];
    // Signed first and given out last: what the ledger does not show as erased is not removed here.
    for (const one of addresses) signed.push(await attest({ recordId: id, address: one }));
    for (const one of names) await stored(() => holding.remove(one));
    // Parts of an object that never got its name: what they are of, nobody here can know.
    await staging.drop("peer", holding.peer.account, stalledMs);
    return {
      copies: signed.map(({ holder, address: at, signature }) => ({
        holder: toHex(holder),
        address: at,
        signature: toHex(signature),
      })),
    };
  });
}
