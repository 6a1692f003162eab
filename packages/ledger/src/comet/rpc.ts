/**
 * What is asked of a CometBFT node, by JSON-RPC over HTTP: to take a transaction, and the signed header of a height with
 * its validators. Nothing it says is believed unchecked but that it took a transaction.
 */
import { ChartsealError } from "@chartseal/crypto";
import type { CometCommit } from "../commit.ts";
import { lightBlockOfRpc } from "../light/json.ts";

const answerMsMax = 10_000;
/** The largest answer that is asked for is a block with its evidence, in base64. */
const answerBytesMax = 16 * 1024 * 1024;
const validatorsAPage = 100;

/** Most transactions of one message; the node's `max_request_batch_size` is not less. */
export const broadcastMax = 64;

/** `held`: the node has, or had, these bytes already. */
export type Taken = "taken" | "held" | { readonly reason: string };

/** One of the two, as JSON-RPC has it. */
export interface RpcAnswer {
  readonly result?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly data?: unknown };
}

interface Answer extends RpcAnswer {
  readonly id?: unknown;
}

/** A body whole, where it is no longer than that; a server that others run may send without end. */
async function textOf({ body }: Response, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function said({ error }: Answer): string {
  return String(error?.data ?? error?.message ?? "");
}

function resultOf(method: string, answer: Answer): Record<string, unknown> {
  if (typeof answer.result === "object" && answer.result !== null) {
    return answer.result as Record<string, unknown>;
  }
  const data = { method, answer: said(answer) };
  throw new ChartsealError("ledger-unreachable", "the CometBFT node refuses to answer", { data });
}

/** Of one answer. */
export interface RpcLimits {
  readonly msMax: number;
  readonly bytesMax: number;
}

export class CometRpc {
  readonly #url: string;
  readonly #limits: RpcLimits;

  /** @param url e.g. http://127.0.0.1:26657 */
  constructor(url: string, limits: Partial<RpcLimits> = {}) {
    this.#url = url;
    this.#limits = { msMax: answerMsMax, bytesMax: answerBytesMax, ...limits };
  }

  /** Several calls in one message, answered in order. @throws ChartsealError `ledger-unreachable` */
  async #calls(method: string, parameters: readonly object[]): Promise<readonly Answer[]> {
    const calls = parameters.map((params, id) => ({ jsonrpc: "2.0", id, method, params }));
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(calls.length === 1 ? calls[0] : calls),
        signal: AbortSignal.timeout(this.#limits.msMax),
      });
      const answer: unknown = JSON.parse(await textOf(response, this.#limits.bytesMax));
      const answers = Array.isArray(answer) ? (answer as Answer[]) : [answer as Answer];
      return calls.map(({ id }) => answers.find((one) => one.id === id) ?? answers[0] ?? {});
    } catch (error) {
      throw new ChartsealError("ledger-unreachable", "the CometBFT node does not answer", { cause: error });
    }
  }

  /** One call and its answer as it is, a refusal too. @throws ChartsealError `ledger-unreachable` */
  async ask(method: string, parameters: object): Promise<RpcAnswer> {
    const [{ result, error } = {}] = await this.#calls(method, [parameters]);
    return error === undefined || error === null ? { result } : { error };
  }

  async #call(method: string, parameters: object): Promise<Record<string, unknown>> {
    const [answer] = await this.#calls(method, [parameters]);
    return resultOf(method, answer ?? {});
  }

  /**
   * Hands transactions to the node, in this order, and does not wait for its application's word: that is beside us, and
   * CometBFT asks it about many at once only where nobody waits for one.
   * @throws ChartsealError `ledger-unreachable`, and then any of them may have been taken
   */
  async broadcast(transactions: readonly Uint8Array[]): Promise<readonly Taken[]> {
    const parameters = transactions.map((one) => ({ tx: Buffer.from(one).toString("base64") }));
    const answers = await this.#calls("broadcast_tx_async", parameters);
    return answers.map((answer): Taken => {
      if (answer.error === undefined) return "taken";
      return /already exists in cache/.test(said(answer)) ? "held" : { reason: said(answer) };
    });
  }

  /** The signed header of a height with its validators. */
  async lightBlock(height: number): Promise<CometCommit> {
    const { signed_header: signedHeader } = await this.#call("commit", { height: String(height) });
    const validators: unknown[] = [];
    for (let page = 1; ; page++) {
      const asked = { height: String(height), page: String(page), per_page: String(validatorsAPage) };
      const { validators: some, total } = await this.#call("validators", asked);
      validators.push(...(Array.isArray(some) ? some : []));
      if (validators.length >= Number(total) || !Array.isArray(some) || some.length === 0) break;
    }
    return lightBlockOfRpc(signedHeader, validators);
  }

  /** The height of the newest header, by the one call that light clients use too. */
  async newestHeight(): Promise<number> {
    const { signed_header: signedHeader } = await this.#call("commit", {});
    const { header } = signedHeader as { readonly header?: { readonly height?: unknown } };
    return Number(header?.height);
  }

  /** The `evidence` of a block, as `equivocationsOfRpc` reads it. */
  async evidence(height: number): Promise<unknown> {
    const { block } = await this.#call("block", { height: String(height) });
    return (block as { readonly evidence?: unknown } | undefined)?.evidence;
  }

  /** How far the node is, and whether it is still catching up. */
  async status(): Promise<{ height: number; catchingUp: boolean; chainId: string; nodeId: string }> {
    const { sync_info: sync, node_info: node } = await this.#call("status", {});
    const { latest_block_height: height, catching_up: catchingUp } = sync as Record<string, unknown>;
    const { network, id } = node as Record<string, unknown>;
    return {
      height: Number(height),
      catchingUp: catchingUp === true,
      chainId: String(network),
      nodeId: String(id),
    };
  }

  /** How many nodes this one is connected to. */
  async peers(): Promise<number> {
    return Number((await this.#call("net_info", {})).n_peers);
  }
}
