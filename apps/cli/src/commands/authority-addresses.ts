/** Authority nodes as they are written on a command line: KEY=URL, the public key in hex and the node's address. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import type { AuthorityAddress } from "../services/authority-nodes.ts";

/** An option that may stand several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** @throws ChartsealError `input-invalid` */
export function parseAddress(option: string, text: string): AuthorityAddress {
  const at = text.indexOf("=");
  const url = at < 0 ? undefined : parseUrl(text.slice(at + 1));
  if (url !== undefined) return { publicKey: parseNodeKey(option, text.slice(0, at)), url };
  throw new ChartsealError("input-invalid", `${option} takes KEY=URL, not ${JSON.stringify(text)}`, {
    hint: "The key is what chartseal authority init prints, the address what authority serve does.",
  });
}

/** @throws ChartsealError `input-invalid` */
export function parseNodeKey(option: string, text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, 32);
  throw new ChartsealError("input-invalid", `${option} names a node by its public key, 64 hex digits`);
}

/** The origin of an http or https address, or undefined. */
export function parseUrl(text: string): string | undefined {
  try {
    const { protocol, origin, pathname, search } = new URL(text);
    const plain = (protocol === "http:" || protocol === "https:") && pathname === "/" && search === "";
    return plain ? origin : undefined;
  } catch {
    return undefined;
  }
}

/** @throws ChartsealError `input-invalid` for a node twice */
export function checkDistinct(option: string, nodes: readonly { readonly publicKey: Uint8Array }[]): void {
  if (new Set(nodes.map(({ publicKey }) => toHex(publicKey))).size === nodes.length) return;
  throw new ChartsealError("input-invalid", `${option} names a node twice`);
}
