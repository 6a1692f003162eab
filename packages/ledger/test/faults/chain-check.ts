/**
 * What must hold after every fault: nothing acknowledged is lost, no two nodes hold different blocks at a height, and no
 * transaction is in a chain twice. It is told of what nodes hold and of what was said, and knows no network.
 */
import { sha256, toHex } from "@chartseal/crypto";
import type { Ledger, Submitted } from "../../src/index.ts";

/** A block as a node holds it. */
export interface Held {
  readonly height: number;
  readonly hash: string;
  readonly stateRoot: string;
  /** SHA-256 of each transaction's bytes. */
  readonly transactions: readonly string[];
}

/** A block of CometBFT as its node holds it. */
export interface CometHeld {
  readonly height: number;
  readonly hash: string;
  readonly appHash: string;
  /** Milliseconds since 1970, by CometBFT's header. */
  readonly timeMs: number;
}

export interface Chain {
  readonly node: string;
  /** From one height on, all that there are. */
  readonly blocks: readonly Held[];
  readonly comet: readonly CometHeld[];
}

export interface Findings {
  /** Acknowledged transactions that a node does not hold where it was said. */
  readonly lost: readonly string[];
  /** Heights at which two nodes hold different blocks. */
  readonly forks: readonly string[];
  readonly twice: readonly string[];
}

/** @param from the chains' first height: what was acknowledged below is not looked for */
export function findings(chains: readonly Chain[], said: readonly Submitted[], from = 1): Findings {
  const ours = chains.map(({ node, blocks }) => ({ node, blocks }));
  const comets = chains.map(({ node, comet }) => ({ node: `CometBFT of ${node}`, blocks: comet }));
  return {
    lost: chains.flatMap((chain) => lostOf(chain, said, from)),
    forks: [
      ...forksOf(ours, ({ hash, stateRoot }) => `${hash} root ${stateRoot}`),
      ...forksOf(comets, ({ hash, appHash }) => `${hash} app hash ${appHash}`),
    ],
    twice: chains.flatMap(({ node, blocks }) => {
      const seen = new Set<string>();
      const again = (one: string) => seen.size === seen.add(one).size;
      return blocks.flatMap(({ height, transactions }) =>
        transactions.filter(again).map((one) => `${node} holds ${one} again in block ${height}`),
      );
    }),
  };
}

function lostOf({ node, blocks }: Chain, said: readonly Submitted[], from: number): string[] {
  const at = new Map(blocks.map((block) => [block.height, block]));
  return said.flatMap(({ height, index, identifier, blockHash }) => {
    if (height < from) return [];
    const block = at.get(height);
    const there = block?.hash === toHex(blockHash) && block.transactions[index] === toHex(identifier);
    return there ? [] : [`${node} lacks ${toHex(identifier)} at ${height}:${index}`];
  });
}

function forksOf<B extends { readonly height: number }>(
  chains: readonly { readonly node: string; readonly blocks: readonly B[] }[],
  text: (block: B) => string,
): string[] {
  const first = new Map<number, { node: string; text: string }>();
  return chains.flatMap(({ node, blocks }) =>
    blocks.flatMap((block) => {
      const before = first.get(block.height);
      if (before === undefined) first.set(block.height, { node, text: text(block) });
      if (before === undefined || before.text === text(block)) return [];
      return [`at ${block.height} ${before.node} holds ${before.text}, ${node} ${text(block)}`];
    }),
  );
}

/** What a ledger holds from a height on, each block checked by the ledger as it is read. */
export async function heldBy(ledger: Ledger, from: number): Promise<Held[]> {
  const held: Held[] = [];
  for await (const { header, hash, transactions } of ledger.blocks(from)) {
    const { height, stateRoot } = header;
    const keys = transactions.map((one) => toHex(sha256(one)));
    held.push({ height, hash: toHex(hash), stateRoot: toHex(stateRoot), transactions: keys });
  }
  return held;
}

const metasAPage = 20;

interface Meta {
  readonly block_id: { readonly hash: string };
  readonly header: { readonly height: string; readonly app_hash: string; readonly time: string };
}

/** A node's answer to a GET of its RPC. */
export async function askNode(url: string): Promise<unknown> {
  const get = () => fetch(url, { signal: AbortSignal.timeout(10_000) });
  // Once more: the first may meet a connection that was kept from before the node was begun again.
  const response = await get().catch(get);
  return ((await response.json()) as { result?: unknown }).result;
}

/** CometBFT's own blocks from a height on. @param url of the node's RPC */
export async function cometHeldBy(url: string, from: number): Promise<CometHeld[]> {
  const held: CometHeld[] = [];
  for (let low = Math.max(1, from), last = low; low <= last; low += metasAPage) {
    const range = `minHeight=${low}&maxHeight=${low + metasAPage - 1}`;
    const answer = (await askNode(`${url}/blockchain?${range}`)) as
      | { last_height: string; block_metas: Meta[] }
      | undefined;
    if (answer === undefined) break;
    last = Number(answer.last_height);
    const metas = [...answer.block_metas].sort((a, b) => Number(a.header.height) - Number(b.header.height));
    for (const { block_id: id, header } of metas) {
      const { height, app_hash: appHash, time } = header;
      held.push({ height: Number(height), hash: id.hash, appHash, timeMs: Date.parse(time) });
    }
  }
  return held;
}
