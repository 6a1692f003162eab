/** The host's own failures as problems: what Fastify refuses, what a schema refuses, and what nobody foresaw. */
import { ChartsealError } from "@chartseal/crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { type Problem, problemType, toProblem } from "../problem.ts";

/** Any failure of a request as a problem. What is not ours says nothing of itself; the log does. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ChartsealError) return toProblem(error);
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation;
    const path = `${error.validationContext ?? "request"}${first?.instancePath ?? ""}`;
    const message = `${path} is not what this route takes: ${first?.message ?? "malformed"}`;
    return toProblem(new ChartsealError("input-invalid", message, { data: { path } }));
  }
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500)
    return toProblem(new ChartsealError("input-invalid", phraseOf(status)), status);
  return toProblem(new ChartsealError("defect", "the server failed; its log says why"));
}

const phrases: Readonly<Record<number, string>> = {
  404: "there is nothing at this path",
  408: "the request did not arrive in time",
  413: "the request is too large",
  414: "the request's path is too long",
  415: "the request's content is of a type that this route does not take",
  421: "the request is for another host",
  431: "the request's headers are too large",
};

function phraseOf(status: number): string {
  return phrases[status] ?? "the request is malformed";
}

/** Sends a failure as the reply; one that is the server's fault is logged with its cause. */
export function replyProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(error);
  request.problemCode = problem.code;
  if (problem.status >= 500) {
    const route = request.routeOptions?.url ?? null;
    request.log.error({ err: error, code: problem.code, method: request.method, route }, "request failed");
  }
  if (problem.code === "rate-limited") {
    const seconds = problem.data?.retryAfterSeconds;
    if (typeof seconds === "number") reply.header("retry-after", String(seconds));
  }
  reply.code(problem.status).type(problemType).send(JSON.stringify(problem));
}

/** The whole raw answer to what never became a request. */
export function rawProblem(status: number): string {
  const body = JSON.stringify(toProblem(new ChartsealError("input-invalid", phraseOf(status)), status));
  return [
    `HTTP/1.1 ${status} ${status === 431 ? "Request Header Fields Too Large" : status === 408 ? "Request Timeout" : "Bad Request"}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    "",
    body,
  ].join("\r\n");
}
