/** What was ever issued in a member's name: as lines, as a proof, and a proof's check with no ledger at hand. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import {
  checkIssuance,
  type HeldHead,
  type IssuanceProof,
  type KeyOfAccount,
  parseIssuanceProof,
  proveIssuance,
} from "@chartseal/sharing";
import { type Home, memberNameOf, requireMember } from "../home/home.ts";
import { type ReadSession, seenHead } from "../services/session.ts";
import { readGiven } from "./ledger.ts";

/** A key as scripts see it. */
export function keyValue(key: KeyOfAccount): Record<string, unknown> {
  const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : toHex(bytes));
  const { keyId, requestId, account, grantId, provider, ...rest } = key;
  return {
    keyId: hex(keyId),
    requestId: hex(requestId),
    account: hex(account),
    ...rest,
    grantId: hex(grantId),
    provider: hex(provider),
  };
}

export function keyLine(key: KeyOfAccount): string {
  const { account, keyId, mode, attributes, nodes, requestedHeight, issuedHeight, retiredHeight, live } = key;
  const end = live ? "live" : retiredHeight === null ? "not retired" : `retired at ${retiredHeight}`;
  const by = nodes.length === 0 ? "" : ` by ${nodes.length === 1 ? "node" : "nodes"} ${nodes.join(", ")}`;
  const state =
    issuedHeight === null ? `asked for, never announced${by}` : `issued at ${issuedHeight}${by}, ${end}`;
  const id = keyId === null ? "-".repeat(16) : toHex(keyId).slice(0, 16);
  const whose = key.grantId === null ? "" : `, to account ${toHex(account)}`;
  return `${id}  ${mode.padEnd(9)}  requested at ${requestedHeight}, ${state}${whose}: ${attributes.join(", ")}`;
}

export interface IssuanceReport {
  readonly ok: boolean;
  readonly chainId: string;
  readonly account: string;
  /** The member's name where this home has one. */
  readonly member: string | null;
  /** The block after which everything is proved. */
  readonly height: number;
  readonly genesis: "given" | "home" | "proof";
  /** The height of the checker's own head; null where it has none. */
  readonly head: number | null;
  readonly keys: readonly KeyOfAccount[] | null;
  readonly findings: readonly { readonly kind: string; readonly height?: number; readonly detail: string }[];
}

export function issuanceReport(report: IssuanceReport): Record<string, unknown> {
  return { ...report, keys: report.keys?.map(keyValue) ?? null };
}

/** Makes the proof and checks it as a stranger would. @throws ChartsealError `member-unknown`, `input-invalid` */
export async function auditIssuance(
  { home, ledger }: ReadSession,
  name: string,
  since: readonly string[],
): Promise<{ readonly proof: IssuanceProof; readonly report: IssuanceReport }> {
  const heights = since.map((text) => {
    if (/^[0-9]{1,15}$/.test(text)) return Number(text);
    throw new ChartsealError("input-invalid", `--since takes heights of blocks, not ${JSON.stringify(text)}`);
  });
  const { account } = requireMember(home, name);
  const head = seenHead(home, name);
  const held = head === undefined ? [] : [head.height];
  const proof = await proveIssuance(ledger, fromHex(account, 20), { since: [...held, ...heights] });
  return { proof, report: await reportOf(proof, { home, account, ...(head && { head }) }) };
}

/** HEIGHT:HASH. @throws ChartsealError `input-invalid` */
export function parseHead(text: string): HeldHead {
  const [, height, hash] = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (height !== undefined && hash !== undefined) return { height: Number(height), hash: fromHex(hash, 32) };
  throw new ChartsealError("input-invalid", `--head takes HEIGHT:HASH, not ${JSON.stringify(text)}`);
}

interface Trusted {
  readonly genesis?: Uint8Array;
  readonly head?: HeldHead;
  /** Hex. */
  readonly account?: string;
  readonly home?: Home;
}

/** @throws ChartsealError `input-invalid` for what is no issuance proof */
export async function checkIssuanceFile(path: string, trusted: Trusted): Promise<IssuanceReport> {
  const what = "an issuance proof";
  if (trusted.account !== undefined && !/^[0-9a-f]{40}$/.test(trusted.account)) {
    throw new ChartsealError("input-invalid", "--account takes 40 hex digits");
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(readGiven(path, what)));
  } catch (cause) {
    if (cause instanceof ChartsealError) throw cause;
    throw new ChartsealError("input-invalid", `${path} is not ${what}`, { cause });
  }
  return await reportOf(parseIssuanceProof(json), trusted);
}

async function reportOf(proof: IssuanceProof, trusted: Trusted): Promise<IssuanceReport> {
  const { home } = trusted;
  const account = toHex(proof.account);
  const member = home === undefined ? undefined : memberNameOf(home, account);
  const head = trusted.head ?? (home && member ? seenHead(home, member) : undefined);
  const genesis = trusted.genesis ?? home?.genesis ?? proof.genesis;
  const { faults, keys } = await checkIssuance(proof, {
    genesis,
    ...(head === undefined ? {} : { head }),
    ...(trusted.account === undefined ? {} : { account: fromHex(trusted.account, 20) }),
  });
  return {
    ok: faults.length === 0,
    chainId: toHex(proof.chainId),
    account,
    member: member ?? null,
    height: proof.height,
    genesis: trusted.genesis !== undefined ? "given" : home !== undefined ? "home" : "proof",
    head: head?.height ?? null,
    keys,
    findings: faults,
  };
}
