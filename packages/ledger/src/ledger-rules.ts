/** The rules of one chain as machine.ts asks them: genesis, who may propose, and every kind of transaction. */
import type { Pairing } from "@chartseal/crypto";
import { apply } from "./apply.ts";
import { ClaimMemory, verifyAttributeBatch } from "./attribute-batch.ts";
import { chainIdOf, decodeGenesis, initialise } from "./genesis.ts";
import type { Rules } from "./machine.ts";
import { mayPropose, validatorKeys, validatorsInForce } from "./rules/validators.ts";
import { rememberingSignatures } from "./signature-memory.ts";

/** Claims remembered: more than wait at a node together. */
const claimsMost = 16_384;
/** Likewise; a transaction has three. */
const signaturesMost = 65_536;

/** @throws ChartsealError `encoding-invalid`, `input-invalid` for bytes that are no genesis */
export function ledgerRules(pairing: Pairing, genesisBytes: Uint8Array): Rules {
  const genesis = decodeGenesis(genesisBytes);
  const chainId = chainIdOf(genesisBytes);
  const verifiedAttributes = new ClaimMemory(claimsMost);
  const checkSignature = rememberingSignatures(signaturesMost);
  return {
    chainId,
    genesis: genesisBytes,
    createdMs: genesis.createdMs,
    initialise: (state) => initialise(state, genesis),
    mayPropose,
    validators: validatorsInForce,
    proposers: validatorKeys,
    apply: (state, { height, timestampMs }, transaction) =>
      apply(
        state,
        { chainId, height, timestampMs, pairing, verifiedAttributes, checkSignature },
        transaction,
      ),
    prepare(state, { height, timestampMs }, transactions) {
      const block = { chainId, height, timestampMs, pairing, verifiedAttributes, checkSignature };
      for (const key of verifyAttributeBatch(state, block, transactions)) verifiedAttributes.learn(key);
      return (own, _, transaction) => apply(own, block, transaction);
    },
  };
}
