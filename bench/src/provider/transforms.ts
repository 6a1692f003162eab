/**
 * Transforms a second on one core: everything that a provider does for one proved reader (reveal and grant checked, header
 * and its proof checked, receipt sealed and on the ledger, all of it judged again, T computed), against three Miller loops
 * and one final exponentiation, the least that T takes.
 */
import { askTransform, type Granted, request } from "@chartseal/sharing";
import { loadAverage, round } from "../machine.ts";
import { interleaved, median } from "../measure.ts";
import type { Row } from "../outcome.ts";
import { floorTimes, primitiveSides } from "../schemes/primitives.ts";
import { attributesOf } from "../worlds.ts";
import { providerWorld } from "./consortium.ts";

async function* text(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** One row for a policy of n attributes, all of which the reader must hold. */
export async function transformRow(folder: string, n: number, rounds: number): Promise<Row> {
  const world = await providerWorld(folder, { attributes: n });
  try {
    const recordId = await world.deposit(text(new Uint8Array(1000)), attributesOf(n));
    const cpuMs: number[] = [];
    let granted: Granted | undefined;
    const sides = {
      ...primitiveSides(world.pairing, ["P3"]),
      transform: {
        prepare: async () => {
          granted = await request(world, { member: world.reader, recordId });
        },
        run: async () => {
          const before = process.cpuUsage();
          await askTransform(world, { member: world.reader, granted: granted! });
          const { user, system } = process.cpuUsage(before);
          cpuMs.push((user + system) / 1000);
        },
      },
    };
    const samples = await interleaved<string>(sides, { rounds });
    const floors = floorTimes(samples, { P3: 1 });
    // The warm-up's come first.
    const counted = cpuMs.slice(-rounds);
    return {
      part: "transforms",
      attributes: n,
      "floor, ms": round(median(floors), 2),
      "transform, ms": round(samples.median("transform"), 2),
      "of one core, ms": round(median(counted), 2),
      "a second and core": round(1000 / median(counted), 0),
      "floor, a second": round(1000 / median(floors), 0),
      "share of the floor": round(median(counted.map((ms, at) => floors[at]! / ms)), 2),
      load: loadAverage(),
    };
  } finally {
    await world.close();
  }
}
