/** provider usage, provider quota: what the provider keeps for whom, and how much it may be. */
import { ChartsealError } from "@chartseal/crypto";
import type { Command } from "commander";
import { homeFolder, openHome, requireMember } from "../home/home.ts";
import { quotaOf, readQuotasFile } from "../home/quotas-file.ts";
import { ownersUse, parseQuota, peersUse, relaysUse, setQuota } from "../operations/usage.ts";
import { counted } from "../output.ts";
import { globalsOf } from "../program-globals.ts";
import { reading } from "../run.ts";
import type { ReadSession } from "../services/session.ts";
import { example } from "./shared.ts";

export function addUsageCommands(group: Command): void {
  addUsage(group);
  const quota = group
    .command("quota")
    .description("how many bytes owners may have stored with this provider: set, list");
  addSet(quota);
  addList(quota);
}

type Line = Readonly<Record<string, string | number | null>>;

/** What is counted, by whom it is asked about. */
const views: Readonly<Record<string, (session: ReadSession) => Promise<readonly Line[]>>> = {
  owner: async (session) => (await ownersUse(session)).map((line) => ({ ...line })),
  relay: async (session) => (await relaysUse(session)).map((line) => ({ ...line })),
  peer: async (session) => (await peersUse(session)).map((line) => ({ ...line })),
};

function addUsage(group: Command): void {
  const usage = group
    .command("usage")
    .description("bytes that the provider keeps, by owner, by relay, or by peer; one JSON object a line")
    .option("--owner <name>", "of this owner alone")
    .option("--by <whom>", "owner, relay or peer; default owner")
    .action(async ({ owner, by = "owner" }: { owner?: string; by?: string }) => {
      const { output, home: folder, ...globals } = globalsOf(usage);
      const home = openHome(homeFolder(folder));
      const view = Object.hasOwn(views, by) ? views[by] : undefined;
      if (view === undefined || (owner !== undefined && by !== "owner"))
        throw new ChartsealError(
          "input-invalid",
          "--by takes owner, relay or peer, and --owner is one owner",
        );
      const account = owner === undefined ? undefined : requireMember(home, owner).account;
      const lines = await reading({ output, home: folder, ...globals }, async (session) =>
        account === undefined
          ? await view(session)
          : (await ownersUse(session, account)).map((line) => ({ ...line })),
      );
      for (const line of lines) output.line(line, lineText(line, by));
    });
  example(usage, "chartseal provider usage --owner alice");
}

function lineText(
  { bytes, records, objects, quotaBytes, owner, ownerAccount, relay, peer }: Line,
  by: string,
): string {
  const who =
    by === "peer" ? peer : by === "relay" ? (relay ?? "owners themselves") : (owner ?? ownerAccount);
  const what = by === "peer" ? counted(Number(objects), "object") : counted(Number(records), "record");
  const bound = quotaBytes === null || quotaBytes === undefined ? "" : ` of ${quotaBytes}`;
  return `${who}  ${what}  ${bytes}${bound} bytes`;
}

function addSet(group: Command): void {
  const set = group
    .command("set <bytes>")
    .description("the quota of an owner, or of all who have none of their own; stored records stay")
    .option("--owner <name>", "of this owner alone")
    .action((bytes: string, { owner }: { owner?: string }) => {
      const { output, home: folder } = globalsOf(set);
      const home = openHome(homeFolder(folder));
      const quotaBytes = parseQuota(bytes);
      setQuota(home, quotaBytes, owner === undefined ? undefined : requireMember(home, owner).account);
      const text = quotaBytes === null ? "without a bound" : `${counted(quotaBytes, "byte")}`;
      output.value({ owner: owner ?? null, quotaBytes }, `Quota of ${owner ?? "every owner"}: ${text}.`);
    });
  example(set, "chartseal provider quota set 20GiB --owner alice");
}

function addList(group: Command): void {
  const list = group
    .command("list")
    .description("the quotas in force")
    .action(() => {
      const { output, home: folder } = globalsOf(list);
      const { paths } = openHome(homeFolder(folder));
      const file = readQuotasFile(paths);
      const owners = Object.keys(file.owners).sort();
      const lines = owners.map((ownerAccount) => ({
        ownerAccount,
        quotaBytes: quotaOf(file, ownerAccount) ?? null,
      }));
      const text = lines.map(({ ownerAccount, quotaBytes }) => `${ownerAccount}  ${quotaBytes ?? "none"}`);
      const value = { ownerBytes: file.ownerBytes, owners: lines };
      output.value(value, [`every other owner  ${file.ownerBytes ?? "none"}`, ...text].join("\n"));
    });
  example(list, "chartseal provider quota list");
}
