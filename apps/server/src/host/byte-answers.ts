/** Answers that are bytes of something stored: whole or one range of it (RFC 9110 §14), with its validator, for GET and HEAD. */
import { Readable } from "node:stream";
import { ChartsealError } from "@chartseal/crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { problemType, toProblem } from "../problem.ts";
import { begun } from "./begun.ts";

export interface Stored {
  readonly size: number;
  /** A strong validator with its quotes: another one means other bytes. */
  readonly etag: string;
  /** Bytes `from` to `toInclusive` where `size` is not 0. */
  open(from: number, toInclusive: number): AsyncIterable<Uint8Array>;
}

type Wanted = { readonly from: number; readonly toInclusive: number } | "whole" | "outside";

/** What a Range header asks for. Several ranges at once, or a unit other than bytes, are answered with the whole. */
export function wantedRange(header: string | undefined, size: number): Wanted {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return "whole";
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const toInclusive = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== "" && last !== "" && Number(last) < from) return "whole";
  return from > toInclusive ? "outside" : { from, toInclusive };
}

/** One value of a header that came once. */
export function fieldOnce(request: FastifyRequest, name: string): string | undefined {
  const values = request.raw.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}

/** Answers a GET or HEAD of something stored. What is missing altogether is said as a problem, and not by breaking off. */
export async function sendStored(
  request: FastifyRequest,
  reply: FastifyReply,
  { size, etag, open }: Stored,
): Promise<FastifyReply> {
  const condition = fieldOnce(request, "if-range");
  const range = condition === undefined || condition === etag ? fieldOnce(request, "range") : undefined;
  const wanted = wantedRange(range, size);
  reply.headers({ etag, "accept-ranges": "bytes" });
  if (wanted === "outside") {
    reply.header("content-range", `bytes */${size}`);
    const sentence = "the range does not lie within what is stored";
    const error = new ChartsealError("input-invalid", sentence, { data: { storage: "range-invalid", size } });
    return reply
      .code(416)
      .type(problemType)
      .send(JSON.stringify(toProblem(error, 416)));
  }
  const { from, toInclusive } = wanted === "whole" ? { from: 0, toInclusive: size - 1 } : wanted;
  if (wanted !== "whole") reply.code(206).header("content-range", `bytes ${from}-${toInclusive}/${size}`);
  reply.type("application/octet-stream").header("content-length", toInclusive - from + 1);
  if (request.method === "HEAD" || size === 0) return reply.send(request.method === "HEAD" ? undefined : "");
  return reply.send(Readable.from(await begun(open(from, toInclusive)), { objectMode: false }));
}
