/**
 * The demo's act of the clouds: records lie divided two of three over a bucket, an FTPS server and a disk; one of them
 * is destroyed, every record still opens, what was lost is made again elsewhere, and the reports say so.
 */
import { join } from "node:path";
import { fromHex } from "@chartseal/crypto";
import { accessLog } from "@chartseal/sharing";
import { runForensics } from "../operations/forensics.ts";
import { addPlace, removePlace, setDefaultPlacement } from "../operations/places.ts";
import { repairRecords } from "../operations/repair-places.ts";
import { verifyHome } from "../operations/verify.ts";
import { closePlaces } from "../services/places.ts";
import { ownSession } from "../services/session.ts";
import type { Records } from "./acts-sharing.ts";
import { patients } from "./cast.ts";
import { lostCloud, newCloud } from "./clouds.ts";
import { holds, type Stage } from "./stage.ts";
import type { World } from "./world.ts";

const waitMs = 0;

/** Before the first record. The home is opened again: a session has the places that it began with. */
export async function placesAdded(stage: Stage, world: World): Promise<void> {
  const { clouds } = world;
  if (clouds === undefined) return;
  await stage.step({
    told: "three places for what is stored: a bucket, an FTPS server, a disk; any two of three are enough",
    command: "chartseal provider place add north --kind s3 … && chartseal provider place default 2of3",
    work: () =>
      away(world, async () => {
        for (const entry of clouds.places) await addPlace(world.homeFolder, entry, { waitMs });
        await setDefaultPlacement(world.homeFolder, { k: 2, n: 3 }, { waitMs });
      }),
  });
  stage.details(clouds.places.map(({ name, kind, region }) => [name, kind, region]));
}

/** Something done to the home by commands of their own, while the demo's session is closed. */
async function away<T>(world: World, work: () => Promise<T>): Promise<T> {
  await world.close();
  closePlaces();
  const value = await work();
  await world.open();
  await world.knowCommittee();
  return value;
}

export async function cloudLost(stage: Stage, world: World, records: Records): Promise<void> {
  const { clouds } = world;
  if (clouds === undefined) return;
  await stage.step({
    told: `fire in the ${lostCloud}: the S3 server is killed and its disk is gone`,
    command: `kill -9 $(pgrep versitygw) && rm -r ${lostCloud}`,
    work: () => clouds.destroy(),
  });
  await stage.step({
    told: "every record still opens, from the two shards that are left of each",
    command: "chartseal open RECORD --as clara",
    work: async () => {
      for (const { name } of patients) await world.read(name, fromHex(records.get(name)!.recordId, 32));
    },
  });
  const { report, files } = await stage.step({
    told: "forensics says which place is away, and what was there",
    command: `chartseal forensics --out ${join(world.folder, "clouds")}`,
    work: () =>
      away(world, () =>
        runForensics(world.homeFolder, {
          out: join(world.folder, "clouds"),
          repair: false,
          waitMs,
          now: Date.now,
        }),
      ),
  });
  const [finding, ...others] = report.findings;
  holds(finding?.kind === "place-unreachable", "forensics finds a place out of reach");
  holds(others.length === 0, "and nothing else");
  holds(finding!.detail.includes(lostCloud), `that place is the ${lostCloud}`);
  stage.line(`      ${finding!.kind}  ${finding!.detail}`);
  stage.line(`      ${files.html}`);
  await repaired(stage, world, records);
}

async function repaired(stage: Stage, world: World, records: Records): Promise<void> {
  const clouds = world.clouds!;
  const report = await stage.step({
    told: `a new server in the ${newCloud}: what was lost is made again from the two others`,
    command: `chartseal provider place add ${newCloud} --kind s3 … && chartseal provider repair --leave ${lostCloud}`,
    work: async () => {
      const entry = await clouds.replace();
      await away(world, () => addPlace(world.homeFolder, entry, { waitMs }));
      return await repairRecords(ownSession(world.session), { leaving: [lostCloud] });
    },
  });
  holds(report.ok && report.failed.length === 0, "every record is whole again");
  stage.details(
    report.repaired.map(({ recordId, lost, rebuilt }) => {
      const owner = [...records].find(([, record]) => record.recordId === recordId)?.[0] ?? "";
      return [owner, `${rebuilt} of ${lost} lost shards made again`];
    }),
  );
  await stage.step({
    told: `the ${lostCloud} is forgotten; chain, objects and every shard hold together`,
    command: `chartseal provider place remove ${lostCloud} --lost && chartseal verify`,
    work: () =>
      away(world, async () => {
        await removePlace(world.homeFolder, lostCloud, { waitMs, lost: true });
        const { ok, findings } = await verifyHome(world.homeFolder);
        holds(ok && findings.length === 0, "nothing is missing any more");
      }),
  });
  const recordId = fromHex(records.get("clara")!.recordId, 32);
  await stage.step({
    told: "and each record's log says that it was repaired, for its owner to see",
    command: "chartseal access-log RECORD --as clara",
    work: async () => {
      const owner = world.member("clara").keys;
      const { entries } = await accessLog(world.session.ledger, { recordId, owner });
      holds(
        entries.some(({ event }) => event === "repaired"),
        "the log holds the repair",
      );
    },
  });
}
