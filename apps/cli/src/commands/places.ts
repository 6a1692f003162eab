/** provider place …, provider repair, scrub, rebuild-index: where the provider's objects lie, and putting them right. */
import { ChartsealError } from "@chartseal/crypto";
import { noPlaces, requireRecord } from "@chartseal/sharing";
import type { Command } from "commander";
import { homeFolder, openHome, parseRecordId } from "../home/home.ts";
import { readPlacesFile } from "../home/places-file.ts";
import { addHolderPlace, checkHolderPlace, type HolderEntry, isHolder } from "../operations/holder-place.ts";
import { checkNewPlace, type NewPlace } from "../operations/new-place.ts";
import {
  addPlace,
  checkPlaces,
  listPlaces,
  parsePlacement,
  placementText,
  removePlace,
  setDefaultPlacement,
  unknownPlace,
} from "../operations/places.ts";
import {
  type RepairReport,
  rebuildPlacements,
  repairRecords,
  scrubPlaces,
} from "../operations/repair-places.ts";
import { chooseWholePlace } from "../operations/whole-place.ts";
import { exitCodes } from "../output.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { writing } from "../run.ts";
import { ownSession, type ReadSession } from "../services/session.ts";
import { collect } from "./authority-addresses.ts";
import { commaList, example } from "./shared.ts";
import { addUsageCommands } from "./usage.ts";

export function addProviderCommands(program: Command): void {
  const group = program
    .command("provider")
    .description(
      "the provider's objects: places, repair, scrub, rebuild-index; whose they are: usage, quota",
    );
  const place = group
    .command("place")
    .description(
      "places among which records are divided, or a bucket for whole ones: add, list, check, default, whole, remove",
    );
  addAdd(place);
  addListAndCheck(place);
  addDefault(place);
  addWhole(place);
  addRemove(place);
  addRepair(group);
  addScrub(group);
  addRebuild(group);
  addUsageCommands(group);
}

function addAdd(group: Command): void {
  const add = group
    .command("add <name>")
    .description("a place for the provider's objects; records sealed from now on are divided among all")
    .requiredOption("--kind <kind>", "folder (of a disk or share), s3 (a bucket), ftps or chartseal")
    .requiredOption("--region <code>", "in whose law it stands, such as eu, ch, us-east")
    .option("--path <folder>", "of a folder: an existing one, on a disk of its own; of ftps: on the server")
    .option("--bucket <name>", "of s3")
    .option("--endpoint <url>", "of s3: the server's address; default: AWS")
    .option("--s3-region <name>", "of s3: as the server calls it; default us-east-1")
    .option("--prefix <name>", "of s3: in front of every name, to share a bucket")
    .option("--host <name>", "of ftps")
    .option("--port <n>", "of ftps; default 21")
    .option("--url <url>", "of chartseal: another institution's provider, which keeps objects for its peers")
    .option("--ca <file>", "certificates of a private authority, PEM")
    .option(
      "--credentials <file>",
      "id and secret, a line each; default: CHARTSEAL_PLACE_ID, CHARTSEAL_PLACE_SECRET",
    )
    .action(async (name: string, options: Omit<NewPlace, "name">) => {
      const globals = globalsOf(add);
      const { output, home, waitMs } = globals;
      const folder = homeFolder(home);
      openHome(folder);
      const entry = checkNewPlace({ ...options, name });
      if (isHolder(entry)) return await addHolder(globals, entry);
      const { kind, region } = await addPlace(folder, entry, { waitMs });
      output.value({ place: name, kind, region }, `Place ${name}: ${kind} in ${region}.`);
    });
  example(add, "chartseal provider place add basement --kind folder --path /mnt/basement --region ch");
}

/** The account of the place goes on the ledger, which takes the passphrase. */
async function addHolder(globals: Globals, entry: HolderEntry): Promise<void> {
  const check = ({ home }: ReadSession): void => checkHolderPlace(home.paths, entry);
  const added = await writing(globals, { check }, (session) => addHolderPlace(ownSession(session), entry));
  const { place, kind, region, account, ready } = added;
  const text = [`Place ${place}: ${kind} in ${region}, where this provider is ${account}.`];
  if (!ready) {
    text.push(
      "It is not used before whoever runs it names that account in objects.peers; then: chartseal provider place check.",
    );
  }
  globals.output.value(added, text.join("\n"));
}

const wholeTexts = { new: "whole records, new ones too", kept: "whole records of before" } as const;

function addListAndCheck(group: Command): void {
  const list = group
    .command("list")
    .description("the places, their regions, and how many shards lie there")
    .action(async () => {
      const { output, home } = globalsOf(list);
      const places = await listPlaces(homeFolder(home));
      const text = places.map(
        ({ name, kind, region, shards, whole, account }) =>
          `${name.padEnd(16)} ${kind.padEnd(9)} ${region.padEnd(8)} ${whole === undefined ? `${shards} shards` : wholeTexts[whole]}${account === undefined ? "" : `, as ${account}`}`,
      );
      output.value(places, text.join("\n") || "No places: objects lie in provider/objects.");
    });
  example(list, "chartseal provider place list");
  const check = group
    .command("check")
    .description("put, read and remove a small object at every place")
    .action(async () => {
      const { output, home } = globalsOf(check);
      const places = await checkPlaces(homeFolder(home));
      const text = places.map(
        ({ name, ok, detail }) => `${ok ? "ok     " : "FAILED "} ${name.padEnd(16)} ${detail}`,
      );
      output.value(places, text.join("\n") || "No places.");
      if (places.some(({ ok }) => !ok)) process.exitCode = exitCodes.unavailable;
    });
  example(check, "chartseal provider place check");
}

function addDefault(group: Command): void {
  const command = group
    .command("default <kofn>")
    .description(
      "how records are divided from now on that say nothing: 2of3, any two of three shards are enough",
    )
    .option("--region <codes>", "in which regions, comma-separated; default: any", commaList)
    .action(async (text: string, options: { region?: string[] }) => {
      const { output, home, waitMs } = globalsOf(command);
      const folder = homeFolder(home);
      openHome(folder);
      const placement = parsePlacement("default", text, options.region);
      await setDefaultPlacement(folder, placement, { waitMs });
      const { k, n, regions = [] } = placement;
      const where = regions.length === 0 ? "" : ` in ${regions.join(", ")}`;
      output.value({ k, n, regions }, `Records are divided ${placementText(placement)}${where} from now on.`);
    });
  example(command, "chartseal provider place default 2of3 --region eu,ch");
}

function addWhole(group: Command): void {
  const command = group
    .command("whole <name>")
    .description(
      "keep records whole in this bucket from now on, to which clients send and from which they read by themselves",
    )
    .action(async (name: string) => {
      const { output, home, waitMs } = globalsOf(command);
      const folder = homeFolder(home);
      openHome(folder);
      const value = await chooseWholePlace(folder, name, { waitMs });
      output.value(
        value,
        `Records go whole to ${name}, in ${value.region}, from now on. Those of before stay where they are: chartseal provider repair brings them.`,
      );
    });
  example(command, "chartseal provider place whole cloud");
}

function addRemove(group: Command): void {
  const command = group
    .command("remove <name>")
    .description("forget a place at which no shard lies any more")
    .option("--lost", "the place is gone for good with what lies there; then run provider repair")
    .action(async (name: string, options: { lost?: boolean }) => {
      const { output, home, waitMs } = globalsOf(command);
      const value = await removePlace(homeFolder(home), name, { waitMs, lost: options.lost === true });
      output.value(value, `Place ${name} is forgotten.`);
    });
  example(command, "chartseal provider place remove basement");
}

function addRepair(group: Command): void {
  const command = group
    .command("repair [record]")
    .description(
      "make lost and wrong shards again, move what may not lie where it does; of one record or all",
    )
    .option("--quick", "find what is missing only, without reading every block")
    .option("--leave <place>", "move everything away from this place; may stand several times", collect)
    .action(async (record: string | undefined, options: { quick?: boolean; leave?: readonly string[] }) => {
      const globals = globalsOf(command);
      const leaving = options.leave ?? [];
      const check = async ({ home, ledger }: ReadSession): Promise<void> => {
        const places = readPlacesFile(home.paths)?.places ?? [];
        const unknown = leaving.find((name) => !places.some((place) => place.name === name));
        if (unknown !== undefined) throw unknownPlace(unknown);
        const wholeAt = readPlacesFile(home.paths)?.wholeAt;
        if (wholeAt !== undefined && leaving.includes(wholeAt)) throw stillTaking(wholeAt);
        if (record !== undefined) await requireRecord(ledger, parseRecordId(record));
        if (places.length === 0) throw noPlaces();
      };
      const value = await writing(globals, { check }, (session) =>
        repairRecords(ownSession(session), {
          ...(record === undefined ? {} : { record }),
          quick: options.quick === true,
          leaving,
        }),
      );
      globals.output.value(value, repairText(value));
      if (value.failed.some(({ code }) => code !== "provider-unreachable"))
        process.exitCode = exitCodes.integrity;
      else if (!value.ok) process.exitCode = exitCodes.unavailable;
    });
  example(command, "chartseal provider repair");
}

function stillTaking(name: string): ChartsealError {
  return new ChartsealError("input-invalid", `new records go whole to ${name}`, {
    hint: "Choose where they go from now on first: chartseal provider place default, or whole with another bucket.",
  });
}

function repairText({ records, repaired, failed }: RepairReport): string {
  const lines = repaired.map(({ recordId, k, n, lost, rebuilt, moved, whole, shards }) => {
    const why = [...new Set(shards.map((shard) => `${shard.place ?? "nowhere"} ${shard.why}`))].join(", ");
    const what = lost === 0 ? "" : `, ${rebuilt} of ${lost} shards made again (${why})`;
    return `  ${recordId}  ${k}of${n}${moved ? ", moved to where it belongs" : ""}${what}${whole ? "" : "; not whole yet"}`;
  });
  const bad = failed.map(({ recordId, message }) => `  ${recordId}  cannot be repaired: ${message}`);
  const rest = records - repaired.length - failed.length;
  return [...lines, ...bad, `${rest} of ${records} records were as they should be.`].join("\n");
}

function addScrub(group: Command): void {
  const command = group
    .command("scrub")
    .description("read random blocks of every shard and check them; changes nothing, needs no passphrase")
    .option("--fraction <share>", "of each shard's blocks, above 0 to 1; default 0.05")
    .action(async (options: { fraction?: string }) => {
      const { output, home } = globalsOf(command);
      const folder = homeFolder(home);
      openHome(folder);
      const value = await scrubPlaces(folder, fractionOf(options.fraction ?? "0.05"));
      const text = value.findings.map(({ place, object, shard, state, blocks }) => {
        const which = blocks.length === 0 ? "" : `, blocks ${blocks.slice(0, 10).join(" ")}`;
        return `  ${place}  ${object}  shard ${shard} ${state}${which}`;
      });
      const degraded = value.degraded.map((object) => `  ${object}  has fewer shards than it should`);
      const seen = `${value.blocks} blocks of ${value.objects} objects read.`;
      output.value(value, [...text, ...degraded, seen].join("\n"));
      if (!value.ok) process.exitCode = exitCodes.integrity;
    });
  example(command, "chartseal provider scrub --fraction 0.1");
}

/** @throws ChartsealError `input-invalid` */
function fractionOf(text: string): number {
  const fraction = Number(text);
  if (/^[0-9.]{1,10}$/.test(text) && fraction > 0 && fraction <= 1) return fraction;
  throw new ChartsealError(
    "input-invalid",
    `--fraction takes a number above 0 to 1, not ${JSON.stringify(text)}`,
  );
}

function addRebuild(group: Command): void {
  const command = group
    .command("rebuild-index")
    .description("make a lost index of the divided objects again from what lies at the places")
    .action(async () => {
      const { output, home, waitMs } = globalsOf(command);
      const value = await rebuildPlacements(homeFolder(home), waitMs);
      const { entries, incomplete, unreachable } = value;
      const lines = [
        `${entries.length} objects found again.`,
        ...incomplete.map(({ name, shards, k }) => `  ${name}: ${shards} of the ${k} shards that it needs`),
        ...unreachable.map((place) => `  ${place} could not be read: run this again when it can.`),
      ];
      output.value(value, lines.join("\n"));
      if (unreachable.length > 0) process.exitCode = exitCodes.unavailable;
      if (incomplete.length > 0) process.exitCode = exitCodes.integrity;
    });
  example(command, "chartseal provider rebuild-index");
}
