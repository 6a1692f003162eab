/**
 * Runs a built page in headless Chromium and gives what it POSTs to /answer. The page is served from 127.0.0.1 under a
 * content security policy that allows its own scripts and WebAssembly, and nothing else: no eval, no other host.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Devtools } from "./devtools.ts";

const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const html =
  '<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/page.js"></script>';
const answerMsMax = 90_000;

export interface PageRun {
  readonly chromium: string;
  /** Built files by their path below the root. */
  readonly files: ReadonlyMap<string, string>;
  /** What GET /job gives. */
  readonly job: unknown;
  /** A virtual authenticator for WebAuthn (DevTools protocol); the page is then at `localhost`, a name that has one. */
  readonly authenticator?: object;
}

export interface PageResult {
  readonly answer: unknown;
  /** Paths that the browser asked for, in order. */
  readonly requested: readonly string[];
}

/** The page's answer. @throws Error with what the browser said, where none comes in 90 s */
export async function runPage({ chromium, files, job, authenticator }: PageRun): Promise<PageResult> {
  const profile = await mkdtemp(join(tmpdir(), "chartseal-browser-"));
  const answer = Promise.withResolvers<string>();
  const requested: string[] = [];
  const server = createServer((request, response) => {
    requested.push(request.url ?? "");
    respond({ files, job, answered: answer.resolve }, request, response).catch(answer.reject);
  });
  const { port } = await listening(server);
  const browser = spawn(
    chromium,
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--enable-logging=stderr",
      `--user-data-dir=${profile}`,
      ...(authenticator === undefined ? [`http://127.0.0.1:${port}/`] : ["--remote-debugging-port=0"]),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  const devtools = Promise.withResolvers<string>();
  browser.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-10_000);
    const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    if (address !== undefined) devtools.resolve(address);
  });
  const ended = new Promise<void>((resolve) => browser.once("close", () => resolve()));
  const refuse = (why: string) => answer.reject(new Error(`${why}\n${said}`));
  browser.once("error", (error) => refuse(error.message));
  browser.once("exit", (status) => refuse(`the browser ended with ${status}`));
  if (authenticator !== undefined) {
    const page = `http://localhost:${port}/`;
    devtools.promise.then((address) => openWith(address, { authenticator, page })).catch(answer.reject);
  }
  const late = setTimeout(() => refuse(`no answer in ${answerMsMax} ms`), answerMsMax);
  try {
    return { answer: JSON.parse(await answer.promise), requested };
  } finally {
    clearTimeout(late);
    browser.kill("SIGKILL");
    if (browser.pid !== undefined) await ended;
    server.closeAllConnections();
    server.close();
    // The browser's own children may still write for a moment.
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** Opens the page in a tab that has the authenticator. */
async function openWith(
  address: string,
  { authenticator, page }: { readonly authenticator: object; readonly page: string },
): Promise<void> {
  const tab = await (await Devtools.connect(address)).tab();
  await tab("WebAuthn.enable");
  await tab("WebAuthn.addVirtualAuthenticator", { options: authenticator });
  await tab("Page.navigate", { url: page });
}

async function listening(server: Server): Promise<AddressInfo> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address() as AddressInfo;
}

async function respond(
  page: { files: ReadonlyMap<string, string>; job: unknown; answered: (text: string) => void },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url ?? "/";
  const send = (status: number, type: string, body: string) => {
    response.writeHead(status, { "content-type": type, "content-security-policy": policy }).end(body);
  };
  if (request.method === "POST" && path === "/answer") {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    send(200, "text/plain", "");
    page.answered(Buffer.concat(parts).toString("utf8"));
    return;
  }
  const file = page.files.get(path.slice(1));
  if (path === "/") send(200, "text/html", html);
  else if (path === "/job") send(200, "application/json", JSON.stringify(page.job));
  else if (file !== undefined) send(200, "text/javascript", file);
  else send(404, "text/plain", "");
}
