/** Errors over HTTP: every code comes back as the error that it was, and nothing of the server's inside goes out. */
import { ChartsealError, type ErrorCode, errorCodes } from "@chartseal/crypto";
import { describe, expect, it } from "vitest";
import { problemOf } from "../src/host/problem-reply.ts";
import { fromProblem, statusOf, toProblem } from "../src/problem.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

describe("problem details", () => {
  it.each(codes)("%s makes the round trip, data and hint with it", (code) => {
    const error = new ChartsealError(code, "what is wrong", {
      data: { recordId: "00", at: [1, { height: 2 }], ok: true },
      hint: "What to do.",
      cause: new Error("a secret"),
    });
    const text = JSON.stringify(toProblem(error));
    expect(text).not.toContain("a secret");
    const back = fromProblem(JSON.parse(text))!;
    expect(back).toBeInstanceOf(ChartsealError);
    expect([back.code, back.message, back.hint, back.data, back.family]).toEqual([
      error.code,
      error.message,
      error.hint,
      error.data,
      error.family,
    ]);
    const bare = fromProblem(JSON.parse(JSON.stringify(toProblem(new ChartsealError(code, "bare")))))!;
    expect([bare.code, bare.message, bare.hint, bare.data]).toEqual([code, "bare", undefined, {}]);
  });

  it.each(codes)("%s has a status of its family's class", (code) => {
    const [family] = errorCodes[code];
    const status = statusOf(code);
    const isServers = family === "defect" || (family === "unavailable" && code !== "rate-limited");
    expect(Math.floor(status / 100)).toBe(isServers ? 5 : 4);
  });

  it("bytes and large integers in data go as text", () => {
    const data = { id: Uint8Array.of(1, 255), order: 2n ** 70n };
    const problem = toProblem(new ChartsealError("record-unknown", "none", { data }));
    expect(problem).toMatchObject({ status: 404, data: { id: "01ff", order: "1180591620717411303424" } });
  });

  it("what is no problem of ours is no error of ours", () => {
    const good = toProblem(new ChartsealError("revoked", "gone"));
    for (const value of [
      null,
      1,
      [],
      {},
      { ...good, code: "toString" },
      { ...good, code: 1 },
      { code: "revoked" },
    ])
      expect(fromProblem(value)).toBeUndefined();
    expect(fromProblem({ ...good, data: [1], hint: 2 })).toMatchObject({ code: "revoked", data: {} });
  });

  it("an unforeseen failure says nothing of itself", () => {
    const problem = problemOf(new TypeError("cannot read seed 00ff of /home/x"));
    expect(problem).toEqual({
      type: "urn:chartseal:problem:defect",
      title: errorCodes.defect[1],
      status: 500,
      detail: "the server failed; its log says why",
      code: "defect",
    });
  });
});
