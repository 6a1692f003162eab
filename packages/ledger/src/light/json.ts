/**
 * Light blocks as JSON. CometBFT's RPC writes hashes in upper-case hex, keys and signatures in base64, and integers of 64
 * bits as texts; ours (CONTRACT, Blocks) keeps its names and writes every byte string in lower-case hex. Both are read
 * strictly where it matters: what the hashes and signatures do not cover is not read at all.
 */
import { ChartsealError, compareBytes, fromHex, toHex } from "@chartseal/crypto";
import { cometAddress, type Vote } from "./hashes.ts";
import { formatTime, parseTime } from "./time.ts";
import type { BlockId, CometHeader, CometValidator, CommitVote, LightBlock, VoteFlag } from "./types.ts";

/** Most validators of a set. */
export const validatorsMax = 256;

const keyType = "tendermint/PubKeyEd25519";
const noVote = { validator_address: "", timestamp: "0001-01-01T00:00:00Z", signature: "" };

/** {signedHeader, validators}, as a commit of `ledger export`. */
export interface LightBlockJson {
  readonly signedHeader: { readonly header: object; readonly commit: object };
  readonly validators: readonly object[];
}

export function lightBlockJson({ signedHeader, validators }: LightBlock): LightBlockJson {
  const { header, commit } = signedHeader;
  return {
    signedHeader: {
      header: headerJson(header),
      commit: {
        height: String(commit.height),
        round: commit.round,
        block_id: blockIdJson(commit.blockId),
        signatures: commit.votes.map(voteJson),
      },
    },
    validators: validators.map(({ publicKey, power }) => ({
      address: toHex(cometAddress(publicKey)),
      pub_key: { type: keyType, value: toHex(publicKey) },
      voting_power: String(power),
    })),
  };
}

function headerJson(header: CometHeader): object {
  return {
    version: { block: String(header.version.block), app: String(header.version.app) },
    chain_id: header.chainId,
    height: String(header.height),
    time: formatTime(header.time),
    last_block_id: blockIdJson(header.lastBlockId),
    last_commit_hash: toHex(header.lastCommitHash),
    data_hash: toHex(header.dataHash),
    validators_hash: toHex(header.validatorsHash),
    next_validators_hash: toHex(header.nextValidatorsHash),
    consensus_hash: toHex(header.consensusHash),
    app_hash: toHex(header.appHash),
    last_results_hash: toHex(header.lastResultsHash),
    evidence_hash: toHex(header.evidenceHash),
    proposer_address: toHex(header.proposerAddress),
  };
}

function blockIdJson({ hash, parts }: BlockId): object {
  return { hash: toHex(hash), parts: { total: parts.total, hash: toHex(parts.hash) } };
}

function voteJson({ flag, address, time, signature }: CommitVote): object {
  if (flag === 1) return { block_id_flag: flag, ...noVote };
  return {
    block_id_flag: flag,
    validator_address: toHex(address),
    timestamp: formatTime(time),
    signature: toHex(signature),
  };
}

/** How byte strings are written. */
interface Form {
  /** Hashes and addresses. */
  bytes(text: string, size?: number): Uint8Array;
  /** Keys and signatures. */
  data(text: string, size: number): Uint8Array;
}

const ours: Form = { bytes: fromHex, data: fromHex };
const rpc: Form = {
  bytes: (text, size) => fromHex(text.toLowerCase(), size),
  data(text, size) {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw malformed();
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    if (bytes.length !== size) throw malformed();
    return bytes;
  },
};

/** From our own form. @throws ChartsealError `encoding-invalid` */
export function parseLightBlock(value: unknown): LightBlock {
  const { signedHeader, validators } = fieldsOf(value);
  return { signedHeader: signedHeaderOf(signedHeader, ours), validators: validatorsOf(validators, ours) };
}

/**
 * From CometBFT's RPC: the `signed_header` of `/commit` and the `validators` of `/validators`, all pages, in any order.
 * @throws ChartsealError `encoding-invalid`
 */
export function lightBlockOfRpc(signedHeader: unknown, validators: unknown): LightBlock {
  const set = [...validatorsOf(validators, rpc)];
  set.sort((a, b) => b.power - a.power || compareBytes(cometAddress(a.publicKey), cometAddress(b.publicKey)));
  return { signedHeader: signedHeaderOf(signedHeader, rpc), validators: set };
}

/** A header of CometBFT's RPC, as `/blockchain` and `/header` give it. */
export function cometHeaderOfRpc(value: unknown): CometHeader {
  return headerOf(value, rpc);
}

/** A vote by itself, as CometBFT's RPC shows it in evidence. @throws ChartsealError `encoding-invalid` */
export function voteOfRpc(
  value: unknown,
): Vote & { readonly address: Uint8Array; readonly signature: Uint8Array } {
  const fields = fieldsOf(value);
  const type = integerOf(fields.type);
  if (type !== 1 && type !== 2) throw malformed();
  const blockId = blockIdOf(fields.block_id, rpc);
  return {
    type,
    height: integerOf(fields.height),
    round: integerOf(fields.round),
    blockId: blockId.hash.length === 0 ? null : blockId,
    time: parseTime(textOf(fields.timestamp)),
    address: rpc.bytes(textOf(fields.validator_address), 20),
    signature: rpc.data(textOf(fields.signature), 64),
  };
}

function signedHeaderOf(value: unknown, form: Form): LightBlock["signedHeader"] {
  const fields = fieldsOf(value);
  const commit = fieldsOf(fields.commit);
  const votes = listOf(commit.signatures).map((one) => voteOf(one, form));
  return {
    header: headerOf(fields.header, form),
    commit: {
      height: integerOf(commit.height),
      round: integerOf(commit.round),
      blockId: blockIdOf(commit.block_id, form),
      votes,
    },
  };
}

function headerOf(value: unknown, form: Form): CometHeader {
  const fields = fieldsOf(value);
  const version = fieldsOf(fields.version);
  const hash = (name: string) => hashOf(fields[name], form);
  return {
    version: { block: integerOf(version.block), app: integerOf(version.app) },
    chainId: textOf(fields.chain_id),
    height: integerOf(fields.height),
    time: parseTime(textOf(fields.time)),
    lastBlockId: blockIdOf(fields.last_block_id, form),
    lastCommitHash: hash("last_commit_hash"),
    dataHash: hash("data_hash"),
    validatorsHash: hash("validators_hash"),
    nextValidatorsHash: hash("next_validators_hash"),
    consensusHash: hash("consensus_hash"),
    appHash: form.bytes(textOf(fields.app_hash)),
    lastResultsHash: hash("last_results_hash"),
    evidenceHash: hash("evidence_hash"),
    proposerAddress: form.bytes(textOf(fields.proposer_address), 20),
  };
}

/** 32 bytes, or none. */
function hashOf(value: unknown, form: Form): Uint8Array {
  const text = textOf(value);
  return form.bytes(text, text === "" ? 0 : 32);
}

function blockIdOf(value: unknown, form: Form): BlockId {
  if (value === null) return { hash: new Uint8Array(0), parts: { total: 0, hash: new Uint8Array(0) } };
  const fields = fieldsOf(value);
  const parts = fieldsOf(fields.parts ?? fields.part_set_header);
  return {
    hash: hashOf(fields.hash, form),
    parts: { total: integerOf(parts.total), hash: hashOf(parts.hash, form) },
  };
}

function voteOf(value: unknown, form: Form): CommitVote {
  const fields = fieldsOf(value);
  const flag = integerOf(fields.block_id_flag);
  if (flag < 1 || flag > 3) throw malformed();
  const time = parseTime(textOf(fields.timestamp));
  if (flag === 1) return { flag: 1, address: new Uint8Array(0), time, signature: new Uint8Array(0) };
  return {
    flag: flag as VoteFlag,
    address: form.bytes(textOf(fields.validator_address), 20),
    time,
    signature: form.data(textOf(fields.signature), 64),
  };
}

function validatorsOf(value: unknown, form: Form): readonly CometValidator[] {
  return listOf(value).map((one) => {
    const fields = fieldsOf(one);
    const key = fieldsOf(fields.pub_key);
    if (key.type !== keyType) throw malformed();
    return { publicKey: form.data(textOf(key.value), 32), power: integerOf(fields.voting_power) };
  });
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not a signed header of CometBFT with its validators");
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed();
  return value as Record<string, unknown>;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length > validatorsMax) throw malformed();
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw malformed();
  return value;
}

function integerOf(value: unknown): number {
  const number = typeof value === "string" && /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0) throw malformed();
  return number;
}
