/** network: a consortium of institutions under CometBFT: made, started, looked at, stopped. */
import { resolve } from "node:path";
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import type { Command } from "commander";
import { checkNewHome } from "../home/draft.ts";
import { homeFolder } from "../home/home.ts";
import { readGivenNetwork } from "../home/network-file.ts";
import { readPassphrase } from "../home/passphrase.ts";
import { readGenesisFile } from "../operations/authority-node.ts";
import {
  basePortDefault,
  checkNetworkInit,
  initNetwork,
  institutionsIn,
  snapshotBlocksDefault,
} from "../operations/network.ts";
import { checkJoin, joinNetwork } from "../operations/network-join.ts";
import { type InstitutionStatus, networkDown, networkStatus, networkUp } from "../operations/network-run.ts";
import { resyncNode } from "../operations/node-anew.ts";
import { globalsOf } from "../program-globals.ts";
import { passphraseOption, writing } from "../run.ts";
import { commaList, durationOf, example, wholeNumberOf } from "./shared.ts";

const folderDefault = "chartseal-network";
const stakeDefault = 10;

export function addNetworkCommands(program: Command): void {
  const group = program
    .command("network")
    .description(
      "institutions that run one ledger together: init, up, status, down, join, add-validator, resync",
    );
  addInit(group);
  addUp(group);
  addStatus(group);
  addDown(group);
  addJoin(group);
  addValidator(group);
  addResync(group);
}

interface InitOptions {
  readonly validators: string;
  readonly out: string;
  readonly name: string;
  readonly stakes?: string;
  readonly authorityNodes?: string;
  readonly threshold?: string;
  readonly hosts?: string;
  readonly basePort: string;
  readonly snapshotBlocks: string;
}

function addInit(group: Command): void {
  const init = group
    .command("init")
    .description("make a consortium: for each institution a home with its keys, genesis and configuration")
    .requiredOption(
      "--validators <n>",
      "how many institutions, each with a validator; four bear one that fails",
    )
    .option("--out <dir>", "the folder of the institutions' homes", folderDefault)
    .option("--name <name>", "the consortium's name", "chartseal")
    .option("--stakes <list>", `each validator's stake, comma-separated; default: ${stakeDefault} each`)
    .option("--authority-nodes <n>", "how many of them run a node of the authority; default: all")
    .option("--threshold <t>", "how many nodes issue a key together; default: more than half")
    .option("--hosts <list>", "each institution's host, comma-separated; default: all on this machine")
    .option("--base-port <p>", "the first port where all are on this machine", String(basePortDefault))
    .option("--snapshot-blocks <n>", "blocks from one snapshot to the next", String(snapshotBlocksDefault))
    .action(async (options: InitOptions) => {
      const globals = globalsOf(init);
      const folder = resolve(options.out);
      checkNewHome(folder);
      const wanted = wantedNetwork(options);
      checkNetworkInit(wanted);
      const passphrase = await readPassphrase(passphraseOption(globals));
      const made = await initNetwork(folder, { ...wanted, passphrase, now: Date.now });
      globals.output.value(
        { ...made, folder },
        [
          `Consortium ${made.consortium} in ${folder}, chain ${made.chainId.slice(0, 16)}…`,
          ...made.institutions.map(({ name, url }) => `  ${name}  ${url}`),
        ].join("\n"),
      );
    });
  example(init, "chartseal network init --validators 4 --out metro");
}

function wantedNetwork(options: InitOptions) {
  const count = wholeNumberOf("--validators", options.validators);
  if (count < 1 || count > 64) throw new ChartsealError("input-invalid", "a network has 1 to 64 validators");
  const given = options.stakes === undefined ? undefined : commaList(options.stakes);
  const stakes =
    given?.map((stake) => wholeNumberOf("--stakes", stake)) ??
    Array.from({ length: count }, () => stakeDefault);
  if (stakes.length !== count) {
    throw new ChartsealError("input-invalid", "--stakes takes one stake for each validator");
  }
  const nodes =
    options.authorityNodes === undefined ? count : wholeNumberOf("--authority-nodes", options.authorityNodes);
  const threshold =
    options.threshold === undefined
      ? Math.floor(nodes / 2) + 1
      : wholeNumberOf("--threshold", options.threshold);
  return {
    name: options.name,
    stakes,
    nodes,
    threshold,
    basePort: wholeNumberOf("--base-port", options.basePort),
    snapshotBlocks: wholeNumberOf("--snapshot-blocks", options.snapshotBlocks),
    ...(options.hosts === undefined ? {} : { hosts: commaList(options.hosts) }),
  };
}

interface RunOptions {
  readonly dir: string;
  readonly only?: string;
  readonly timeout: string;
}

const dirOption = ["--dir <dir>", "the network's folder", folderDefault] as const;
const onlyOption = ["--only <list>", "institutions by name, comma-separated; default: all"] as const;

function addUp(group: Command): void {
  const up = group
    .command("up")
    .description(
      "start every institution's server and node on this machine, and wait until they work together",
    )
    .option(...dirOption)
    .option(...onlyOption)
    .option("--timeout <time>", "how long they are waited for, such as 2m", "3m")
    .action(async (options: RunOptions) => {
      const globals = globalsOf(up);
      const folder = resolve(options.dir);
      institutionsIn(folder);
      const timeoutMs = durationOf("--timeout", options.timeout);
      const passphrase = await readPassphrase(passphraseOption(globals));
      const statuses = await networkUp(folder, {
        passphrase,
        timeoutMs,
        note: (text) => globals.output.note(text),
        ...(options.only === undefined ? {} : { only: commaList(options.only) }),
      });
      globals.output.value({ institutions: statuses }, statusText(statuses));
    });
  example(up, "chartseal network up --dir metro");
}

function addStatus(group: Command): void {
  const status = group
    .command("status")
    .description("each institution: whether it runs, its height, its peers")
    .option(...dirOption)
    .action(async ({ dir }: RunOptions) => {
      const globals = globalsOf(status);
      const statuses = await networkStatus(resolve(dir));
      globals.output.value({ institutions: statuses }, statusText(statuses));
    });
  example(status, "chartseal network status --dir metro");
}

function statusText(statuses: readonly InstitutionStatus[]): string {
  const rows = statuses.map(({ name, url, pid, height, hash, peers, catchingUp }) => [
    name,
    pid === null ? "down" : catchingUp === true ? "catching up" : "up",
    url,
    ...(pid === null ? [] : [`process ${pid}`]),
    ...(height === null
      ? []
      : [`height ${height}`, `${hash?.slice(0, 16) ?? ""}…`, peers === 1 ? "1 peer" : `${peers ?? 0} peers`]),
  ]);
  const widths = [0, 1, 2, 3, 4].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function addDown(group: Command): void {
  const down = group
    .command("down")
    .description("stop every institution's server and node on this machine, each after what is under way")
    .option(...dirOption)
    .option(...onlyOption)
    .option("--timeout <time>", "how long they are waited for", "1m")
    .action(async (options: RunOptions) => {
      const globals = globalsOf(down);
      const stopped = await networkDown(resolve(options.dir), {
        timeoutMs: durationOf("--timeout", options.timeout),
        ...(options.only === undefined ? {} : { only: commaList(options.only) }),
      });
      globals.output.value(
        { stopped },
        stopped.length === 0 ? "None ran." : `Stopped: ${stopped.join(", ")}.`,
      );
    });
  example(down, "chartseal network down --dir metro");
}

interface JoinCommandOptions {
  readonly network: string;
  readonly genesis: string;
  readonly out: string;
  readonly name: string;
  readonly host?: string;
  readonly basePort: string;
  readonly rpc?: string;
}

function addJoin(group: Command): void {
  const join = group
    .command("join")
    .description("make a home for an institution that comes later; its node begins with a snapshot")
    .requiredOption("--network <file>", "network.json of an institution that is in it")
    .requiredOption("--genesis <file>", "the consortium's genesis.cbor")
    .requiredOption("--out <dir>", "the new home")
    .requiredOption("--name <name>", "the institution's name")
    .option("--host <host>", "where others reach it; default: this machine alone")
    .option(
      "--base-port <p>",
      "the first of its four ports: server, node, the node's RPC and metrics",
      "26700",
    )
    .option(
      "--rpc <list>",
      "where headers are asked for, CometBFT's RPC, comma-separated; default: the others' servers",
    )
    .action(async (options: JoinCommandOptions) => {
      const globals = globalsOf(join);
      const folder = resolve(options.out);
      checkNewHome(folder);
      const { name, host, rpc } = options;
      const wanted = {
        network: readGivenNetwork(options.network),
        genesis: readGenesisFile(options.genesis),
        name,
        basePort: wholeNumberOf("--base-port", options.basePort),
        ...(host === undefined ? {} : { host }),
        ...(rpc === undefined ? {} : { rpcUrls: commaList(rpc) }),
      };
      checkJoin(wanted);
      const passphrase = await readPassphrase(passphraseOption(globals));
      const joined = await joinNetwork(folder, { ...wanted, passphrase, now: Date.now });
      globals.output.value(
        joined,
        [
          `${joined.name} in ${joined.home}, validator ${joined.validator}.`,
          `Start it with chartseal --home ${joined.home} serve; it ${joined.snapshot ? "begins with a snapshot" : "plays all blocks"}.`,
        ].join("\n"),
      );
    });
  example(
    join,
    "chartseal network join --network institution-1/network.json --genesis genesis.cbor --name oak --out oak",
  );
}

function addValidator(group: Command): void {
  const add = group
    .command("add-validator <file>")
    .description(
      "propose a joined institution's validator, by its network.json, and vote for it by this home's",
    )
    .requiredOption("--weight <n>", "its stake")
    .action(async (file: string, options: { readonly weight: string }) => {
      const globals = globalsOf(add);
      let wanted: { name: string; publicKey: Uint8Array; weight: number } | undefined;
      const check = (): void => {
        const { name, institutions } = readGivenNetwork(file);
        const own = institutions.find((one) => one.name === name)!;
        const publicKey = fromHex(own.validator, 32);
        wanted = { name, publicKey, weight: wholeNumberOf("--weight", options.weight) };
      };
      const proposalId = await writing(globals, { check }, async ({ operator }) => {
        const { name, publicKey, weight } = wanted!;
        const action = {
          kind: "admit-validator",
          publicKey,
          operator: accountOf(publicKey),
          weight,
        } as const;
        const { identifier } = await operator.propose(action, {
          note: `the validator of ${name}`,
          forMs: 604_800_000,
        });
        await operator.vote(identifier, true);
        return toHex(identifier);
      });
      globals.output.value(
        { proposalId, name: wanted!.name, validator: toHex(wanted!.publicKey) },
        `Proposed: ${proposalId}. The others vote, then one runs chartseal consortium execute ${proposalId}.`,
      );
    });
  example(add, "chartseal network add-validator oak/network.json --weight 10");
}

function addResync(group: Command): void {
  const resync = group
    .command("resync")
    .description(
      "have this institution's node get its chain from the others again; the old files are kept beside it",
    )
    .option("--replay", "play all blocks, and hold the whole chain, also where a snapshot could be had")
    .option(
      "--rpc <list>",
      "where headers are asked for, CometBFT's RPC, comma-separated; default: the others' servers",
    )
    .action(async (options: { readonly replay?: boolean; readonly rpc?: string }) => {
      const globals = globalsOf(resync);
      const { replay = false, rpc } = options;
      const done = await resyncNode(homeFolder(globals.home), {
        waitMs: globals.waitMs,
        replay,
        ...(rpc === undefined ? {} : { rpcUrls: commaList(rpc) }),
        now: Date.now,
      });
      globals.output.value(
        done,
        [
          `${done.name} ${done.snapshot ? "begins with a snapshot" : "plays all blocks"}; start it with chartseal serve.`,
          `The old ledger is in ${done.kept}: delete it when nothing is missed.`,
        ].join("\n"),
      );
    });
  example(resync, "chartseal network resync --replay");
}
