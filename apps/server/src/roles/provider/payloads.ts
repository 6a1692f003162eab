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
import type { Staging, Upload } from "../../uploads/staging.ts";
import { hexOf } from "../../wire.ts";
import type { Intake } from "./intake.ts";
import { placingOf, placingQuery } from "./placing-query.ts";

/** How long an answer waits for a complete upload to be taken; the client asks again. */
const patienceMs = 20_000;

const query = z.strictObject({
  chunkBytes: z.coerce
    .number()
    .int()
    .min(64)
    .max(2 ** 20)
    .optional(),
  ...placingQuery,
});
const taken = z.strictObject({ address: z.string(), bytes: z.int() });

function optionsOf({ chunkBytes, ...placing }: z.output<typeof query>): TakeOptions {
  return { ...(chunkBytes === undefined ? {} : { chunkBytes }), ...placingOf(placing) };
}

/** The body of a request that is a stream. Ending it early must not cut the connection: the refusal goes back on it. */
function streamOf(request: FastifyRequest): AsyncIterable<Uint8Array> {
  if (request.body instanceof Readable) return request.body.iterator({ destroyOnReturn: false });
  throw new ChartsealError("input-invalid", "a payload is a stream of bytes");
}

/** Who is counted; the machine's own commands are not. */
function addressOf(request: FastifyRequest): string | undefined {
  return request.signer?.kind === "local" ? undefined : request.ip;
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

/** Complete uploads on their way from their files into the store, each at most once at a time. */
class Takings {
  readonly #provider: Provider;
  readonly #staging: Staging;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(provider: Provider, staging: Staging) {
    this.#provider = provider;
    this.#staging = staging;
  }

  /** The upload with its result, or without one where taking it lasts longer than an answer waits. */
  async result(upload: Upload): Promise<Upload> {
    const { id } = upload;
    if (!upload.complete || upload.result !== null) return upload;
    const running = this.#underWay.get(id) ?? this.#take(upload);
    this.#underWay.set(id, running);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    try {
      await Promise.race([running, late]);
    } finally {
      clearTimeout(timer);
    }
    return await this.#staging.find(id);
  }

  async #take({ id, about }: Upload): Promise<void> {
    try {
      const options = JSON.parse(String(about.options)) as TakeOptions;
      const { address, bytes } = await this.#provider.takePayload(this.#staging.read(id), options);
      await this.#staging.settle(id, { address, bytes });
    } finally {
      this.#underWay.delete(id);
    }
  }
}

export interface UploadRoutes {
  readonly provider: Provider;
  readonly staging: Staging;
  readonly intake: Intake;
  /** Bytes of one payload. */
  readonly payloadBytesMax: number;
}

const params = z.strictObject({ id: hexOf(32) });
const stands = z.strictObject({
  offset: z.int(),
  complete: z.boolean(),
  /** What the provider answers for the whole payload; null until it has taken it. */
  result: taken.nullable(),
});

function standsOf({ offset, complete, result }: Upload): z.output<typeof stands> {
  const given = result === null ? null : { address: String(result.address), bytes: Number(result.bytes) };
  return { offset, complete, result: given };
}

export function addUploads(app: RoleApp, routes: UploadRoutes): void {
  const { provider, staging } = routes;
  const takings = new Takings(provider, staging);
  const begin = {
    summary: "Begins a payload that can be resumed; Location says where it goes on",
    querystring: query,
    body: z.strictObject({}),
    response: { 201: z.strictObject({ upload: hexOf(32) }) },
  };
  app.post("/uploads", { config: { access: "open", cost: 10 }, schema: begin }, async (request, reply) => {
    const { id } = await staging.create({ options: JSON.stringify(optionsOf(request.query)) });
    reply.code(201).headers({ location: `/v1/provider/uploads/${id}`, ...fieldsOf({ offset: 0 }) });
    return { upload: id };
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
