/** The host over real sockets: who is let in, limits, problems, health, and that no input stops or hangs it. */
import { connect } from "node:net";
import { ChartsealError, ed25519KeyPairFromSeed, fromHex, toHex, utf8 } from "@chartseal/crypto";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { seeded, wholeBetween } from "../../../test/seeded.ts";
import {
  type Access,
  type Host,
  type HostConfigInput,
  parseConfig,
  type Role,
  startHost,
} from "../src/index.ts";
import { type RequestSigner, signRequest } from "../src/signature/message.ts";

const token = new Uint8Array(32).fill(1);
const local: RequestSigner = { keyId: toHex(ed25519KeyPairFromSeed(token).publicKey), seed: token };
const memberSeed = new Uint8Array(32).fill(2);
const member: RequestSigner = { keyId: "aa".repeat(20), seed: memberSeed };
const hosts: Host[] = [];

/** A role with a route for each kind of access, one that fails, one that waits, and one that takes a stream. */
function echoRole(options: { release?: Promise<void> } = {}): Role {
  return {
    name: "ledger",
    health: async () => ({ height: 7 }),
    register(app) {
      const answer = z.object({ signer: z.string().nullable(), text: z.string().optional() });
      for (const access of ["open", "signed", "account", "local"] as const satisfies Access[]) {
        const body = z.strictObject({ text: z.string().max(5_000_000) });
        app.post(
          `/${access}`,
          { config: { access }, schema: { body, response: { 200: answer } } },
          async (request) => ({
            signer: request.signer?.kind ?? null,
            text: request.body.text.slice(0, 10),
          }),
        );
      }
      app.get("/whoami", { config: { access: "open" } }, async (request) => ({
        signer: request.signer ?? null,
      }));
      app.get("/fails", { config: { access: "open" } }, async () => {
        throw new Error(`secret ${toHex(token)}`);
      });
      app.get("/revoked", { config: { access: "open" } }, async () => {
        throw new ChartsealError("revoked", "gone", { data: { attributes: ["a@b"] }, hint: "Ask." });
      });
      app.get("/wait", { config: { access: "open" } }, async () => {
        await options.release;
        return { done: true };
      });
      app.post("/stream", { config: { access: "open", streams: true } }, async (request) => {
        let bytes = 0;
        for await (const chunk of request.body as AsyncIterable<Uint8Array>) bytes += chunk.length;
        return { bytes };
      });
    },
  };
}

async function start(
  input: HostConfigInput = {},
  more: { role?: Role; log?: { write(line: string): void } } = {},
) {
  const host = await startHost({
    config: parseConfig({ roles: ["ledger"], ...input }),
    roles: [more.role ?? echoRole()],
    version: "1.2.3",
    localKey: fromHex(local.keyId, 32),
    accountKey: async (account) =>
      toHex(account) === member.keyId ? ed25519KeyPairFromSeed(memberSeed).publicKey : undefined,
    now: Date.now,
    ...(more.log === undefined ? {} : { log: more.log }),
  });
  hosts.push(host);
  return host;
}

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.close()));
});

let counter = 0;
async function ask(
  host: Host,
  target: string,
  options: { body?: string; method?: string; signer?: RequestSigner; headers?: Record<string, string> } = {},
): Promise<{ status: number; json: Record<string, unknown>; headers: Headers; text: string }> {
  const { body, signer, headers } = options;
  const method = options.method ?? (body === undefined ? "GET" : "POST");
  const request = {
    method,
    authority: `127.0.0.1:${host.port}`,
    target,
    ...(body === undefined ? {} : { body: utf8(body) }),
  };
  const nonce = `nonce-${String(counter++).padStart(12, "0")}`;
  const signed = signer === undefined ? {} : signRequest(signer, request, { nowMs: Date.now(), nonce });
  const response = await fetch(`${host.url}${target}`, {
    method,
    ...(body === undefined ? {} : { body }),
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...signed, ...headers },
  });
  const text = await response.text();
  const json = text.startsWith("{") ? JSON.parse(text) : {};
  return { status: response.status, json, headers: response.headers, text };
}

/** Sends raw bytes; everything that came back when the server closed or `waitMs` had passed. */
function raw(host: Host, bytes: string | Uint8Array, waitMs = 1_500): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(host.port, "127.0.0.1", () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.on("data", (data) => {
      received += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(received);
    });
  });
}

describe("health and the document", () => {
  it("says for each role how it is, and 503 where one is not well", async () => {
    const host = await start();
    expect(await ask(host, "/health")).toMatchObject({
      status: 200,
      json: { ok: true, version: "1.2.3", roles: { ledger: { ok: true, height: 7 } } },
    });
    const ill = {
      ...echoRole(),
      health: async () => {
        throw new ChartsealError("chain-altered", "damaged");
      },
    };
    expect(await ask(await start({}, { role: ill }), "/health")).toMatchObject({
      status: 503,
      json: { ok: false, roles: { ledger: { ok: false, code: "chain-altered" } } },
    });
  });

  it("describes its routes in OpenAPI 3.1", async () => {
    const { json } = await ask(await start(), "/openapi.json");
    expect(json).toMatchObject({ openapi: "3.1.0", info: { title: "Chartseal", version: "1.2.3" } });
    const stream = (json.paths as Record<string, { post?: object }>)["/v1/ledger/stream"];
    expect(stream?.post).toMatchObject({
      requestBody: {
        content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
      },
    });
    expect(Object.keys(json.paths as object)).toEqual(
      expect.arrayContaining(["/health", "/v1/ledger/signed"]),
    );
  });
});

describe("who may ask", () => {
  const body = '{"text":"x"}';
  const cases: [Access, string | number, string | number, string | number][] = [
    ["open", 200, 200, 200],
    ["signed", 401, 200, 200],
    ["account", 401, 200, 401],
    ["local", 401, 401, 200],
  ];
  it.each(cases)("%s: nobody %s, an account %s, the token %s", async (access, nobody, account, byToken) => {
    const host = await start();
    const path = `/v1/ledger/${access}`;
    expect((await ask(host, path, { body })).status).toBe(nobody);
    expect((await ask(host, path, { body, signer: member })).status).toBe(account);
    expect((await ask(host, path, { body, signer: local })).status).toBe(byToken);
  });

  it("an open route still refuses a signature that does not verify", async () => {
    const host = await start();
    const answer = await ask(host, "/v1/ledger/open", { body, signer: { ...member, seed: token } });
    expect(answer).toMatchObject({
      status: 401,
      json: { code: "signature-invalid", data: { part: "signature" } },
    });
  });

  it("a body that was changed on its way is refused, and one replayed to the same server", async () => {
    const host = await start();
    const authority = `127.0.0.1:${host.port}`;
    const request = { method: "POST", authority, target: "/v1/ledger/account", body: utf8(body) };
    const headers = signRequest(member, request, { nowMs: Date.now(), nonce: "a-nonce-of-its-own" });
    const post = (sent: string) => ask(host, "/v1/ledger/account", { body: sent, headers });
    expect(await post('{"text":"y"}')).toMatchObject({ status: 401, json: { data: { part: "digest" } } });
    expect((await post(body)).status).toBe(200);
    expect(await post(body)).toMatchObject({ status: 401, json: { data: { part: "replayed" } } });
  });

  it("a signed request for another server is refused by this one, whatever Host it then names", async () => {
    const [one, other] = [await start(), await start()];
    const request = {
      method: "POST",
      authority: `127.0.0.1:${one.port}`,
      target: "/v1/ledger/account",
      body: utf8(body),
    };
    const headers = signRequest(member, request, { nowMs: Date.now(), nonce: "a-nonce-of-its-own" });
    expect(await ask(other, "/v1/ledger/account", { body, headers })).toMatchObject({
      status: 401,
      json: { data: { part: "signature" } },
    });
    const lines = Object.entries({
      ...headers,
      "content-type": "application/json",
      "content-length": "12",
      host: request.authority,
      connection: "close",
    });
    const text = `POST /v1/ledger/account HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
    expect(await raw(other, text)).toMatch(/^HTTP\/1\.1 421 /);
    expect(await raw(one, text)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("a page elsewhere, whose name was pointed at this machine, is refused", async () => {
    const host = await start();
    const answer = await raw(
      host,
      `GET /health HTTP/1.1\r\nhost: evil.example:${host.port}\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
  });

  it("a route that does not say who may ask stops the host from starting", async () => {
    const role: Role = {
      name: "ledger",
      health: async () => ({}),
      register: (app) => void app.get("/x", async () => ({})),
    };
    await expect(start({}, { role })).rejects.toMatchObject({ code: "defect" });
  });
});

describe("failures", () => {
  it("are problems with code, data and hint", async () => {
    const host = await start();
    const answer = await ask(host, "/v1/ledger/revoked");
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    expect(answer).toMatchObject({
      status: 403,
      json: { code: "revoked", detail: "gone", hint: "Ask.", data: { attributes: ["a@b"] } },
    });
  });

  it("unforeseen ones say nothing of themselves to the caller, and of the request nothing to the log", async () => {
    const written: string[] = [];
    const host = await start({}, { log: { write: (line) => void written.push(line) } });
    const answer = await ask(host, "/v1/ledger/fails?token=hush", { signer: member });
    expect(answer).toMatchObject({
      status: 500,
      json: { code: "defect", detail: "the server failed; its log says why" },
    });
    expect(answer.text).not.toContain("secret");
    expect(answer.text).not.toContain("host.test.ts");
    const log = written.join("");
    const lines = log
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({
      method: "GET",
      route: "/v1/ledger/fails",
      status: 500,
      signer: "account",
    });
    expect(lines.find(({ msg }) => msg === "request failed")).toMatchObject({
      err: { type: "Error", message: expect.any(String) },
      route: "/v1/ledger/fails",
    });
    expect(log).not.toContain("host.test.ts");
    for (const hidden of ["hush", member.keyId, "nonce", "signature"]) expect(log).not.toContain(hidden);
  });

  it.each([
    ["no such path", "/v1/nothing", {}, 404],
    ["no such method", "/v1/ledger/open", { method: "DELETE" }, 404],
    ["no JSON", "/v1/ledger/open", { body: "{" }, 400],
    ["a prototype in it", "/v1/ledger/open", { body: '{"__proto__":{},"text":"x"}' }, 400],
    ["a field too many", "/v1/ledger/open", { body: '{"text":"x","more":1}' }, 400],
    ["a field of another type", "/v1/ledger/open", { body: '{"text":1}' }, 400],
    ["an empty body", "/v1/ledger/open", { body: "" }, 400],
    ["another content type", "/v1/ledger/open", { body: "x", headers: { "content-type": "text/xml" } }, 415],
    [
      "bytes where JSON is wanted",
      "/v1/ledger/open",
      { body: "x", headers: { "content-type": "application/octet-stream" } },
      415,
    ],
    ["a path that is no UTF-8", "/v1/ledger/%ff", {}, 400],
  ])("%s is input-invalid", async (_what, path, options, status) => {
    expect(await ask(await start(), path, options)).toMatchObject({
      status,
      json: { code: "input-invalid" },
    });
  });
});

describe("limits", () => {
  it("on the body: refused as too large, and the next request is answered", async () => {
    const host = await start({ limits: { bodyBytesMax: 2_000 } });
    const body = JSON.stringify({ text: "x".repeat(3_000) });
    expect(await ask(host, "/v1/ledger/open", { body })).toMatchObject({
      status: 413,
      json: { code: "input-invalid" },
    });
    expect((await ask(host, "/health")).status).toBe(200);
  });

  it("on headers and on their time", async () => {
    const host = await start({ limits: { headerBytesMax: 2_000, headersTimeoutMs: 300 } });
    const many = `GET /health HTTP/1.1\r\nhost: 127.0.0.1:${host.port}\r\nx: ${"y".repeat(3_000)}\r\n\r\n`;
    expect(await raw(host, many)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await raw(host, "GET /health HTTP/1.1\r\nhost:", 5_000)).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("on the time of a body that dribbles in, but not of a stream", async () => {
    const host = await start({ limits: { requestTimeoutMs: 300 } });
    const head = (path: string, type: string) =>
      `POST /v1/ledger/${path} HTTP/1.1\r\nhost: 127.0.0.1:${host.port}\r\ncontent-type: ${type}\r\ncontent-length: 9\r\nconnection: close\r\n\r\n1234`;
    const started = Date.now();
    expect(await raw(host, head("open", "application/json"), 5_000)).toMatch(/^HTTP\/1\.1 408 /);
    expect(Date.now() - started).toBeLessThan(4_000);
    expect(await raw(host, head("stream", "application/octet-stream"), 900)).toBe("");
  });

  it("on the rate of an address and of a key, each by itself; the token has none", async () => {
    const few = { perSecond: 0.1, burst: 15 };
    const host = await start({ limits: { anonymous: { perSecond: 0.1, burst: 25 }, signed: few } });
    const statuses = async (count: number, signer?: RequestSigner) => {
      const seen = new Set<number>();
      for (let at = 0; at < count; at++)
        seen.add((await ask(host, "/v1/ledger/whoami", signer === undefined ? {} : { signer })).status);
      return [...seen];
    };
    expect(await statuses(16, member)).toEqual([200, 429]);
    expect(await statuses(30, local)).toEqual([200]);
    expect(await statuses(26)).toEqual([200, 429]);
    const refused = await ask(host, "/health");
    expect(refused).toMatchObject({ status: 429, json: { code: "rate-limited" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("signatures that do not verify cost their address ten requests each", async () => {
    const host = await start({ limits: { anonymous: { perSecond: 0.1, burst: 25 } } });
    const signer = { ...member, seed: token };
    const statuses = [];
    for (let at = 0; at < 3; at++) statuses.push((await ask(host, "/v1/ledger/whoami", { signer })).status);
    expect(statuses).toEqual([401, 401, 429]);
  });
});

describe("configuration", () => {
  it.each([
    [{ roles: [] }, "roles"],
    [{ roles: ["ledger", "ledger"] }, "roles"],
    [{ roles: ["king"] }, "roles.0"],
    [{ listen: { port: 70_000 } }, "listen.port"],
    [{ listen: { host: "" } }, "listen.host"],
    [{ limits: { bodyBytesMax: "1" } }, "limits.bodyBytesMax"],
    [{ limits: { anonymous: { perSecond: 0, burst: 1 } } }, "limits.anonymous.perSecond"],
    [{ unknown: 1 }, ""],
    ["text", ""],
  ])("%j is refused with its path", (input, path) => {
    expect(() => parseConfig(input)).toThrowError(
      expect.objectContaining({ code: "input-invalid", data: { path } }),
    );
  });

  it("listens on loopback unless it is told otherwise", async () => {
    expect(parseConfig({}).listen).toEqual({ host: "127.0.0.1", port: 0 });
    expect((await start()).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it("says so where the port is taken", async () => {
    const { port } = await start();
    const host = "127.0.0.1";
    await expect(start({ listen: { host, port } })).rejects.toMatchObject({
      code: "input-invalid",
      data: { port },
    });
  });
});

describe("the end", () => {
  it("lets what is under way finish, and closes what is idle", async () => {
    let release = () => {};
    const role = echoRole({ release: new Promise((resolve) => (release = resolve)) });
    const host = await start({}, { role });
    const waiting = ask(host, "/v1/ledger/wait");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closing = host.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    expect(await waiting).toMatchObject({ status: 200, json: { done: true } });
    const answered = Date.now();
    await closing;
    // Not until the client lets the connection go.
    expect(Date.now() - answered).toBeLessThan(2_000);
    await expect(fetch(`${host.url}/health`)).rejects.toThrow();
  });

  it("waits no longer than it is told", async () => {
    const role = echoRole({ release: new Promise(() => {}) });
    const host = await start({ limits: { shutdownMs: 200 } }, { role });
    const waiting = ask(host, "/v1/ledger/wait").catch(() => "cut");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const started = Date.now();
    await host.close();
    expect(Date.now() - started).toBeLessThan(2_000);
    expect(await waiting).toBe("cut");
  });
});

describe("malformed input on a raw socket", () => {
  const good = (port: number) =>
    `POST /v1/ledger/open HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{"text":"x"}`;

  it("one byte of a request changed, cut or doubled anywhere: an answer below 500 or none, and no hang", async () => {
    const host = await start({
      limits: { headersTimeoutMs: 100, requestTimeoutMs: 100, anonymous: { perSecond: 1e6, burst: 1e6 } },
    });
    const text = good(host.port);
    const chance = seeded(12_345);
    const random = (below: number) => wholeBetween(chance, 0, below);
    const tries = Array.from({ length: 120 }, () => {
      const bytes = Buffer.from(text, "latin1");
      const at = random(bytes.length);
      const kind = random(3);
      if (kind === 0) bytes[at] = random(256);
      if (kind === 1) return bytes.subarray(0, at);
      return kind === 2 ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1))]) : bytes;
    });
    for (let from = 0; from < tries.length; from += 20) {
      const answers = await Promise.all(tries.slice(from, from + 20).map((bytes) => raw(host, bytes, 3_000)));
      for (const answer of answers) expect(answer).toMatch(/^$|^HTTP\/1\.1 [1-4]\d\d /);
    }
    expect((await ask(host, "/health")).status).toBe(200);
  });

  it.each([
    ["noise", "\u0000\u0001\u0002\u0003\r\n\r\n"],
    ["two lengths", "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx"],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a chunk that is none", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n"],
    ["no host", "GET /health HTTP/1.1\r\nconnection: close\r\n\r\n"],
    ["another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["a handshake of TLS", "\u0016\u0003\u0001\u0000\u0005\u0001\u0000\u0000\u0001\u0000"],
  ])("%s is refused", async (_what, text) => {
    const host = await start();
    expect(await raw(host, Buffer.from(text, "latin1"))).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect((await ask(host, "/health")).status).toBe(200);
  });
});
