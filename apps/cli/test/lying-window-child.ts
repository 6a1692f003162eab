/**
 * A server that lies: it passes calls for headers on to an institution's window and alters each header on its way back. Its
 * arguments: where it asks, and the port on loopback where it listens.
 */
import { createServer } from "node:http";

const [, , asked, port] = process.argv;

createServer(async (request, response) => {
  if (request.method === "GET") {
    response.end(JSON.stringify({ roles: { ledger: { ok: true } } }));
    return;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const headers = { "content-type": "application/json" };
  const answer = await fetch(asked!, { method: "POST", headers, body: Buffer.concat(chunks) });
  const text = await answer.text();
  response.end(text.replaceAll(/"app_hash":"[0-9A-F]{64}"/g, `"app_hash":"${"0".repeat(64)}"`));
}).listen(Number(port), "127.0.0.1");
