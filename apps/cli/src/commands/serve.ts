/** serve: the home's services over HTTP. */
import { ChartsealError } from "@chartseal/crypto";
import { type Command, Option } from "commander";
import { homeFolder, openHome } from "../home/home.ts";
import { readPassphrase } from "../home/passphrase.ts";
import type { RotaOptions } from "../operations/audit-rota.ts";
import { serveConfig, startServing, untilStopped } from "../operations/serve.ts";
import { globalsOf } from "../program-globals.ts";
import { programVersion } from "../program-version.ts";
import { passphraseOption } from "../run.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openSession } from "../services/session.ts";
import { commaList, durationOf, example, wholeNumberOf } from "./shared.ts";

interface ServeCommandOptions {
  readonly port?: string;
  readonly listen?: string;
  readonly roles?: string;
  readonly config?: string;
  readonly auditEvery: string;
  readonly auditRate: string;
  readonly logLevel: "error" | "warn" | "info" | "debug";
}

export function addServeCommand(program: Command): void {
  const command = program
    .command("serve")
    .description("the home's roles over HTTP until it is stopped; commands on this home go through it")
    .option("--port <p>", "the port; default: any that is free")
    .option("--listen <address>", "the address; default: this machine only, 127.0.0.1")
    .option(
      "--roles <list>",
      "of ledger, provider, namespace, objects, comma-separated; default: all that are set up",
    )
    .option("--audit-every <length>", "audit each stored record so often, e.g. 7d; 0m: never", "7d")
    .option("--audit-rate <mb>", "megabytes a second that audits read", "4")
    .option("--config <file>", "a JSON file with listen, roles, authorities and limits; options win")
    .addOption(
      new Option("--log-level <level>", "what is logged on standard error")
        .choices(["error", "warn", "info", "debug"])
        .default("warn"),
    )
    .action(async (options: ServeCommandOptions) => {
      const globals = globalsOf(command);
      const home = openHome(homeFolder(globals.home));
      const { port, listen, roles, config: file, logLevel } = options;
      const audits = auditsOf(options);
      const config = await serveConfig({
        ...(file === undefined ? {} : { file }),
        ...(listen === undefined ? {} : { host: listen }),
        ...(port === undefined ? {} : { port: wholeNumberOf("--port", port) }),
        ...(roles === undefined ? {} : { roles: commaList(roles) }),
      });
      const passphrase = await readPassphrase(passphraseOption(globals));
      const stopped = untilStopped();
      const lock = await takeOwnHome(home.paths.root, globals.waitMs);
      const session = await openSession(home, { passphrase, waitMs: 0, lock });
      const log = { write: (line: string) => void process.stderr.write(line) };
      const serving = await startServing(session, {
        config,
        version: programVersion(),
        log,
        logLevel,
        audits,
      }).catch(async (error: unknown) => {
        await session.close();
        throw error;
      });
      const { address, port: listening, roles: played } = serving;
      globals.output.value(
        { address, port: listening, roles: played, pid: process.pid },
        `Serving ${played.join(", ")} at ${address}; stop with Ctrl-C.`,
      );
      await stopped;
      await serving.stop();
    });
  example(command, "chartseal serve --port 8080");
}

/** @throws ChartsealError `input-invalid` */
function auditsOf({ auditEvery, auditRate }: ServeCommandOptions): RotaOptions {
  const megabytes = wholeNumberOf("--audit-rate", auditRate);
  if (megabytes < 1) throw new ChartsealError("input-invalid", "--audit-rate takes at least one megabyte");
  return { everyMs: durationOf("--audit-every", auditEvery), bytesPerSecond: megabytes * 1_000_000 };
}
