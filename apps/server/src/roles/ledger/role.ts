/**
 * The ledger role: heads, state, transactions and blocks with their proofs, for anybody; transactions in, for anybody
 * whose transaction the rules take. Waiting for the next block is a long poll.
 */
import { ChartsealError, fromHex, hasCode, toHex } from "@chartseal/crypto";
import { entries, type Ledger, type StateKind, type Submitted, transactionBytesMax } from "@chartseal/ledger";
import { z } from "zod";
import { problemOf } from "../../host/problem-reply.ts";
import type { Role, RoleApp } from "../../host/role.ts";
import { hexOf, hexUpTo } from "../../wire.ts";
import { AnswerAt } from "./answers.ts";
import { type AskNode, addLightRpc } from "./light-rpc.ts";
import { blocksAnswer, headAnswer, stateAnswer, submitAnswer, transactionAnswer } from "./wire.ts";

export interface LedgerRoleOptions {
  readonly ledger: Ledger;
  /** The state kind whose keys are the identifiers of all transactions; default: the ledger's own. */
  readonly transactionKind?: StateKind;
  /** What GET /health says of the engine beside the ledger's own; what it throws is shown by its code. */
  readonly engineHealth?: () => Promise<Readonly<Record<string, string | number | boolean>>>;
  /** The CometBFT node, where there is one: its headers are shown to light clients. */
  readonly askNode?: AskNode;
}

/** Transactions in one request, and the longest wait for a block. */
export const submitCountMax = 64;
export const waitMsMax = 25_000;
/** Long polls at once: each holds a connection. */
const waitersMax = 256;

const height = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const seen = height.default(0).describe("the height that the client has verified");

export function ledgerRole(options: LedgerRoleOptions): Role {
  const { ledger, transactionKind = entries.transaction.kind, engineHealth, askNode } = options;
  const stopping = new AbortController();
  return {
    name: "ledger",
    register(app) {
      addHead(app, ledger, stopping.signal);
      addState(app, ledger);
      addTransactions(app, ledger, transactionKind);
      addBlocks(app, ledger);
      addSubmit(app, ledger);
      if (askNode !== undefined) addLightRpc(app, askNode);
    },
    async health() {
      const head = await ledger.head();
      const own = { chainId: toHex(ledger.chainId), height: head.height, hash: toHex(head.hash) };
      return { ...own, ...(await engineHealth?.()) };
    },
    measures: async () => {
      const { height, timestampMs } = await ledger.head();
      return { height, head_timestamp_seconds: timestampMs / 1000 };
    },
    stop: async () => stopping.abort(),
  };
}

function addHead(app: RoleApp, ledger: Ledger, stopping: AbortSignal): void {
  const genesis = { chainId: hexOf(32), genesis: hexUpTo(1024 * 1024) };
  app.get(
    "/genesis",
    {
      config: { access: "open" },
      schema: { summary: "The genesis", response: { 200: z.strictObject(genesis) } },
    },
    async () => ({ chainId: toHex(ledger.chainId), genesis: toHex(ledger.genesis) }),
  );
  const schema = {
    summary: "The head; with `after`, once it is above that height, or after `wait` ms",
    querystring: z.strictObject({
      seen,
      after: height.optional(),
      wait: z.coerce.number().int().min(0).max(waitMsMax).default(0),
    }),
    response: { 200: headAnswer },
  };
  let waiters = 0;
  app.get("/head", { config: { access: "open" }, schema }, async (request) => {
    const { after, wait } = request.query;
    if (after !== undefined && wait > 0) {
      if (waiters >= waitersMax) throw new ChartsealError("rate-limited", "too many wait for the next block");
      waiters++;
      try {
        const gone = new AbortController();
        request.raw.once("close", () => gone.abort());
        await nextBlock(ledger, after, AbortSignal.any([stopping, gone.signal, AbortSignal.timeout(wait)]));
      } finally {
        waiters--;
      }
    }
    const at = await AnswerAt.head(ledger, request.query.seen);
    return { anchor: await at.anchor() };
  });
}

/** Resolves when there is a block above that height, or the signal aborts. */
async function nextBlock(ledger: Ledger, after: number, signal: AbortSignal): Promise<void> {
  for await (const _block of ledger.watch(after + 1, signal)) return;
}

function addState(app: RoleApp, ledger: Ledger): void {
  const schema = {
    summary: "A value of the state, or its absence, proved at the head or at a height",
    querystring: z.strictObject({
      kind: z.coerce.number().int().min(0).max(255),
      key: hexUpTo(1024).default(""),
      height: height.optional(),
      seen,
    }),
    response: { 200: stateAnswer },
  };
  app.get("/state", { config: { access: "open" }, schema }, async (request) => {
    const { kind, key, height: wanted } = request.query;
    const at = await AnswerAt.head(ledger, request.query.seen);
    return await at.state(kind, fromHex(key), wanted);
  });
}

function addTransactions(app: RoleApp, ledger: Ledger, kind: StateKind): void {
  const schema = {
    summary: "A transaction by its identifier, with its place in its block",
    params: z.strictObject({ identifier: hexOf(32) }),
    querystring: z.strictObject({ seen }),
    response: { 200: transactionAnswer },
  };
  app.get("/transactions/:identifier", { config: { access: "open" }, schema }, async (request) => {
    const at = await AnswerAt.head(ledger, request.query.seen);
    return await at.transaction(fromHex(request.params.identifier, 32), kind);
  });
}

function addBlocks(app: RoleApp, ledger: Ledger): void {
  const schema = {
    summary: "Blocks from a height on, as lines of `ledger export`: as many as one answer holds",
    querystring: z.strictObject({ from: height, to: height.default(Number.MAX_SAFE_INTEGER), seen }),
    response: { 200: blocksAnswer },
  };
  app.get("/blocks", { config: { access: "open" }, schema }, async (request) => {
    const at = await AnswerAt.head(ledger, request.query.seen);
    return await at.blocks(request.query.from, request.query.to);
  });
}

function addSubmit(app: RoleApp, ledger: Ledger): void {
  const schema = {
    summary: "Transactions, taken in their order; answered when each is in a block or refused",
    querystring: z.strictObject({ seen }),
    body: z.strictObject({ transactions: z.array(hexUpTo(transactionBytesMax)).min(1).max(submitCountMax) }),
    response: { 200: submitAnswer },
  };
  const bodyLimit = 2 * submitCountMax * transactionBytesMax + 4_096;
  app.post("/transactions", { config: { access: "open", cost: 5 }, bodyLimit, schema }, async (request) => {
    const submitted = request.body.transactions.map((one) => settle(ledger.submit(fromHex(one))));
    const settled = await Promise.all(submitted);
    const at = await AnswerAt.head(ledger, request.query.seen);
    const outcomes = await Promise.all(settled.map((one) => outcomeOf(ledger, at, one)));
    return { anchor: await at.anchor(), outcomes };
  });
}

type Settled = { readonly submitted: Submitted } | { readonly error: unknown };

async function settle(submitting: Promise<Submitted>): Promise<Settled> {
  try {
    return { submitted: await submitting };
  } catch (error) {
    return { error };
  }
}

async function outcomeOf(
  ledger: Ledger,
  at: AnswerAt,
  settled: Settled,
): Promise<z.output<typeof submitAnswer>["outcomes"][number]> {
  if ("error" in settled) {
    if (!hasCode(settled.error, "transaction-refused") && problemOf(settled.error).status >= 500)
      throw settled.error;
    return { problem: { ...problemOf(settled.error) } };
  }
  const { identifier } = settled.submitted;
  const found = await ledger.transaction(identifier);
  if (found === undefined)
    throw new ChartsealError("defect", "the ledger took a transaction and does not find it");
  return { identifier: toHex(identifier), found: await at.found(found) };
}
