/** init: makes an embedded consortium. */
import { join } from "node:path";
import type { Command } from "commander";
import { checkNewHome } from "../home/draft.ts";
import { homeFolder } from "../home/home.ts";
import { readPassphrase } from "../home/passphrase.ts";
import { checkInit, init } from "../operations/init.ts";
import { globalsOf } from "../program-globals.ts";
import { passphraseOption } from "../run.ts";
import { checkDistinct, collect, parseAddress } from "./authority-addresses.ts";
import { example, wholeNumberOf } from "./shared.ts";

interface InitCommandOptions {
  readonly name: string;
  readonly authorityNodes: string;
  readonly threshold: string;
  readonly authority?: readonly string[];
}

function nextForNodes(folder: string): string {
  return [
    "The committee's keys are made by its nodes, once this ledger is served: chartseal serve, and at each node",
    `chartseal authority serve --ledger URL --genesis ${join(folder, "genesis.cbor")} (a copy of that file).`,
  ].join("\n");
}

export function addHomeCommands(program: Command): void {
  const command = program
    .command("init")
    .description("make an embedded consortium: ledger, provider, authority committee")
    .option("--name <name>", "the consortium's name", "chartseal")
    .option("--authority-nodes <n>", "how many authority nodes", "3")
    .option("--threshold <t>", "how many of them issue a key together", "2")
    .option(
      "--authority <key=url>",
      "a node of another institution, by its public key and address; once for each (then none is made here)",
      collect,
    )
    .action(async (options: InitCommandOptions) => {
      const globals = globalsOf(command);
      const folder = homeFolder(globals.home);
      checkNewHome(folder);
      const authority = (options.authority ?? []).map((one) => parseAddress("--authority", one));
      checkDistinct("--authority", authority);
      const own = wholeNumberOf("--authority-nodes", options.authorityNodes);
      const wanted = {
        name: options.name,
        authority,
        nodes: authority.length > 0 ? authority.length : own,
        threshold: wholeNumberOf("--threshold", options.threshold),
      };
      checkInit(wanted);
      const passphrase = await readPassphrase(passphraseOption(globals));
      const made = await init(folder, { ...wanted, passphrase, now: Date.now });
      if (authority.length > 0) globals.output.note(nextForNodes(folder));
      globals.output.value(
        made,
        `Consortium ${made.consortium} in ${folder}, chain ${made.chainId.slice(0, 16)}…`,
      );
    });
  example(command, "chartseal init --name metro --authority-nodes 3 --threshold 2");
}
