/** ledger: the genesis, the chain and inclusion receipts, for strangers. Reads only; no passphrase. */
import { ChartsealError, fromHex, isFamily, toHex } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import { proveRecord, recordProofJson, type Trust } from "@chartseal/sharing";
import type { Command } from "commander";
import { homeExists, homeFolder, parseRecordId } from "../home/home.ts";
import {
  checkProof,
  doesNotHold,
  exportChain,
  type ProofReport,
  readGenesisFile,
  writeLine,
} from "../operations/ledger.ts";
import { checkDestination, deliverText } from "../operations/output-file.ts";
import { failureBody, failureLine } from "../output.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { reading } from "../run.ts";
import { openForReading } from "../services/session.ts";
import { example } from "./shared.ts";

export function addLedgerCommands(program: Command): void {
  const group = program.command("ledger").description("the chain, for strangers: genesis, export, receipts");
  addGenesis(group);
  addExport(group);
  addProve(group);
  addCheck(group);
}

function addGenesis(group: Command): void {
  const command = group
    .command("genesis")
    .description("the chain's id and genesis, in hex")
    .action(async () => {
      const globals = globalsOf(command);
      const value = await reading(globals, async ({ ledger }) => ({
        chainId: toHex(ledger.chainId),
        genesis: toHex(ledger.genesis),
      }));
      globals.output.value(value, `chain    ${value.chainId}\ngenesis  ${value.genesis}`);
    });
  example(command, "chartseal ledger genesis --json");
}

function addExport(group: Command): void {
  const command = group
    .command("export")
    .description("every block, one JSON line each: header, hash, transactions, commit")
    .action(async () => {
      await reading(globalsOf(command), ({ ledger }) => exportChain(ledger, writeLine));
    });
  example(command, "chartseal ledger export > chain.jsonl");
}

function addProve(group: Command): void {
  const command = group
    .command("prove <record>")
    .description("an inclusion receipt of a record, which anyone checks offline")
    .option("--out <file>", "where the receipt goes; default standard output")
    .action(async (record: string, options: { out?: string }) => {
      const globals = globalsOf(command);
      const { out } = options;
      const proof = await reading(globals, async ({ ledger }) => {
        if (out !== undefined) checkDestination({ file: out });
        return await proveRecord(ledger, parseRecordId(record));
      });
      const text = JSON.stringify(recordProofJson(proof));
      if (out === undefined) return globals.output.value(recordProofJson(proof), text);
      await deliverText(out, `${text}\n`);
      const value = { recordId: record, chainId: toHex(proof.chainId), height: proof.height, out };
      globals.output.value(value, `The receipt of ${record} at block ${proof.height} is in ${out}.`);
    });
  example(command, "chartseal ledger prove 5f0c… --out receipt.json");
}

function addCheck(group: Command): void {
  const command = group
    .command("check-proof <files...>")
    .description("check an inclusion receipt offline; further receipts and exports are compared with it")
    .option("--genesis <file>", "the genesis to trust; default the home's, else the receipt's own")
    .option("--validators <hash>", "under CometBFT: the set of validators to trust, by its hash in hex")
    .option("--trust-period <days>", "how long validators are trusted; default 14 days from --validators on")
    .action(async (files: string[], options: CheckOptions) => {
      const globals = globalsOf(command);
      const report = await checked(globals, files, options);
      const failure = doesNotHold("receipt", report);
      const error = failure === undefined ? {} : { error: failureBody(failure) };
      globals.output.value({ ...report, ...error }, textOf(report));
      if (report.genesis === "receipt") {
        globals.output.warn(
          "no genesis was given: the receipt was checked against the one that it names itself",
        );
      }
      if (failure !== undefined) process.exitCode = failureLine(failure);
    });
  example(command, "chartseal ledger check-proof receipt.json --genesis genesis.cbor");
}

interface CheckOptions {
  readonly genesis?: string;
  readonly validators?: string;
  readonly trustPeriod?: string;
}

/** Two thirds of the time in which a validator that left can still lose weight (rules/stake-parameters.ts). */
const trustDaysDefault = "14";
const dayMs = 24 * 60 * 60_000;

/** @throws ChartsealError `input-invalid` */
function trustOf({ validators, trustPeriod }: CheckOptions): Trust {
  const days = trustPeriod ?? (validators === undefined ? undefined : trustDaysDefault);
  if (days !== undefined && !/^[1-9]\d{0,4}$/.test(days))
    throw new ChartsealError("input-invalid", "a trust period is a whole number of days");
  if (validators !== undefined && !/^[0-9a-f]{64}$/.test(validators))
    throw new ChartsealError("input-invalid", "the hash of a set of validators is 64 hex digits");
  return {
    nowMs: Date.now(),
    ...(days === undefined ? {} : { trustPeriodMs: Number(days) * dayMs }),
    ...(validators === undefined ? {} : { validatorsHash: fromHex(validators, 32) }),
  };
}

async function checked(
  globals: Globals,
  files: readonly string[],
  options: CheckOptions,
): Promise<ProofReport> {
  const { genesis: genesisFile } = options;
  const trust = trustOf(options);
  const given = { trust, ...(genesisFile === undefined ? {} : { genesis: readGenesisFile(genesisFile) }) };
  if (!homeExists(homeFolder(globals.home))) return await checkProof(files, given);
  const beside = await openBeside(globals);
  try {
    return await checkProof(files, { ...given, ...(beside === undefined ? {} : { home: beside }) });
  } finally {
    await beside?.ledger.close();
  }
}

/** The home at hand; a damaged one does not stop an offline check. */
async function openBeside(globals: Globals): Promise<{ genesis: Uint8Array; ledger: Ledger } | undefined> {
  try {
    const { home, ledger } = await openForReading(homeFolder(globals.home));
    return { genesis: home.genesis, ledger };
  } catch (error) {
    if (!isFamily(error, "integrity") && !isFamily(error, "unavailable")) throw error;
    globals.output.warn(`the home at hand is not used: ${error.message}`);
    return undefined;
  }
}

function textOf(report: ProofReport): string {
  if (report.ok)
    return `Record ${report.recordId} was on chain ${report.chainId} after block ${report.height}.`;
  return ["The receipt does not hold:", ...report.findings.map(({ detail }) => `  ${detail}`)].join("\n");
}
