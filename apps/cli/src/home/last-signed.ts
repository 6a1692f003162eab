/**
 * What a validator signed last, as CometBFT keeps it in comet/data/priv_validator_state.json: it signs nothing at or before
 * that height, round and step again. The one file of a node that the others do not have, and that must never go back.
 */
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { readJson, readSmallFile, writeSmallFile } from "./files.ts";
import type { HomePaths } from "./paths.ts";

export interface LastSigned {
  readonly height: bigint;
  readonly round: number;
  /** 1: a proposal, 2: a prevote, 3: a precommit; 0 for nothing. */
  readonly step: number;
  /** The whole file: what was signed stands in it too, to be sent again. */
  readonly bytes: Uint8Array;
}

const fileName = "priv_validator_state.json";

/** Below the folder of a node. */
export function nodeData({ comet }: Pick<HomePaths, "comet">): string {
  return join(comet, "data");
}

/** In a folder `data` of a node; undefined where there is none. @throws ChartsealError `chain-altered` where it is damaged */
export function readLastSigned(data: string): LastSigned | undefined {
  const path = join(data, fileName);
  const bytes = readSmallFile(path);
  if (bytes === undefined) return undefined;
  const value = readJson(path);
  const { height, round, step } = (typeof value === "object" && value !== null ? value : {}) as Readonly<
    Record<string, unknown>
  >;
  const isSound =
    typeof height === "string" && /^\d{1,19}$/.test(height) && isSmall(round, 2 ** 31) && isSmall(step, 4);
  if (!isSound) {
    throw new ChartsealError("chain-altered", `${path} is damaged: it says what the validator signed last`, {
      hint: "Restore the institution from a backup.",
    });
  }
  return { height: BigInt(height), round: Number(round), step: Number(step), bytes };
}

const isSmall = (value: unknown, below: number): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) < below;

/** The last of them by height, round and step. */
export function newestSigned(all: readonly (LastSigned | undefined)[]): LastSigned | undefined {
  return all.reduce((last, one) => {
    if (one === undefined || last === undefined) return last ?? one;
    return isNewer(one, last) ? one : last;
  }, undefined);
}

function isNewer(one: LastSigned, than: LastSigned): boolean {
  if (one.height !== than.height) return one.height > than.height;
  if (one.round !== than.round) return one.round > than.round;
  return one.step > than.step;
}

export function writeLastSigned(data: string, { bytes }: LastSigned): void {
  writeSmallFile(join(data, fileName), bytes);
}
