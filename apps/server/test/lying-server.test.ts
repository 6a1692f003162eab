/**
 * A server that lies about the ledger. The attacker is the server itself: it holds the whole chain and every answer it
 * ever gave, and for the fork even the validator's key. The client holds the genesis and what it has verified before.
 */
import { encode, fromHex, sha256, toHex } from "@chartseal/crypto";
import { exportLine, type Ledger } from "@chartseal/ledger";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  countingClock,
  createToy,
  genesis,
  makeHome,
  proposer,
} from "../../../packages/ledger/test/embedded-home.ts";
import {
  accountKey,
  balanceKind,
  balanceOf,
  seenKind,
  toyGenesis,
  toyRules,
  toyTransaction,
} from "../../../packages/ledger/test/toy-rules.ts";
import type { HttpLedger, HttpRequest, HttpResponse, Transport } from "../src/client/index.ts";
import { nodeTransport } from "../src/client/node-transport.ts";
import type { Host } from "../src/index.ts";
import { all, clientOf, serveLedger } from "./ledger-server.ts";

// biome-ignore lint/suspicious/noExplicitAny: a liar rewrites answers of every form.
type Json = any;
/** What becomes of an answer on its way, by its request's target. */
type Lie = (answer: Json, target: string, again: (target: string) => Promise<Json>) => Json | Promise<Json>;

const give = (nonce: number, account: number, amount: number) =>
  toyTransaction(nonce, ["give", account, amount]);
const ends: (() => Promise<void> | void)[] = [];

async function ledgerOf(options: Parameters<typeof createToy>[1] = {}): Promise<Ledger> {
  const { directory, remove } = makeHome();
  const ledger = await createToy(directory, options);
  ends.push(async () => {
    await ledger.close();
    remove();
  });
  return ledger;
}

/** A server's answers as they are, until `lie` is set. */
class Liar implements Transport {
  readonly #inner = nodeTransport();
  lie: Lie | undefined;
  /** Another server that answers instead. */
  instead: string | undefined;

  async send(origin: URL, request: HttpRequest): Promise<HttpResponse> {
    const to = this.instead === undefined ? origin : new URL(this.instead);
    const headers = { ...request.headers };
    const response = await this.#inner.send(to, { ...request, headers });
    if (this.lie === undefined || response.status !== 200) return response;
    const again = async (target: string) =>
      await json(await this.#inner.send(to, { method: "GET", target, headers }));
    const answer = await this.lie(await json(response), request.target, again);
    const body = Buffer.from(JSON.stringify(answer));
    return {
      ...response,
      body: (async function* () {
        yield body;
      })(),
    };
  }

  close(): void {
    this.#inner.close();
  }
}

async function json(response: HttpResponse): Promise<Json> {
  const parts: Uint8Array[] = [];
  for await (const part of response.body) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

let liar: Liar;
let embedded: Ledger;
let host: Host;
let client: HttpLedger;

async function serve(ledger: Ledger): Promise<Host> {
  const made = await serveLedger({ ledger, transactionKind: seenKind });
  ends.push(() => made.close());
  return made;
}

beforeEach(async () => {
  liar = new Liar();
  embedded = await ledgerOf();
  host = await serve(embedded);
  const transactions = { kind: seenKind, identifierOf: sha256 };
  client = clientOf(host.url, toyRules(genesis), { transport: liar, transactions });
  ends.push(() => liar.close());
  for (let nonce = 1; nonce <= 4; nonce++) await client.submit(give(nonce, 1, 10));
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const altered = (field?: string) =>
  expect.objectContaining({
    code: "chain-altered",
    ...(field === undefined ? {} : { data: expect.objectContaining({ field }) }),
  });
const balance = async () => balanceOf(await client.read(balanceKind, accountKey(1)));

describe("values", () => {
  it("an altered value is refused, and an absence that is none, and a value that is none", async () => {
    liar.lie = (answer) => ({ ...answer, value: toHex(encode(99)) });
    await expect(balance()).rejects.toEqual(altered("stateRoot"));
    liar.lie = (answer) => ({ ...answer, value: null });
    await expect(balance()).rejects.toEqual(altered("stateRoot"));
    liar.lie = undefined;
    const proof = toHex((await embedded.prove(balanceKind, accountKey(1))).proof);
    liar.lie = (answer) => ({ ...answer, value: toHex(encode(40)), proof });
    await expect(client.read(balanceKind, accountKey(2))).rejects.toEqual(altered("stateRoot"));
    liar.lie = undefined;
    expect(await balance()).toBe(40);
  });

  it("another key's value, with its proof, is refused", async () => {
    await client.submit(give(9, 2, 7));
    liar.lie = (_answer, target, again) =>
      again(target.replace(/key=[0-9a-f]*/, `key=${toHex(accountKey(2))}`));
    await expect(balance()).rejects.toEqual(altered("stateRoot"));
  });

  it("a value of before, rightly proved under a block of before, is refused once a later block was seen", async () => {
    let old: Json;
    liar.lie = (answer, target) => {
      if (target.includes("/state")) old = answer;
      return answer;
    };
    expect(await balance()).toBe(40);
    await client.submit(give(5, 1, 10));
    liar.lie = () => old;
    await expect(balance()).rejects.toEqual(altered("height"));
    // A proof at a height that was asked for does not stand for another one.
    liar.lie = (_answer, target, again) => again(target.replace("height=2", "height=1"));
    await expect(client.prove(balanceKind, accountKey(1), 2)).rejects.toEqual(altered("height"));
  });

  it("an empty ledger is refused once a block was seen", async () => {
    liar.lie = (answer) => ({ ...answer, anchor: null });
    await expect(client.head()).rejects.toEqual(altered("height"));
  });
});

describe("chains", () => {
  it("another consortium's chain is refused from its first block on", async () => {
    const other = await ledgerOf({ create: toyGenesis(proposer.publicKey, "another"), rulesOf: toyRules });
    for (let nonce = 1; nonce <= 6; nonce++) await other.submit(give(nonce, 1, 10));
    liar.instead = (await serve(other)).url;
    await expect(client.head()).rejects.toEqual(altered("commit"));
    const fresh = clientOf(liar.instead, toyRules(genesis), { transport: nodeTransport() });
    await expect(fresh.head()).rejects.toEqual(altered("commit"));
  });

  it("a fork under the validator's own key is refused, shorter, as long or longer", async () => {
    const fork = await ledgerOf({ now: countingClock(1_800_000_000_000) });
    liar.instead = (await serve(fork)).url;
    for (let nonce = 1; nonce <= 6; nonce++) {
      await fork.submit(give(nonce, 1, 1000));
      await expect(client.read(balanceKind, accountKey(1))).rejects.toEqual(altered());
    }
    // It knows which blocks the client has seen and answers with the proofs of the true chain.
    const honest = nodeTransport();
    liar.lie = async (answer) => {
      const truth = await json(
        await honest.send(new URL(host.url), {
          method: "GET",
          target: "/v1/ledger/head?seen=4",
          headers: {},
        }),
      );
      return { ...answer, anchor: { ...answer.anchor, seen: truth.anchor.seen ?? "820000f6" } };
    };
    await expect(client.head()).rejects.toEqual(altered("previousHash"));
    honest.close();
    liar.lie = liar.instead = undefined;
    expect(await balance()).toBe(40);
  });

  it("a block signed by a key that is no validator's is refused, and one with a header changed", async () => {
    liar.lie = (answer) => {
      const header = fromHex(answer.anchor.header);
      header[50]! ^= 1;
      return { ...answer, anchor: { ...answer.anchor, header: toHex(header) } };
    };
    await expect(client.head()).rejects.toEqual(altered("commit"));
    const strangers = { ...toyRules(genesis), mayPropose: () => false };
    const careful = clientOf(host.url, strangers, { transport: nodeTransport() });
    await expect(careful.head()).rejects.toEqual(altered("proposer"));
  });
});

describe("lists", () => {
  it("blocks left out at the end, in the middle or at the beginning are missed", async () => {
    const blocks =
      (change: (lines: Json[]) => Json[]): Lie =>
      (answer, target) =>
        target.includes("/blocks") ? { ...answer, blocks: change(answer.blocks) } : answer;
    for (const change of [
      () => [],
      (lines: Json[]) => lines.slice(0, -1),
      (lines: Json[]) => lines.slice(1),
      (lines: Json[]) => [...lines.slice(0, 1), ...lines.slice(2)],
      (lines: Json[]) => [...lines].reverse(),
      (lines: Json[]) => [...lines, lines.at(-1)],
    ]) {
      liar.lie = blocks(change);
      await expect(all(client.blocks(1))).rejects.toEqual(altered());
    }
    liar.lie = blocks((lines) => lines.map((line) => ({ ...line, transactions: [] })));
    await expect(all(client.blocks(1))).rejects.toEqual(altered("merkleRoot"));
    liar.lie = undefined;
    expect(await all(client.blocks(1))).toHaveLength(4);
  });

  it("blocks of a fork, each signed by the validator, under the true head are refused", async () => {
    const fork = await ledgerOf({ now: countingClock(1_800_000_000_000) });
    for (let nonce = 1; nonce <= 4; nonce++) await fork.submit(give(nonce, 1, 1000));
    const lines = (await all(fork.blocks(1))).map(exportLine);
    for (const count of [4, 3, 1]) {
      liar.lie = (answer, target) =>
        target.includes("/blocks") ? { ...answer, blocks: lines.slice(0, count) } : answer;
      await expect(all(client.blocks(1, count))).rejects.toEqual(altered());
      await expect(client.block(1)).rejects.toEqual(altered());
    }
  });

  it("a transaction that is there and is said not to be is missed", async () => {
    const identifier = sha256(give(2, 1, 10));
    const absent = sha256(give(77, 1, 10));
    let absence: Json;
    liar.lie = (answer) => {
      absence = answer.absence;
      return answer;
    };
    expect(await client.transaction(absent)).toBeUndefined();
    liar.lie = (answer) => ({ ...answer, found: null, absence });
    await expect(client.transaction(identifier)).rejects.toEqual(altered("transactions"));
  });

  it("another transaction, another place, another block are refused", async () => {
    const identifier = sha256(give(2, 1, 10));
    const other = toHex(sha256(give(3, 1, 10)));
    liar.lie = (_answer, target, again) => again(target.replace(/[0-9a-f]{64}/, other));
    await expect(client.transaction(identifier)).rejects.toEqual(altered("transactions"));
    liar.lie = (answer) => ({ ...answer, found: { ...answer.found, bytes: toHex(give(2, 1, 11)) } });
    await expect(client.transaction(identifier)).rejects.toEqual(altered("merkleRoot"));
    liar.lie = (answer) => ({
      ...answer,
      found: { ...answer.found, block: { ...answer.found.block, proof: null } },
    });
    await expect(client.transaction(identifier)).rejects.toEqual(altered());
  });
});

describe("submitting", () => {
  it("a transaction that is said to be in a block and is not is noticed", async () => {
    const before = toHex(sha256(give(2, 1, 10)));
    liar.lie = async (_answer, _target, again) => {
      const { anchor, found } = await again(`/v1/ledger/transactions/${before}?seen=4`);
      return { anchor, outcomes: [{ identifier: before, found }] };
    };
    await expect(client.submit(give(11, 1, 10))).rejects.toEqual(altered("transactions"));
    liar.lie = (answer) => ({ ...answer, outcomes: [] });
    await expect(client.submit(give(12, 1, 10))).rejects.toEqual(altered("outcomes"));
  });

  it("a connection that breaks after the sending says that the outcome is unknown", async () => {
    liar.lie = () => {
      throw new Error("broken off");
    };
    await expect(client.submit(give(10, 1, 10))).rejects.toMatchObject({
      code: "ledger-unreachable",
      data: { outcome: "unknown" },
    });
    liar.lie = undefined;
    expect(await balance()).toBe(50);
  });
});

it("no byte of an answer can be changed to another meaning", async () => {
  const honest = await client.read(balanceKind, accountKey(1));
  let text = "";
  liar.lie = (answer) => {
    text = JSON.stringify(answer);
    return answer;
  };
  await client.read(balanceKind, accountKey(1));
  for (let at = 0; at < text.length; at += 3) {
    if (!/[0-9a-f]/.test(text[at]!)) continue;
    const changed = text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);
    let lie: Json;
    try {
      lie = JSON.parse(changed);
    } catch {
      continue;
    }
    liar.lie = () => lie;
    const seen = await client.read(balanceKind, accountKey(1)).catch((error) => error.code);
    expect([toHex(honest!), "chain-altered", "encoding-invalid"]).toContain(
      seen instanceof Uint8Array ? toHex(seen) : seen,
    );
  }
});

it("answers of before that come late, while others have moved on, are taken where they are of this chain", async () => {
  const reads = Array.from({ length: 20 }, (_, at) => client.read(balanceKind, accountKey(at)));
  const writes = Array.from({ length: 20 }, (_, at) => embedded.submit(give(100 + at, at, 1)));
  await Promise.all([...reads, ...writes, ...Array.from({ length: 20 }, () => client.head())]);
  let slow = true;
  liar.lie = async (answer) => {
    const mine = slow;
    slow = !slow;
    if (mine) await new Promise((resolve) => setTimeout(resolve, 30));
    return answer;
  };
  for (let round = 0; round < 5; round++) {
    const late = client.read(balanceKind, accountKey(1));
    await embedded.submit(give(200 + round, 1, 1));
    await Promise.all([late, client.head(), client.head()]);
  }
  liar.lie = undefined;
  expect(await balance()).toBe(46);
});
