/**
 * A client that a server's limit holds up waits as long as it is told, if that is not long, and is served then. One whose
 * connection breaks sends again what may be sent twice, and nothing else.
 */
import { createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createToy, genesis, makeHome } from "../../../packages/ledger/test/embedded-home.ts";
import { toyRules } from "../../../packages/ledger/test/toy-rules.ts";
import { Connection } from "../src/client/index.ts";
import { nodeTransport } from "../src/client/node-transport.ts";
import { type Host, ledgerRole, parseConfig, startHost } from "../src/index.ts";
import { clientOf } from "./ledger-server.ts";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function limited(perSecond: number): Promise<Host> {
  const { directory, remove } = makeHome();
  const ledger = await createToy(directory);
  const host = await startHost({
    config: parseConfig({ roles: ["ledger"], limits: { anonymous: { perSecond, burst: 3 } } }),
    roles: [ledgerRole({ ledger })],
    version: "0",
    accountKey: async () => undefined,
    now: Date.now,
  });
  ends.push(
    remove,
    () => ledger.close(),
    () => host.close(),
  );
  return host;
}

it("waits out a limit of a second", async () => {
  const { url } = await limited(3);
  const ledger = clientOf(url, toyRules(genesis));
  const heads = await Promise.all(Array.from({ length: 6 }, () => ledger.head()));
  expect(heads.map(({ height }) => height)).toEqual([0, 0, 0, 0, 0, 0]);
  await ledger.close();
});

it("says at once that a limit is a long one", async () => {
  const { url } = await limited(0.01);
  const ledger = clientOf(url, toyRules(genesis));
  const start = Date.now();
  const asked = Promise.all(Array.from({ length: 6 }, () => ledger.head()));
  await expect(asked).rejects.toMatchObject({ code: "rate-limited" });
  expect(Date.now() - start).toBeLessThan(4_000);
  await ledger.close();
});

describe("on a connection that breaks before an answer", () => {
  /** A server that resets the connections of its first requests, and answers the next. */
  async function breaking(resets: number): Promise<{ connection: Connection; asked: string[] }> {
    const asked: string[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", (data) => {
        asked.push(String(data).split(" ", 2).join(" "));
        if (asked.length <= resets) socket.resetAndDestroy();
        else
          socket.end(
            'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"done":[]}',
          );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const transport = nodeTransport();
    ends.push(
      () => {
        for (const socket of sockets) socket.destroy();
        return new Promise<void>((resolve) => server.close(() => resolve()));
      },
      () => transport.close(),
    );
    const url = `http://127.0.0.1:${port}`;
    const options = { url, transport, now: Date.now, unreachable: "provider-unreachable" } as const;
    return { connection: new Connection(options), asked };
  }

  it("asks again, on another one", async () => {
    const { connection, asked } = await breaking(2);
    expect(await connection.json({ target: "/v1/thing" })).toEqual({ done: [] });
    expect(asked).toEqual(["GET /v1/thing", "GET /v1/thing", "GET /v1/thing"]);
  });

  it("gives up after the third", async () => {
    const { connection, asked } = await breaking(9);
    await expect(connection.json({ target: "/v1/thing" })).rejects.toMatchObject({
      code: "provider-unreachable",
    });
    expect(asked).toHaveLength(3);
  });

  it("sends a deed once, unless it may be done twice", async () => {
    const { connection, asked } = await breaking(1);
    const deed = { target: "/v1/deeds", json: {} };
    await expect(connection.json(deed)).rejects.toMatchObject({ code: "provider-unreachable" });
    expect(asked).toEqual(["POST /v1/deeds"]);
    const twice = await breaking(1);
    expect(await twice.connection.json({ ...deed, isRepeatable: true })).toEqual({ done: [] });
    expect(twice.asked).toEqual(["POST /v1/deeds", "POST /v1/deeds"]);
  });
});
