/** demo: the whole story on an embedded consortium in a temporary folder. */
import type { Command } from "commander";
import { playDemo } from "../demo/play.ts";
import { globalsOf } from "../program-globals.ts";
import { example } from "./shared.ts";

export function addDemoCommand(program: Command): void {
  const command = program
    .command("demo")
    .description("the whole story in a temporary folder: three hospitals, five patients, eight acts")
    .option(
      "--processes",
      "each hospital runs its authority node in a process of its own; one is killed halfway",
    )
    .option(
      "--clouds",
      "records lie on an S3 server, an FTPS server and a disk, two of three; one is destroyed in the middle",
    )
    .action(async ({ processes = false, clouds = false }: { processes?: boolean; clouds?: boolean }) => {
      const { output } = globalsOf(command);
      const summary = await playDemo(output.json ? process.stderr : process.stdout, { processes, clouds });
      if (output.json) output.value(summary, "");
    });
  example(command, "chartseal demo");
}
