/**
 * The host: one HTTP server whose roles are chosen by configuration. It holds what all roles share: limits, signatures,
 * problems, health, the OpenAPI document, logs without secrets, and an orderly end.
 */
import { type IncomingMessage, maxHeaderSize, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ChartsealError, concat } from "@chartseal/crypto";
import swagger from "@fastify/swagger";
import Fastify, {
  type FastifyHttpOptions,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type RawServerDefault,
} from "fastify";
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { z } from "zod";
import { Authentication, type Keys } from "./authentication.ts";
import type { HostConfig, RoleName } from "./config.ts";
import { Metrics } from "./metrics.ts";
import { problemOf, rawProblem, replyProblem } from "./problem-reply.ts";
import type { Role, RoleApp } from "./role.ts";

export interface HostOptions extends Keys {
  readonly config: HostConfig;
  /** The roles of the configuration, each made by whoever holds its keys and stores. */
  readonly roles: readonly Role[];
  readonly version: string;
  /** Where log lines go; none are written without it. */
  readonly log?: { write(line: string): void };
  readonly logLevel?: "error" | "warn" | "info" | "debug";
  /** Whether failures are logged with their stack traces, which name where the program lies; default false. */
  readonly logStacks?: boolean;
}

export interface Host {
  /** `http://host:port`. */
  readonly url: string;
  readonly port: number;
  /** Takes no more requests, lets those under way finish for at most `shutdownMs`, then ends. */
  close(): Promise<void>;
}

/** @throws ChartsealError `input-invalid` where the address cannot be listened on */
export async function startHost(options: HostOptions): Promise<Host> {
  const { config, roles } = options;
  const app = createApp(options);
  const names = new Set<string>();
  registerShared(app, options, names);
  for (const role of roles)
    app.register(async (own) => role.register(own as unknown as RoleApp), { prefix: `/v1/${role.name}` });
  const { host, port } = config.listen;
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    if (!(error instanceof Error) || !("syscall" in error)) throw error;
    throw new ChartsealError("input-invalid", `cannot listen on ${host} port ${port}: ${error.message}`, {
      data: { host, port },
      hint: "Another program may use the port; --port 0 takes any that is free.",
    });
  }
  const address = app.server.address() as AddressInfo;
  for (const name of authoritiesOf(config, address)) names.add(name);
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return { url: `http://${shown}:${address.port}`, port: address.port, close: () => closeApp(app, options) };
}

/** Every `host:port` that requests may be for: others were meant for another server, or come from a page elsewhere. */
function authoritiesOf({ listen, authorities }: HostConfig, { port }: AddressInfo): string[] {
  const hosts = new Set([
    "127.0.0.1",
    "localhost",
    "[::1]",
    listen.host.includes(":") ? `[${listen.host}]` : listen.host,
  ]);
  const own = [...hosts].map((host) => `${host}:${port}`);
  return [...own, ...(port === 80 ? hosts : []), ...authorities];
}

function createApp({ config, log, logLevel = "info", logStacks = false }: HostOptions): RoleApp {
  const { limits } = config;
  const server: FastifyHttpOptions<RawServerDefault> = {
    bodyLimit: limits.bodyBytesMax,
    connectionTimeout: limits.idleTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    forceCloseConnections: "idle",
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: false,
    routerOptions: { maxParamLength: 256 },
    logger:
      log === undefined
        ? false
        : { level: logLevel, stream: log, base: {}, serializers: { err: errorForLog(logStacks) } },
    http: {
      maxHeaderSize: Math.min(limits.headerBytesMax, maxHeaderSize),
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
    },
    frameworkErrors: (error, request, reply) => replyProblem(error, request, reply),
    clientErrorHandler(error, socket) {
      const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
      if (socket.writable) socket.end(rawProblem(statuses[error.code] ?? 400));
      else socket.destroy();
    },
  };
  const app = Fastify(server).withTypeProvider() as unknown as RoleApp;
  app.server.maxConnections = limits.connectionsMax;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => replyProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    replyProblem(Object.assign(new Error("no such route"), { statusCode: 404 }), request, reply),
  );
  addParsers(app);
  return app;
}

/** A failure's own words and stack: never the request, whose headers and body may hold what is nobody's business. */
function errorForLog(
  stacks: boolean,
): (error: Error) => { type: string; message: string; stack: string; cause?: string } {
  return ({ name: type, message, cause, stack = "" }) => ({
    type,
    message,
    stack: stacks ? stack : "",
    ...(cause instanceof Error ? { cause: cause.message } : {}),
  });
}

/** JSON bodies whole, with their bytes kept for the digest; bytes as a stream on the routes that say so. */
function addParsers(app: RoleApp): void {
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body: Buffer, done) => {
    request.rawBody = body;
    parseJson(request, body.toString("utf8"), done);
  });
  app.addContentTypeParser(
    ["application/octet-stream", "application/partial-upload"],
    (request, payload, done) => {
      const { streams, bytes } = request.routeOptions.config;
      if (streams === true) return done(null, payload);
      if (bytes !== true) return done(Object.assign(new Error("no stream here"), { statusCode: 415 }));
      gather(payload, request.routeOptions.bodyLimit).then((whole) => {
        request.rawBody = whole;
        done(null, whole);
      }, done);
    },
  );
}

/** A whole body of bytes. It fails with status 413 where it is larger than `bytesMax`. */
async function gather(payload: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of payload) {
      size += chunk.length;
      if (size > bytesMax) break;
      chunks.push(chunk);
    }
  } catch {
    throw Object.assign(new Error("broken off"), { statusCode: 400 });
  }
  if (size > bytesMax) throw Object.assign(new Error("too large"), { statusCode: 413 });
  return concat(...chunks);
}

function registerShared(app: RoleApp, options: HostOptions, names: ReadonlySet<string>): void {
  const { config, roles, version } = options;
  const authentication = new Authentication(options, config.limits);
  app.decorateRequest("signer", undefined);
  app.decorateRequest("rawBody");
  app.decorateRequest("problemCode");
  const metrics = new Metrics(roles);
  app.addHook("onRoute", ({ config: route, url, method }) => {
    if (route?.access === undefined)
      throw new ChartsealError("defect", `${method} ${url} does not say who may ask`);
  });
  app.addHook("onRequest", async (request, reply) => {
    request.rawBody = new Uint8Array(0);
    reply.headers({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
    if (!names.has((request.headers.host ?? "").toLowerCase()))
      throw Object.assign(new Error("another host"), { statusCode: 421 });
    limitArrival(
      request.raw,
      reply.raw,
      request.routeOptions.config.streams === true ? 0 : config.limits.requestTimeoutMs,
    );
  });
  app.addHook("preValidation", async (request) => {
    request.signer = await authentication.admit(request);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions } = request;
    const ms = Math.round(reply.elapsedTime);
    count(metrics, request, reply);
    request.log.info({
      method,
      route: routeOptions.url ?? null,
      status: reply.statusCode,
      ms,
      signer: request.signer?.kind ?? null,
    });
  });
  app.register(swagger, {
    openapi: { openapi: "3.1.0", info: { title: "Chartseal", version, description: "See spec/9-http.md." } },
    transform: describeRoute,
  });
  app.register(async (own) => {
    addHealth(own as unknown as RoleApp, roles, version);
    addMetrics(own as unknown as RoleApp, metrics);
    own.get("/openapi.json", { config: { access: "open" }, schema: { hide: true } }, async () =>
      app.swagger(),
    );
  });
}

/** A route's schemas in the document; the body of a stream has none, and is shown as the bytes that it is. */
const describeRoute: typeof jsonSchemaTransform = (input) => {
  const described = jsonSchemaTransform(input);
  const { streams, bytes } = input.route.config ?? {};
  if (streams !== true && bytes !== true) return described;
  const body = { type: "string", format: "binary" };
  return { ...described, schema: { ...described.schema, consumes: ["application/octet-stream"], body } };
};

/** Ends a request whose body does not arrive in time. 0: no limit but the connection's. */
function limitArrival(request: IncomingMessage, reply: ServerResponse, timeoutMs: number): void {
  if (timeoutMs === 0 || request.complete) return;
  const timer = setTimeout(() => {
    if (!reply.headersSent) request.socket.end(rawProblem(408));
    request.socket.destroySoon();
  }, timeoutMs);
  const stop = () => clearTimeout(timer);
  request.once("end", stop).once("close", stop);
}

function count(metrics: Metrics, request: FastifyRequest, reply: FastifyReply): void {
  const route = request.routeOptions.url ?? "none";
  const { method, raw, problemCode } = request;
  metrics.served({ route, method, status: reply.statusCode, seconds: reply.elapsedTime / 1000 }, raw.socket);
  if (problemCode !== undefined) metrics.problem(route, problemCode);
}

/** For this machine only: asked over loopback by a name of loopback, which a proxy does not pass on, or with the token. */
function addMetrics(app: RoleApp, metrics: Metrics): void {
  const schema = { summary: "Prometheus metrics, for this machine or with its token" };
  app.get("/metrics", { config: { access: "open" }, schema }, async (request, reply) => {
    const near = /^(?:127\.0\.0\.1|::1|::ffff:127\.0\.0\.1)$/.test(request.ip);
    const asked = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(request.headers.host ?? "");
    if (!(near && asked) && request.signer?.kind !== "local") {
      throw new ChartsealError("signature-invalid", "metrics are for this machine only", {
        data: { part: "access", access: "local" },
      });
    }
    return reply.type(metrics.contentType).send(await metrics.text());
  });
}

const healthOfRole = z.looseObject({ ok: z.boolean(), code: z.string().optional() });
const health = z.object({ ok: z.boolean(), version: z.string(), roles: z.record(z.string(), healthOfRole) });

function addHealth(app: RoleApp, roles: readonly Role[], version: string): void {
  const schema = { summary: "Each role, and whether it is well", response: { 200: health, 503: health } };
  app.get("/health", { config: { access: "open" }, schema }, async (_request, reply) => {
    const found = await Promise.all(roles.map(async (role) => [role.name, await healthOf(role)] as const));
    const ok = found.every(([, one]) => one.ok);
    reply.code(ok ? 200 : 503);
    return { ok, version, roles: Object.fromEntries(found) };
  });
}

async function healthOf(role: Role): Promise<z.output<typeof healthOfRole>> {
  try {
    return { ...(await role.health()), ok: true };
  } catch (error) {
    return { ok: false, code: problemOf(error).code };
  }
}

async function closeApp(app: RoleApp, { config, roles }: HostOptions): Promise<void> {
  const late = setTimeout(() => app.server.closeAllConnections(), config.limits.shutdownMs);
  // A connection that was at work when the end came is kept by its client when it is done.
  const idle = setInterval(() => app.server.closeIdleConnections(), 50);
  try {
    for (const role of roles) await role.stop?.();
    await app.close();
  } finally {
    clearTimeout(late);
    clearInterval(idle);
  }
}

/** The roles by name, as a configuration asks for them. @throws ChartsealError `input-invalid` for one that is not there */
export function chooseRoles(
  wanted: readonly RoleName[],
  made: Partial<Readonly<Record<RoleName, Role>>>,
): Role[] {
  return wanted.map((name) => {
    const role = made[name];
    if (role === undefined)
      throw new ChartsealError("input-invalid", `this home cannot play the role ${name}`);
    return role;
  });
}
