/**
 * The genesis: deterministic CBOR [version, suite, consortium name, created ms, parameters, [[validator key 32, stake]
 * …], [provider key 32 …], [authority node key 32 …], n, t] (CONTRACT, Blocks). Its hash is the chain id. The committee's
 * public keys are not in it and nobody claims them: rules/keygen.ts computes them.
 */
import { ChartsealError, equalBytes, fixed, hash } from "@chartseal/crypto";
import { accountOf } from "./authorisation.ts";
import { bytesOf, fromBytes, listOf, struct, text, toBytes, uint, type ValueOf } from "./codec.ts";
import type { StateAccess } from "./state.ts";
import { emptyKey, entries, load, type Parameters, parametersCodec, roles, save } from "./state-kinds.ts";

const key = bytesOf(32);
const genesisCodec = struct({
  version: uint,
  suite: uint,
  name: text(128),
  createdMs: uint,
  parameters: parametersCodec,
  validators: listOf(struct({ publicKey: key, stake: uint }), 256),
  providers: listOf(key, 64),
  nodes: listOf(key, 64),
  nodeCount: uint,
  threshold: uint,
});

/** BLS12-381, FABEO, attribute-based signatures, AES-256-GCM, SHA-256, Ed25519, X25519: all that version 1 has. */
export const suite = 1;

export type Genesis = ValueOf<typeof genesisCodec>;

export const defaultParameters: Parameters = {
  grantLifetimeMs: 10 * 60_000,
  relayPerMinute: 100,
  validityMs: 60 * 60_000,
  keygenRoundMs: 10 * 60_000,
  emergencyAttributes: [],
};

/** @throws ChartsealError `input-invalid` for a consortium that cannot work */
export function encodeGenesis(genesis: Omit<Genesis, "version" | "suite" | "nodeCount">): Uint8Array {
  const whole = { ...genesis, version: 1, suite, nodeCount: genesis.nodes.length };
  check(whole);
  return toBytes(genesisCodec, whole);
}

/** @throws ChartsealError `encoding-invalid`; `input-invalid` for a consortium that cannot work */
export function decodeGenesis(bytes: Uint8Array): Genesis {
  const genesis = fromBytes(genesisCodec, bytes);
  check(genesis);
  return genesis;
}

function check(genesis: Genesis): void {
  const { version, validators, nodes, nodeCount, threshold, providers } = genesis;
  const distinct = [validators.map(({ publicKey }) => publicKey), nodes, providers].every((keys) =>
    keys.every((one, at) => keys.findIndex((other) => equalBytes(one, other)) === at),
  );
  const stakes = validators.reduce((sum, { stake }) => sum + stake, 0);
  if (version !== 1 || genesis.suite !== suite) {
    throw new ChartsealError("encoding-invalid", "a genesis of an unknown version or suite");
  }
  const staked = validators.length > 0 && validators.every(({ stake }) => stake > 0);
  if (!distinct || !staked || !Number.isSafeInteger(3 * stakes)) {
    throw new ChartsealError("input-invalid", "a genesis needs distinct keys and validators with stake");
  }
  if (nodeCount !== nodes.length || threshold < 1 || threshold > nodeCount) {
    throw new ChartsealError("input-invalid", "a genesis needs n authority nodes and 1 ≤ t ≤ n");
  }
}

/** SHA-256("chartseal-v1/ledger/genesis\0" ‖ genesis), 32 bytes. */
export function chainIdOf(genesis: Uint8Array): Uint8Array {
  return hash("ledger/genesis", fixed(genesis));
}

/** The state before block 1: consortium, validators, and an account for every authority node and provider. */
export function initialise(state: StateAccess, genesis: Genesis): void {
  const { name, createdMs, parameters, validators, providers, nodes, threshold } = genesis;
  save(state, entries.validators, emptyKey, validators);
  const accounts = nodes.map(accountOf);
  save(state, entries.consortium, emptyKey, {
    name,
    createdMs,
    parameters,
    providers,
    nodes: accounts,
    threshold,
  });
  for (const publicKey of nodes) addRole(state, publicKey, roles.node);
  for (const publicKey of providers) addRole(state, publicKey, 0);
}

function addRole(state: StateAccess, publicKey: Uint8Array, role: number): void {
  const account = accountOf(publicKey);
  const before = load(state, entries.account, account);
  const value = { publicKey, hpkeKey: null, sequence: 0, height: 0, roles: (before?.roles ?? 0) | role };
  save(state, entries.account, account, value);
}
