/** bench: the benchmarks. Their package is loaded when the command runs: no other command pays for it. */
import { ChartsealError } from "@chartseal/crypto";
import type { Command } from "commander";
import { globalsOf } from "../program-globals.ts";
import { example } from "./shared.ts";

export function addBenchCommand(program: Command): void {
  const command = program
    .command("bench <name>")
    .description(
      "run a benchmark: seed, file, cpabe, abs, ledger, authority, provider, consortium, cli; writes bench/results",
    )
    .option("--quick", "a short look that proves no number; nothing is written")
    .action(async (name: string, options: { quick?: boolean }) => {
      const { output } = globalsOf(command);
      const { benchNames, isBenchName, runBench } = await import("@chartseal/bench");
      if (!isBenchName(name)) {
        const hint = `One of ${benchNames.join(", ")}.`;
        throw new ChartsealError("input-invalid", `there is no benchmark ${JSON.stringify(name)}`, { hint });
      }
      const { result, text, failures } = await runBench(name, {
        quick: options.quick === true,
        note: (said) => output.note(said),
      });
      // Numbers of a short look say nothing, so its claims fail nobody.
      if (failures.length > 0 && options.quick !== true) {
        output.note(text);
        throw new ChartsealError("defect", `a claim does not hold: ${failures.join("; ")}`, {
          data: { name, failures },
        });
      }
      output.value(result, text);
    });
  example(command, "chartseal bench seed");
}
