/** init: makes an embedded consortium. */
import type { Command } from "commander";
import { homeFolder } from "../home/home.ts";
import { readPassphrase } from "../home/passphrase.ts";
import { checkInit, checkNewHome, init } from "../operations/init.ts";
import { globalsOf } from "../program-globals.ts";
import { passphraseOption } from "../run.ts";
import { example, wholeNumberOf } from "./shared.ts";

export function addHomeCommands(program: Command): void {
  const command = program
    .command("init")
    .description("make an embedded consortium: ledger, provider, authority committee")
    .option("--name <name>", "the consortium's name", "chartseal")
    .option("--authority-nodes <n>", "how many authority nodes", "3")
    .option("--threshold <t>", "how many of them issue a key together", "2")
    .action(async (options: { name: string; authorityNodes: string; threshold: string }) => {
      const globals = globalsOf(command);
      const folder = homeFolder(globals.home);
      checkNewHome(folder);
      const wanted = {
        name: options.name,
        nodes: wholeNumberOf("--authority-nodes", options.authorityNodes),
        threshold: wholeNumberOf("--threshold", options.threshold),
      };
      checkInit(wanted);
      const passphrase = await readPassphrase(passphraseOption(globals));
      const made = await init(folder, { ...wanted, passphrase, now: Date.now });
      globals.output.value(
        made,
        `Consortium ${made.consortium} in ${folder}, chain ${made.chainId.slice(0, 16)}…`,
      );
    });
  example(command, "chartseal init --name metro --authority-nodes 3 --threshold 2");
}
