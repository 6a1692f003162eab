/** demo: the whole story on an embedded consortium in a temporary folder. */
import type { Command } from "commander";
import { playDemo } from "../demo/play.ts";
import { globalsOf } from "../program-globals.ts";
import { example } from "./shared.ts";

export function addDemoCommand(program: Command): void {
  const command = program
    .command("demo")
    .description("the whole story in a temporary folder: three hospitals, five patients, eight acts")
    .action(async () => {
      const { output } = globalsOf(command);
      const summary = await playDemo(output.json ? process.stderr : process.stdout);
      if (output.json) output.value(summary, "");
    });
  example(command, "chartseal demo");
}
