/** authority: nodes of the committee at their institutions, and the committee as a consortium sees and changes it. */
import { ChartsealError } from "@chartseal/crypto";
import { readNodes } from "@chartseal/sharing";
import type { Command } from "commander";
import { checkNewHome } from "../home/draft.ts";
import { homeFolder } from "../home/home.ts";
import { makeNodeHome, nodeHomeExists, openNodeHome } from "../home/node-home.ts";
import { readPassphrase } from "../home/passphrase.ts";
import {
  type CommitteeStatus,
  committeeStatus,
  refreshCommittee,
  reshareCommittee,
  type WantedNode,
} from "../operations/authority.ts";
import { ledgerOf, readGenesisFile, serveNode } from "../operations/authority-node.ts";
import { untilStopped } from "../operations/serve.ts";
import { globalsOf } from "../program-globals.ts";
import { programVersion } from "../program-version.ts";
import { passphraseOption, reading, writing } from "../run.ts";
import type { ReadSession } from "../services/session.ts";
import { checkDistinct, parseAddress, parseNodeKey, parseUrl } from "./authority-addresses.ts";
import { commaList, durationOf, example, wholeNumberOf } from "./shared.ts";

export function addAuthorityCommands(program: Command): void {
  const group = program
    .command("authority")
    .description("the committee that issues keys: its nodes, new shares, other nodes");
  addInit(group);
  addServe(group);
  addStatus(group);
  addRefresh(group);
  addReshare(group);
}

function addInit(group: Command): void {
  const init = group
    .command("init")
    .description("make one authority node's keys in a folder of its own (--home), at its institution")
    .action(async () => {
      const globals = globalsOf(init);
      const folder = homeFolder(globals.home);
      if (nodeHomeExists(folder)) {
        throw new ChartsealError("home-exists", `there is an authority node in ${folder} already`);
      }
      checkNewHome(folder);
      const passphrase = await readPassphrase(passphraseOption(globals));
      const { publicKey, account } = await makeNodeHome(folder, passphrase);
      globals.output.value({ publicKey, account }, `Authority node in ${folder}, public key ${publicKey}`);
    });
  example(init, "chartseal authority init --home cedars-node");
}

interface ServeOptions {
  readonly ledger?: string;
  readonly genesis?: string;
  readonly port?: string;
  readonly listen?: string;
}

function addServe(group: Command): void {
  const serve = group
    .command("serve")
    .description("run an authority node: it makes its part of the keys and answers, until it is stopped")
    .option("--ledger <url>", "the address of the consortium's ledger; remembered")
    .option("--genesis <file>", "the consortium's genesis.cbor; remembered")
    .option("--port <p>", "the port; default: any that is free")
    .option("--listen <address>", "the address; default: this machine only, 127.0.0.1")
    .action(async (options: ServeOptions) => {
      const globals = globalsOf(serve);
      const home = openNodeHome(homeFolder(globals.home));
      const given = checkServe(options);
      ledgerOf(home, given);
      const passphrase = await readPassphrase(passphraseOption(globals));
      const stopped = untilStopped();
      const log = { write: (line: string) => void process.stderr.write(line) };
      const { waitMs, output } = globals;
      const node = await serveNode(home, { ...given, passphrase, waitMs, log, version: programVersion() });
      const { address, port } = node;
      const { publicKey, account } = home;
      output.value(
        { address, port, publicKey, account, pid: process.pid },
        `Authority node ${account} at ${address}; stop with Ctrl-C.`,
      );
      await stopped;
      await node.stop();
    });
  example(
    serve,
    "chartseal authority serve --home cedars-node --ledger http://127.0.0.1:8080 --genesis genesis.cbor",
  );
}

/** @throws ChartsealError `input-invalid` */
function checkServe({ ledger, genesis, port, listen }: ServeOptions) {
  const url = ledger === undefined ? undefined : parseUrl(ledger);
  if (ledger !== undefined && url === undefined) {
    throw new ChartsealError("input-invalid", `--ledger takes an address, not ${JSON.stringify(ledger)}`);
  }
  return {
    ...(url === undefined ? {} : { ledger: url }),
    ...(genesis === undefined ? {} : { genesis: readGenesisFile(genesis) }),
    ...(port === undefined ? {} : { port: wholeNumberOf("--port", port) }),
    ...(listen === undefined ? {} : { host: listen }),
  };
}

function addStatus(group: Command): void {
  const status = group
    .command("status")
    .description("the committee's nodes, what is under way, and whom the ledger names for a fault")
    .action(async () => {
      const globals = globalsOf(status);
      const found = await reading(globals, committeeStatus);
      globals.output.value(found, statusText(found));
    });
  example(status, "chartseal authority status");
}

function statusText(status: CommitteeStatus): string {
  const { epoch, threshold, nodes, change, faults } = status;
  return [
    `${threshold} of ${nodes.length} nodes, epoch ${epoch}`,
    ...(change === null
      ? []
      : [`under way: ${change.kind} to epoch ${change.epoch}, open: ${change.open.join(", ")}`]),
    ...nodes.map(
      ({ index, account, url, state }) => `${index}  ${account}  ${state}${url === null ? "" : `  ${url}`}`,
    ),
    ...faults.map(({ account, fault, height }) => `named at height ${height}: ${account}, ${fault}`),
  ].join("\n");
}

const timeoutHelp = "how long the nodes are waited for, such as 2m";
const timeoutDefault = "2m";

function addRefresh(group: Command): void {
  const refresh = group
    .command("refresh")
    .description("new shares for the same nodes; shares stolen before are worth nothing afterwards")
    .option("--timeout <time>", timeoutHelp, timeoutDefault)
    .action(async ({ timeout }: { timeout: string }) => {
      const globals = globalsOf(refresh);
      let timeoutMs = 0;
      const check = (): void => {
        timeoutMs = durationOf("--timeout", timeout);
      };
      const { note } = globals.output;
      const changed = await writing(globals, { check }, (session) =>
        refreshCommittee(session, { timeoutMs, note }),
      );
      globals.output.value(changed, `The committee is in epoch ${changed.epoch}; old shares open nothing.`);
    });
  example(refresh, "chartseal authority refresh");
}

interface ReshareCommandOptions {
  readonly nodes: string;
  readonly threshold: string;
  readonly dealers?: string;
  readonly timeout: string;
}

function addReshare(group: Command): void {
  const reshare = group
    .command("reshare")
    .description("the same keys for other nodes, with another threshold")
    .requiredOption(
      "--nodes <list>",
      "the nodes, in order: KEY, or KEY=URL for one that is new; comma-separated",
    )
    .requiredOption("--threshold <t>", "how many of them issue a key together")
    .option("--dealers <list>", "indices of present nodes that deal; default: those that answer")
    .option("--timeout <time>", timeoutHelp, timeoutDefault)
    .action(async (options: ReshareCommandOptions) => {
      const globals = globalsOf(reshare);
      let wanted: Awaited<ReturnType<typeof checkReshare>> | undefined;
      const check = async (session: ReadSession): Promise<void> => {
        wanted = await checkReshare(session, options);
      };
      const { note } = globals.output;
      const changed = await writing(globals, { check }, (session) =>
        reshareCommittee(session, { ...wanted!, note }),
      );
      const { nodes, threshold, epoch } = changed;
      globals.output.value(changed, `The committee is ${threshold} of ${nodes} nodes, epoch ${epoch}.`);
    });
  example(reshare, "chartseal authority reshare --nodes KEY1,KEY2,KEY3=http://node3:8090 --threshold 2");
}

/** @throws ChartsealError `input-invalid` */
async function checkReshare(session: ReadSession, options: ReshareCommandOptions) {
  const nodes = commaList(options.nodes).map(
    (text): WantedNode =>
      text.includes("=") ? parseAddress("--nodes", text) : { publicKey: parseNodeKey("--nodes", text) },
  );
  checkDistinct("--nodes", nodes);
  const threshold = wholeNumberOf("--threshold", options.threshold);
  if (threshold < 1 || threshold > nodes.length || nodes.length > 64) {
    throw new ChartsealError("input-invalid", "a committee has 1 to 64 nodes and a threshold of 1 to that");
  }
  const present = await readNodes(session.ledger);
  const dealers = options.dealers === undefined ? undefined : checkDealers(options.dealers, present);
  const timeoutMs = durationOf("--timeout", options.timeout);
  return { nodes, threshold, timeoutMs, ...(dealers === undefined ? {} : { dealers }) };
}

function checkDealers(
  text: string,
  present: { readonly nodes: readonly unknown[]; readonly threshold: number },
): number[] {
  const dealers = [...new Set(commaList(text).map((one) => wholeNumberOf("--dealers", one)))].sort(
    (a, b) => a - b,
  );
  const known = dealers.every((one) => one >= 1 && one <= present.nodes.length);
  if (known && dealers.length === present.threshold) return dealers;
  throw new ChartsealError(
    "input-invalid",
    `--dealers takes exactly ${present.threshold} of the indices 1 to ${present.nodes.length}`,
  );
}
