/** demo: the whole story on an embedded consortium in a temporary folder. */
import { ChartsealError } from "@chartseal/crypto";
import { type Command, Option } from "commander";
import { globalsOf } from "../program-globals.ts";
import { example } from "./shared.ts";

interface DemoCommandOptions {
  readonly processes?: boolean;
  readonly clouds?: boolean;
  readonly engine: "embedded" | "comet";
}

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
    .addOption(
      new Option(
        "--engine <engine>",
        "what runs the ledger; comet: four institutions, each with a CometBFT node, one of which is killed",
      )
        .choices(["embedded", "comet"])
        .default("embedded"),
    )
    .action(async ({ processes = false, clouds = false, engine }: DemoCommandOptions) => {
      const { output } = globalsOf(command);
      if (engine === "comet" && (processes || clouds)) {
        throw new ChartsealError("input-invalid", "--engine comet is a story of its own", {
          hint: "Leave --processes and --clouds out.",
        });
      }
      const stream = output.json ? process.stderr : process.stdout;
      const { playDemo } = await import("../demo/play.ts");
      const summary = await playDemo(stream, { processes, clouds, engine });
      if (output.json) output.value(summary, "");
    });
  example(command, "chartseal demo");
}
