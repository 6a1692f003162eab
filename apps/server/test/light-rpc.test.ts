/**
 * The window on a CometBFT node's headers: what it passes on to a real node, all that it refuses, what it says of a node that
 * is down, hangs or sends without end; and what a joining institution makes of servers that lie through it.
 */
import { createServer, type RequestListener } from "node:http";
import { CometRpc, trustFromGenesis } from "@chartseal/ledger/comet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CometNetwork, validatorsOf } from "../../../packages/ledger/test/comet-network.ts";
import { createToy, makeHome } from "../../../packages/ledger/test/embedded-home.ts";
import { toyGenesis, toyRules, toyTransaction } from "../../../packages/ledger/test/toy-rules.ts";
import { describeTool } from "../../../test/tools.ts";
import type { AskNode } from "../src/roles/ledger/light-rpc.ts";
import { serveLedger } from "./ledger-server.ts";

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** A server with this window, and none of a node's ledger: the routes beside it are not asked. */
async function windowOn(askNode: AskNode): Promise<string> {
  const { directory, remove } = makeHome();
  const ledger = await createToy(directory);
  const host = await serveLedger({ ledger, askNode });
  ends.push(
    remove,
    () => ledger.close(),
    () => host.close(),
  );
  return `${host.url}/v1/ledger/light-rpc`;
}

async function post(url: string, body: string): Promise<{ status: number; said: Record<string, unknown> }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body });
  return { status: response.status, said: (await response.json()) as Record<string, unknown> };
}

const callOf = (method: string, params?: unknown, id: unknown = 7) =>
  JSON.stringify({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) });

/** Something in the place of a node, on loopback. */
async function inPlaceOfNode(answers: RequestListener): Promise<string> {
  const server = createServer(answers);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe("what is not for light clients", () => {
  const passed: unknown[] = [];
  let url: string;
  beforeAll(async () => {
    url = await windowOn(async (method, parameters) => {
      passed.push([method, parameters]);
      return { result: {} };
    });
  });

  it.each([
    ["broadcast_tx_sync", { tx: "AAAA" }],
    ["broadcast_tx_async", { tx: "AAAA" }],
    ["broadcast_tx_commit", { tx: "AAAA" }],
    ["broadcast_evidence", { evidence: {} }],
    ["dial_seeds", { seeds: "[]" }],
    ["dial_peers", { peers: "[]" }],
    ["unsafe_flush_mempool", {}],
    ["net_info", {}],
    ["status", {}],
    ["dump_consensus_state", {}],
    ["unconfirmed_txs", {}],
    ["abci_query", { path: "/" }],
    ["block", { height: "1" }],
    ["genesis", {}],
    ["constructor", {}],
    ["__proto__", {}],
  ])("does not pass on %s", async (method, params) => {
    passed.length = 0;
    const { status, said } = await post(url, callOf(method, params));
    expect([status, said.id, said.error]).toMatchObject([200, 7, { code: -32601 }]);
    expect(passed).toEqual([]);
  });

  it.each([
    ["commit", { height: "-1" }],
    ["commit", { height: "0" }],
    ["commit", { height: "1e3" }],
    ["commit", { height: 1.5 }],
    ["commit", { height: "99999999999999999999" }],
    ["commit", { height: ["1"] }],
    ["commit", { height: "1", page: "1" }],
    ["validators", { height: "1", per_page: "101" }],
    ["validators", { height: "1", page: "0" }],
    ["consensus_params", { hash: "00" }],
  ])("refuses %s with %j", async (method, params) => {
    passed.length = 0;
    const { status, said } = await post(url, callOf(method, params));
    expect([status, said.id, said.error]).toMatchObject([200, 7, { code: -32602 }]);
    expect(passed).toEqual([]);
  });

  it.each([
    ["several at once", `[${callOf("commit")},${callOf("commit")}]`],
    ["an empty list", "[]"],
    ["no id, which asks for no answer", JSON.stringify({ jsonrpc: "2.0", method: "commit" })],
    ["an id of its own making", callOf("commit", {}, { id: 1 })],
    ["another version", JSON.stringify({ jsonrpc: "1.0", id: 1, method: "commit" })],
    ["parameters in a list", callOf("commit", ["1"])],
    ["a further field", JSON.stringify({ jsonrpc: "2.0", id: 1, method: "commit", as: "root" })],
    ["a text", '"commit"'],
    ["null", "null"],
  ])("refuses %s", async (_, body) => {
    passed.length = 0;
    const { status, said } = await post(url, body);
    expect([status, said.id, said.error]).toMatchObject([200, null, { code: -32600 }]);
    expect(passed).toEqual([]);
  });

  it("answers what is no JSON, no POST, or too much, as every other route does", async () => {
    passed.length = 0;
    const large = callOf("commit", { height: "1", more: "x".repeat(4_000) });
    expect(await post(url, large)).toMatchObject({ status: 413, said: { code: "input-invalid" } });
    expect(await post(url, "{")).toMatchObject({ status: 400, said: { code: "input-invalid" } });
    expect((await fetch(`${url}?method=commit`)).status).toBe(404);
    expect((await fetch(url.replace("light-rpc", "light-rpc/websocket"))).status).toBe(404);
    expect(passed).toEqual([]);
  });

  it("passes on what is allowed, written anew", async () => {
    passed.length = 0;
    await post(url, callOf("commit"));
    await post(url, callOf("commit", null));
    await post(url, callOf("consensus_params", { height: 12 }));
    await post(url, callOf("validators", { height: "12", page: 1, per_page: "100" }));
    expect(passed).toEqual([
      ["commit", {}],
      ["commit", {}],
      ["consensus_params", { height: "12" }],
      ["validators", { height: "12", page: "1", per_page: "100" }],
    ]);
  });

  it("is in the server's own description, and not at a home without a node", async () => {
    const { origin } = new URL(url);
    const described = (await (await fetch(`${origin}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(described.paths)).toContain("/v1/ledger/light-rpc");
    const { directory, remove } = makeHome();
    const ledger = await createToy(directory);
    const host = await serveLedger({ ledger });
    expect((await post(`${host.url}/v1/ledger/light-rpc`, callOf("commit"))).status).toBe(404);
    await host.close();
    await ledger.close();
    remove();
  });
});

describe("a node that is not well", () => {
  const timedOut = { code: -32603, data: expect.stringContaining("Timeout exceeded") };
  const asked = async (url: string, limits: { msMax: number; bytesMax: number }) => {
    const node = new CometRpc(url, limits);
    const window = await windowOn((method, parameters) => node.ask(method, parameters));
    const { status, said } = await post(window, callOf("commit", { height: "3" }));
    return [status, said.id, said.error];
  };

  it("that is down, hangs, sends without end or nonsense, is said to be so, in the words that light clients try again by", async () => {
    const limits = { msMax: 300, bytesMax: 10_000 };
    expect(await asked("http://127.0.0.1:1", limits)).toEqual([200, 7, expect.objectContaining(timedOut)]);
    const silent = await inPlaceOfNode(() => {});
    expect(await asked(silent, limits)).toEqual([200, 7, expect.objectContaining(timedOut)]);
    const endless = await inPlaceOfNode((_, response) => {
      const more = () => {
        while (response.write("x".repeat(1_000)));
      };
      response.on("drain", more);
      more();
    });
    const patient = { msMax: 60_000, bytesMax: 10_000 };
    expect(await asked(endless, patient)).toEqual([200, 7, expect.objectContaining(timedOut)]);
    const nonsense = await inPlaceOfNode((_, response) => response.end("<html>"));
    expect(await asked(nonsense, limits)).toEqual([200, 7, expect.objectContaining(timedOut)]);
  });
});

describeTool("cometbft", "a window on a real node", (program) => {
  const validators = validatorsOf([10]);
  const rules = { ...toyRules(toyGenesis(validators[0]!.publicKey)), mayPropose: () => true };
  let network: CometNetwork;
  let askNode: AskNode;
  let url: string;
  beforeAll(async () => {
    network = await CometNetwork.make({ program, rules, validators });
    ends.push(() => network.dispose());
    const [opened] = await network.allUp();
    for (let nonce = 0; nonce < 3; nonce++)
      await opened!.ledger.submit(toyTransaction(nonce, ["give", 1, 1]));
    await network.ready(0, 5);
    const node = new CometRpc(network.rpcUrl(0));
    askNode = (method, parameters) => node.ask(method, parameters);
    url = await windowOn(askNode);
  }, 120_000);

  const trust = (rpcUrls: readonly string[]) =>
    trustFromGenesis({ chainId: rules.chainId, validators, rpcUrls, nowMs: Date.now() });
  /** A window through which a server lies. */
  const lying = (bend: (method: string, result: Bendable) => void) =>
    windowOn(async (method, parameters) => {
      const { result } = (await askNode(method, parameters)) as { result: Bendable };
      bend(method, result);
      return { result };
    });

  it("shows the same headers, validators and parameters as the node itself", async () => {
    const through = new CometRpc(url);
    const beside = new CometRpc(network.rpcUrl(0));
    expect(await through.lightBlock(2)).toEqual(await beside.lightBlock(2));
    expect(await through.newestHeight()).toBeGreaterThanOrEqual(5);
    const params = { height: "2" };
    expect(await through.ask("consensus_params", params)).toEqual(
      await beside.ask("consensus_params", params),
    );
  });

  it("passes on the node's word that a height is not there yet, as CometBFT's light client reads it", async () => {
    const { said } = await post(url, callOf("commit", { height: "1000000" }));
    expect(said.error).toMatchObject({
      data: expect.stringMatching(/height \d+ must be less than or equal to/),
    });
  });

  it("gives a joining institution what it may trust, from the genesis on", async () => {
    const { height, hash, rpcUrls } = await trust([url, await windowOn(askNode)]);
    const block = await new CometRpc(network.rpcUrl(0)).lightBlock(height);
    expect(hash).toEqual(block.signedHeader.commit.blockId.hash);
    expect(rpcUrls).toHaveLength(2);
  });

  it("a server that alters a header, or the validators, is caught, whether asked first or second", async () => {
    const altered = { code: "chain-altered" };
    const header = await lying((method, result) => {
      if (method === "commit") result.signed_header!.header.app_hash = "00".repeat(32).toUpperCase();
    });
    await expect(trust([header, url])).rejects.toMatchObject({ ...altered, data: { server: header } });
    await expect(trust([url, header])).rejects.toMatchObject({ ...altered, data: { server: header } });
    const later = await lying((method, result) => {
      const { header } = result.signed_header ?? {};
      if (method === "commit" && header?.height !== "1") header!.app_hash = "00".repeat(32);
    });
    const unfollowed = {
      ...altered,
      message: expect.stringContaining("does not follow"),
      data: { server: later },
    };
    await expect(trust([later, url])).rejects.toMatchObject(unfollowed);
    const history = await lying((method, result) => {
      if (method === "commit") result.signed_header!.commit.block_id.hash = "AB".repeat(32);
    });
    await expect(trust([url, history])).rejects.toMatchObject({ ...altered, data: { server: history } });
    const stranger = await lying((method, result) => {
      if (method === "validators")
        result.validators![0]!.pub_key.value = Buffer.alloc(32, 7).toString("base64");
    });
    await expect(trust([stranger, url])).rejects.toMatchObject(altered);
    const nonsense = await windowOn(async () => ({
      result: { signed_header: 1, validators: [], total: "0" },
    }));
    await expect(trust([nonsense, url])).rejects.toMatchObject(altered);
  });

  it("passes over a server that is away or began with a snapshot, as long as two agree", async () => {
    const later = await windowOn(async (method, parameters) =>
      Number(parameters.height) < 1_000_000
        ? { error: { code: -32603, message: "Internal error", data: "height is not available" } }
        : await askNode(method, parameters),
    );
    const away = "http://127.0.0.1:1/v1/ledger/light-rpc";
    const second = await windowOn(askNode);
    expect((await trust([away, later, url, second])).rpcUrls).toEqual([url, second]);
    const alone = { code: "ledger-unreachable", message: expect.stringContaining("only one") };
    await expect(trust([away, url])).rejects.toMatchObject(alone);
    expect((await trust([url])).rpcUrls).toEqual([url]);
    await expect(trust([away, later])).rejects.toMatchObject({ code: "ledger-unreachable" });
  });
});

/** What the lies alter, of CometBFT's answers. */
interface Bendable {
  readonly signed_header?: {
    readonly header: { app_hash: string; readonly height: string };
    readonly commit: { readonly block_id: { hash: string } };
  };
  readonly validators?: readonly { readonly pub_key: { value: string } }[];
}
