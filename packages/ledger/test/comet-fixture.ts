/** Signed headers as CometBFT v0.38 makes them, with keys of our own: what the tests of light verification follow and forge. */
import { createPrivateKey, sign as nodeSign } from "node:crypto";
import { compareBytes, ed25519KeyPairFromSeed, sha256, toHex, utf8 } from "@chartseal/crypto";
import { cometAddress, cometHeaderHash, validatorsHash, voteBytes, voteTypes } from "../src/light/hashes.ts";
import type {
  BlockId,
  CometHeader,
  CometTime,
  CometValidator,
  CommitVote,
  LightBlock,
} from "../src/light/types.ts";

export interface CometKey {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly power: number;
}

export function cometKey(label: string, power = 10): CometKey {
  const seed = sha256(utf8(`comet ${label}`));
  return { seed, publicKey: ed25519KeyPairFromSeed(seed).publicKey, power };
}

/** In CometBFT's order: falling power, then rising address. */
export function cometSet(keys: readonly CometKey[]): CometKey[] {
  return [...keys].sort(
    (a, b) => b.power - a.power || compareBytes(cometAddress(a.publicKey), cometAddress(b.publicKey)),
  );
}

const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** An Ed25519 signature over exactly these bytes, as CometBFT's own code makes it. */
export function signRaw(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: "der", type: "pkcs8" });
  return new Uint8Array(nodeSign(null, message, key));
}

export function voteOf(
  chainId: string,
  key: CometKey,
  vote: { height: number; round: number; blockId: BlockId | null; time: CometTime },
): CommitVote {
  const signature = signRaw(key.seed, voteBytes(chainId, { type: voteTypes.precommit, ...vote }));
  const flag = vote.blockId === null ? 3 : 2;
  return { flag, address: cometAddress(key.publicKey), time: vote.time, signature };
}

export const absentVote: CommitVote = {
  flag: 1,
  address: new Uint8Array(0),
  time: { seconds: -62_135_596_800, nanos: 0 },
  signature: new Uint8Array(0),
};

export interface Wanted {
  readonly chainId: string;
  readonly height: number;
  readonly validators: readonly CometKey[];
  readonly next?: readonly CometKey[];
  readonly appHash?: Uint8Array;
  readonly seconds?: number;
  readonly round?: number;
  /** Who signs; default all. */
  readonly signers?: readonly CometKey[];
  readonly changes?: Partial<CometHeader>;
}

const plain = (keys: readonly CometKey[]): CometValidator[] =>
  cometSet(keys).map(({ publicKey, power }) => ({ publicKey, power }));

/** A header of that height, signed. */
export function lightBlock(wanted: Wanted): LightBlock {
  const { chainId, height, round = 0 } = wanted;
  const validators = plain(wanted.validators);
  const time = { seconds: wanted.seconds ?? 1_700_000_000 + height, nanos: 5 };
  const filler = (name: string) => sha256(utf8(name));
  const header: CometHeader = {
    version: { block: 11, app: 1 },
    chainId,
    height,
    time,
    lastBlockId: { hash: filler(`last ${height}`), parts: { total: 1, hash: filler(`parts ${height}`) } },
    lastCommitHash: filler("last commit"),
    dataHash: filler("data"),
    validatorsHash: validatorsHash(validators),
    nextValidatorsHash: validatorsHash(plain(wanted.next ?? wanted.validators)),
    consensusHash: filler("consensus"),
    appHash: wanted.appHash ?? filler("app"),
    lastResultsHash: filler("results"),
    evidenceHash: filler("evidence"),
    proposerAddress: cometAddress(validators[0]!.publicKey),
    ...wanted.changes,
  };
  const blockId = { hash: cometHeaderHash(header), parts: { total: 1, hash: filler(`own parts ${height}`) } };
  const signers = new Set((wanted.signers ?? wanted.validators).map(({ publicKey }) => toHex(publicKey)));
  const votes = cometSet(wanted.validators).map((key) =>
    signers.has(toHex(key.publicKey)) ? voteOf(chainId, key, { height, round, blockId, time }) : absentVote,
  );
  return { signedHeader: { header, commit: { height, round, blockId, votes } }, validators };
}
