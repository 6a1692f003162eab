/** serve: the home's services over HTTP. */
import { ChartsealError, isFamily } from "@chartseal/crypto";
import { type Command, Option } from "commander";
import { homeFolder, isOfConsortium, openHome } from "../home/home.ts";
import { readNetworkFile } from "../home/network-file.ts";
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
      const network = isOfConsortium(home) ? readNetworkFile(home.paths) : undefined;
      const config = await serveConfig({
        ...(network === undefined ? {} : { network }),
        ...(file === undefined ? {} : { file }),
        ...(listen === undefined ? {} : { host: listen }),
        ...(port === undefined ? {} : { port: wholeNumberOf("--port", port) }),
        ...(roles === undefined ? {} : { roles: commaList(roles) }),
      });
      const passphrase = await readPassphrase(passphraseOption(globals));
      const stopped = untilStopped();
      const lock = await takeOwnHome(home.paths.root, globals.waitMs);
      const log = { write: (line: string) => void process.stderr.write(line) };
      const broken = new AbortController();
      const engineFailed = (error: unknown): void => {
        log.write(engineLine(error));
        // Damage does not mend by itself: nothing is answered from a ledger that its engine has stopped.
        if (isFamily(error, "integrity") || isFamily(error, "defect")) broken.abort(error);
      };
      const session = await openSession(home, { passphrase, waitMs: 0, lock, engineFailed });
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
      await Promise.race([stopped, aborted(broken.signal)]);
      await serving.stop();
      if (broken.signal.aborted) throw broken.signal.reason;
    });
  example(command, "chartseal serve --port 8080");
}

function engineLine(error: unknown): string {
  const known = error instanceof ChartsealError;
  const line = { level: 50, time: Date.now(), msg: "the ledger's node", code: known ? error.code : "defect" };
  return `${JSON.stringify({ ...line, detail: known ? error.message : "unexpected" })}\n`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** @throws ChartsealError `input-invalid` */
function auditsOf({ auditEvery, auditRate }: ServeCommandOptions): RotaOptions {
  const megabytes = wholeNumberOf("--audit-rate", auditRate);
  if (megabytes < 1) throw new ChartsealError("input-invalid", "--audit-rate takes at least one megabyte");
  return { everyMs: durationOf("--audit-every", auditEvery), bytesPerSecond: megabytes * 1_000_000 };
}
