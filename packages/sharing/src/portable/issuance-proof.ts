/**
 * The issuance proof of an account (CRYPTO §2.3; spec/7-sharing.md, Issuance): that a list of keys is all that the ledger
 * holds in the account's name, with what each one is and which vouches stood behind it. It is checked offline against a
 * genesis and a head that the checker holds. It says nothing of what t nodes make off the ledger: no ledger can; that
 * such a key is used is for the provider to refuse (provider/custody-key.ts).
 */
import { ChartsealError, equalBytes, toHex, u64 } from "@chartseal/crypto";
import { blockKind, chainIdOf, decodeHeader, fromBytes, hashHeader, type Ledger } from "@chartseal/ledger";
import { type Ask, type KeyOfAccount, keysOfAccount } from "../issued-keys.ts";
import {
  type Evidence,
  EvidenceCollector,
  type EvidenceFault,
  evidenceFaults,
  type ProvedEntry,
} from "./evidence.ts";
import { bytes, evidenceJson, fields, malformed, parseEvidence, parsing, whole } from "./evidence-json.ts";

const issuanceProofVersion = 1;

/** A block that a checker has verified: height and hash. */
export interface HeldHead {
  readonly height: number;
  readonly hash: Uint8Array;
}

export interface IssuanceProof {
  readonly chainId: Uint8Array;
  readonly genesis: Uint8Array;
  readonly account: Uint8Array;
  /** The block after which everything is proved. */
  readonly height: number;
  readonly evidence: Evidence;
}

/**
 * @param options.since heights of heads that a checker may hold: the proof shows the state's own entry for each, so that
 *   it is seen to extend them
 */
export async function proveIssuance(
  ledger: Ledger,
  account: Uint8Array,
  options: { readonly since?: readonly number[] } = {},
): Promise<IssuanceProof> {
  const { height } = await ledger.head();
  const collector = new EvidenceCollector(ledger);
  await keysOfAccount((entry, key, at = height) => collector.state(entry, key, at), account);
  for (const held of new Set(options.since)) {
    if (held > 0 && held < height) await collector.bytes(blockKind, u64(held), height);
  }
  const { chainId, genesis } = ledger;
  return { chainId, genesis, account, height, evidence: await collector.evidence() };
}

export interface CheckedIssuance {
  readonly faults: readonly EvidenceFault[];
  /** Every key ever asked for in the account's name; null where the proof does not show it. */
  readonly keys: readonly KeyOfAccount[] | null;
}

/**
 * Checks the whole of it. `trusted.account` and `trusted.head`: whose list it must be, and the latest block that the
 * checker has verified; what is not given is not asked.
 */
export async function checkIssuance(
  proof: IssuanceProof,
  trusted: { readonly genesis: Uint8Array; readonly account?: Uint8Array; readonly head?: HeldHead },
): Promise<CheckedIssuance> {
  const { genesis, account, head } = trusted;
  if (
    !equalBytes(chainIdOf(genesis), proof.chainId) ||
    !equalBytes(chainIdOf(proof.genesis), proof.chainId)
  ) {
    return refused("genesis", "the proof is of another chain than this genesis begins");
  }
  if (account !== undefined && !equalBytes(account, proof.account)) {
    return refused("account", `the proof is about account ${toHex(proof.account)}`);
  }
  const faults = [...evidenceFaults(proof.evidence, genesis), ...headFaults(proof, head)];
  try {
    const keys = await keysOfAccount(asked(proof), proof.account);
    return { faults: [...faults, ...keys.flatMap(vouchFaults)], keys: faults.length === 0 ? keys : null };
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code === "defect") throw error;
    return { faults: [...faults, { kind: "keys", detail: error.message }], keys: null };
  }
}

function refused(kind: EvidenceFault["kind"], detail: string): CheckedIssuance {
  return { faults: [{ kind, detail }], keys: null };
}

/** The walk over the proof's entries: what the maker did not show was left out. */
function asked({ evidence, height: head }: IssuanceProof): Ask {
  const held = new Map(evidence.states.map((state) => [placeOf(state), state.value]));
  return async ({ kind, codec }, key, height = head) => {
    const value = held.get(placeOf({ kind, key, height }));
    if (value === undefined) {
      throw new ChartsealError(
        "chain-altered",
        `an entry of kind ${kind} was left out after block ${height}`,
      );
    }
    return value === null ? undefined : fromBytes(codec, value);
  };
}

function placeOf({ kind, key, height }: Pick<ProvedEntry, "kind" | "key" | "height">): string {
  return `${kind} ${height} ${toHex(key)}`;
}

/** That the proof's block is the head that the checker holds, or extends it. */
function headFaults({ evidence, height }: IssuanceProof, head: HeldHead | undefined): EvidenceFault[] {
  if (head === undefined || head.height === 0) return [];
  const fault = (detail: string): EvidenceFault[] => [{ kind: "head", height, detail }];
  if (height < head.height) {
    return fault(`the proof is of block ${height}, older than block ${head.height} that is known`);
  }
  if (height === head.height) {
    const found = evidence.blocks
      .map(({ header }) => decodeHeader(header))
      .find((one) => one.height === height);
    const same = found !== undefined && equalBytes(hashHeader(found), head.hash);
    return same ? [] : fault("the proof's block is not the one that is known");
  }
  const place = placeOf({ kind: blockKind, key: u64(head.height), height });
  const held = evidence.states.find((state) => placeOf(state) === place)?.value;
  if (held === undefined) return fault(`the proof does not show that it extends block ${head.height}`);
  const same = held !== null && equalBytes(held, head.hash);
  return same ? [] : fault(`the proof's chain does not extend block ${head.height} that is known`);
}

function vouchFaults({ requestId, requestedHeight, vouches }: KeyOfAccount): EvidenceFault[] {
  return vouches
    .filter(({ height }) => height === null)
    .map(({ attribute }) => ({
      kind: "keys",
      height: requestedHeight,
      detail: `no vouch for ${attribute} stood behind request ${toHex(requestId)}`,
    }));
}

/** {version, chainId, genesis, account, height, blocks, transactions, states} */
export function issuanceProofJson({ chainId, genesis, account, height, evidence }: IssuanceProof): unknown {
  return {
    version: issuanceProofVersion,
    kind: "issuance",
    chainId: toHex(chainId),
    genesis: toHex(genesis),
    account: toHex(account),
    height,
    ...evidenceJson(evidence),
  };
}

/** @throws ChartsealError `input-invalid` for what is no proof of this form */
export function parseIssuanceProof(json: unknown): IssuanceProof {
  return parsing("an issuance proof of version 1", () => {
    const value = fields(json);
    if (value.version !== issuanceProofVersion || value.kind !== "issuance") throw malformed();
    return {
      chainId: bytes(value.chainId, 32),
      genesis: bytes(value.genesis),
      account: bytes(value.account, 20),
      height: whole(value.height),
      evidence: parseEvidence(value),
    };
  });
}
