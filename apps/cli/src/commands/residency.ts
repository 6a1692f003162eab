/** residency: in which regions sealed records about an owner may lie. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { checkRegions, readResidency, recordsOutside, setResidency } from "@chartseal/sharing";
import type { Command } from "commander";
import { listMembers, requireMember } from "../home/home.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf } from "../services/session.ts";
import { commaList, example } from "./shared.ts";

interface SetOptions {
  readonly owner: string;
  readonly region?: readonly string[];
  readonly anywhere?: boolean;
}

export function addResidencyCommands(program: Command): void {
  const group = program
    .command("residency")
    .description("in which regions sealed records about an owner may lie: set, show");
  addSet(group);
  addShow(group);
}

/** @throws ChartsealError `input-invalid` */
function regionsOf({ region, anywhere }: SetOptions): readonly string[] {
  if (anywhere === true && region === undefined) return [];
  if (anywhere !== true && region !== undefined && region.length > 0) return checkRegions(region);
  throw new ChartsealError("input-invalid", "say where: --region eu,ch, or --anywhere");
}

function addSet(group: Command): void {
  const set = group
    .command("set")
    .description("where records about the owner may lie from now on; lists those that have to move")
    .requiredOption("--owner <name>", "whose records")
    .option("--region <codes>", "regions, comma-separated", commaList)
    .option("--anywhere", "no region is asked for any more")
    .action(async (options: SetOptions) => {
      const globals = globalsOf(set);
      const { owner } = options;
      let regions: readonly string[] = [];
      const check = (): void => {
        regions = regionsOf(options);
      };
      const value = await writing(globals, { members: [owner], check }, async (session) => {
        const { keys } = memberOf(session, owner);
        const { height } = await setResidency(session, { owner: keys, regions });
        const outside = (await recordsOutside(session.ledger, keys.account)).map((record) => ({
          recordId: toHex(record.recordId),
          regions: record.regions ?? null,
        }));
        return { owner, regions, height, outside };
      });
      for (const { recordId, regions: where } of value.outside) {
        const lies = where === null ? "lies in no region that is known" : `lies in ${where.join(", ")}`;
        globals.output.note(`Record ${recordId} ${lies}; the provider moves it: chartseal provider repair.`);
      }
      const text = regions.length === 0 ? "anywhere" : `in ${regions.join(", ")}`;
      globals.output.value(value, `Records about ${owner} may lie ${text}.`);
    });
  example(set, "chartseal residency set --owner alice --region eu,ch");
}

function addShow(group: Command): void {
  const show = group
    .command("show")
    .description("the residency in force, of one owner or of all")
    .option("--owner <name>", "whose")
    .action(async (options: { owner?: string }) => {
      const globals = globalsOf(show);
      const value = await reading(globals, async ({ home, ledger }) => {
        const owners = options.owner === undefined ? listMembers(home) : [requireMember(home, options.owner)];
        return await Promise.all(
          owners.map(async ({ name, account }) => ({
            owner: name,
            regions: await readResidency(ledger, fromHex(account, 20)),
          })),
        );
      });
      const text = value.map(
        ({ owner, regions }) => `${owner}: ${regions.length === 0 ? "anywhere" : regions.join(", ")}`,
      );
      globals.output.value(value, text.join("\n") || "No members yet.");
    });
  example(show, "chartseal residency show --owner alice");
}
