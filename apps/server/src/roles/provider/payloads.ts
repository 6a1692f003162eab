/**
 * A payload's way in over HTTP: in one request, or as an upload that can be resumed (after the shape of the IETF draft
 * "Resumable Uploads for HTTP": creation, offset by HEAD, append by PATCH, cancel by DELETE). An upload's bytes wait in
 * files until the last one is there; then the provider takes them as it takes any payload, however often it is asked.
 */
import { Readable } from "node:stream";
import { ChartsealError } from "@chartseal/crypto";
import type { Provider, TakeOptions } from "@chartseal/sharing";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { fieldOnce } from "../../host/byte-answers.ts";
import { problemOf } from "../../host/problem-reply.ts";
import type { RoleApp } from "../../host/role.ts";
import { problemType } from "../../problem.ts";
import type { Upload } from "../../uploads/staging.ts";
import { hexOf } from "../../wire.ts";
import { addDirect } from "./direct.ts";
import type { Intake } from "./intake.ts";
import { placingOf, placingQuery } from "./placing-query.ts";
import { Takings } from "./takings.ts";
import { addressOf, stands, standsOf, taken, type UploadRoutes } from "./upload-answers.ts";

const query = z.strictObject({
  chunkBytes: z.coerce
    .number()
    .int()
    .min(64)
    .max(2 ** 20)
    .optional(),
  ...placingQuery,
});
/** Sizes of the parts that are not the last, each from a number on. */
const parts = z.strictObject({
  sizes: z.array(z.strictObject({ from: z.int(), bytes: z.int() })),
  partsMax: z.int(),
});

function optionsOf({ chunkBytes, ...placing }: z.output<typeof query>): TakeOptions {
  return { ...(chunkBytes === undefined ? {} : { chunkBytes }), ...placingOf(placing) };
}

/** The body of a request that is a stream. Ending it early must not cut the connection: the refusal goes back on it. */
function streamOf(request: FastifyRequest): AsyncIterable<Uint8Array> {
  if (request.body instanceof Readable) return request.body.iterator({ destroyOnReturn: false });
  throw new ChartsealError("input-invalid", "a payload is a stream of bytes");
}

/** What a request that failed before its body had ended is answered with. */
function brokenOff(request: FastifyRequest, reply: FastifyReply, error: unknown): unknown {
  // What is still on its way is not waited for.
  if (!request.raw.complete) reply.header("connection", "close");
  if (!request.raw.destroyed || request.raw.complete) return error;
  return new ChartsealError("input-invalid", "the payload broke off", { cause: error });
}

export function addPayloads(app: RoleApp, provider: Provider, intake: Intake): void {
  const room = {
    summary: "Whether a payload would be taken that is to be divided, or is to lie, like this",
    querystring: query,
    response: { 200: z.strictObject({ done: z.literal(true) }) },
  };
  app.get("/room", { config: { access: "open" }, schema: room }, async (request) => {
    await provider.demandRoom?.(optionsOf(request.query));
    return { done: true as const };
  });
  const schema = {
    summary: "Takes a sealed payload, application/octet-stream; nothing of it stays where it breaks off",
    querystring: query,
    response: { 201: taken },
  };
  app.post(
    "/payloads",
    { config: { access: "open", streams: true, cost: 10 }, schema },
    async (request, reply) => {
      const source = streamOf(request);
      try {
        const passing = intake.through(source, addressOf(request));
        const { address, bytes } = await provider.takePayload(passing, optionsOf(request.query));
        reply.code(201);
        return { address, bytes };
      } catch (error) {
        throw brokenOff(request, reply, error);
      }
    },
  );
}

const params = z.strictObject({ id: hexOf(32) });
export function addUploads(app: RoleApp, routes: UploadRoutes): void {
  const { provider, staging } = routes;
  const takings = new Takings(provider, staging);
  const { direct } = provider;
  const begin = {
    summary: "Begins a payload that can be resumed; Location says where it goes on",
    querystring: query,
    /** `direct`: that the client can send parts to the store itself. */
    body: z.strictObject({ direct: z.boolean().optional() }),
    response: { 201: z.strictObject({ upload: hexOf(32), direct: parts.nullable() }) },
  };
  app.post("/uploads", { config: { access: "open", cost: 10 }, schema: begin }, async (request, reply) => {
    const options = optionsOf(request.query);
    const past = request.body.direct === true && direct?.takes(options) === true ? direct : undefined;
    const began = past === undefined ? {} : { ...(await past.begin(options)) };
    const { id } = await staging.create({ options: JSON.stringify(options), ...began });
    reply.code(201).headers({ location: `/v1/provider/uploads/${id}`, ...fieldsOf({ offset: 0 }) });
    return { upload: id, direct: past ? { sizes: [...past.partSizes], partsMax: past.partsMax } : null };
  });
  const look = { summary: "How much of an upload is on disk, and what became of it", params };
  app.get(
    "/uploads/:id",
    { config: { access: "open" }, schema: { ...look, response: { 200: stands } }, exposeHeadRoute: false },
    async (request, reply) => {
      const upload = await takings.result(await staging.find(request.params.id));
      reply.headers(fieldsOf(upload));
      return standsOf(upload);
    },
  );
  app.head("/uploads/:id", { config: { access: "open" }, schema: look }, async (request, reply) =>
    reply
      .code(204)
      .headers(fieldsOf(await staging.find(request.params.id)))
      .send(),
  );
  const cancel = {
    summary: "Gives an upload up",
    params,
    response: { 200: z.strictObject({ done: z.literal(true) }) },
  };
  app.delete("/uploads/:id", { config: { access: "open" }, schema: cancel }, async (request) => {
    await staging.remove(request.params.id);
    return { done: true as const };
  });
  addAppend(app, routes, takings);
  if (direct !== undefined) addDirect(app, { ...routes, direct, takings });
}

/** Where an upload stands, as the draft's fields say it (structured fields: an integer, a boolean). */
function fieldsOf({
  offset,
  complete = false,
}: {
  offset: number;
  complete?: boolean;
}): Record<string, string> {
  return { "upload-offset": String(offset), "upload-complete": complete ? "?1" : "?0" };
}

function addAppend(app: RoleApp, { staging, intake, payloadBytesMax }: UploadRoutes, takings: Takings): void {
  const schema = {
    summary: "The next bytes, from Upload-Offset on; with Upload-Complete: ?1 the last ones",
    params,
    response: { 200: stands, 409: z.looseObject({ code: z.string() }) },
  };
  app.patch("/uploads/:id", { config: { access: "open", streams: true }, schema }, async (request, reply) => {
    const source = request.body === undefined || request.body === null ? nothing() : streamOf(request);
    const [offset, complete] = appendFields(request);
    demandRelayed(await staging.find(request.params.id));
    try {
      const passing = intake.through(source, addressOf(request));
      const limits = { offset, complete, sizeMax: payloadBytesMax };
      const upload = await takings.result(await staging.append(request.params.id, passing, limits));
      reply.headers(fieldsOf(upload));
      return standsOf(upload);
    } catch (error) {
      const told = brokenOff(request, reply, error);
      if (!(told instanceof ChartsealError) || typeof told.data.offset !== "number") throw told;
      // The draft's answer to an append that begins elsewhere.
      reply
        .code(409)
        .headers(fieldsOf({ offset: told.data.offset }))
        .type(problemType);
      return { ...problemOf(told), status: 409 };
    }
  });
}

/** An upload past the provider takes nothing here: what stands in its file is what it is. */
function demandRelayed({ about }: Upload): void {
  if (about.uploadId === undefined) return;
  throw new ChartsealError("input-invalid", "the store takes the parts of this upload");
}

function appendFields(request: FastifyRequest): [offset: number, complete: boolean] {
  const offset = fieldOnce(request, "upload-offset") ?? "";
  const complete = fieldOnce(request, "upload-complete") ?? "?0";
  if (!/^\d{1,15}$/.test(offset) || !/^\?[01]$/.test(complete)) {
    const sentence = "an append says Upload-Offset, a whole number, and Upload-Complete, ?0 or ?1";
    throw new ChartsealError("input-invalid", sentence);
  }
  return [Number(offset), complete === "?1"];
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
