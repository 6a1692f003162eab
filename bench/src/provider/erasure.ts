/** Erasure coding alone, in memory: parity of what comes in, and what is lost made again; MB of payload a second. */
import { randomFillSync } from "node:crypto";
import { ReedSolomon } from "@chartseal/storage";
import { loadAverage, round } from "../machine.ts";
import { interleaved } from "../measure.ts";
import type { Row } from "../outcome.ts";

const blockBytes = 1 << 17;
const megabyte = 1e6;

export async function erasureRow(
  { k, n }: { k: number; n: number },
  options: { MB: number; rounds: number },
): Promise<Row> {
  const code = ReedSolomon.load();
  const data = Array.from({ length: k }, () => randomFillSync(new Uint8Array(blockBytes)));
  const shards = [...data, ...code.parity({ k, n }, data)];
  // The worst that may happen: as many data shards are lost as there is parity.
  const lost = Math.min(k, n - k);
  const left = new Map([...shards.entries()].slice(lost, lost + k));
  const stripes = Math.max(1, Math.round((options.MB * megabyte) / (k * blockBytes)));
  const times = (work: () => unknown) => ({
    run: () => {
      for (let stripe = 0; stripe < stripes; stripe++) work();
    },
  });
  const copy = new Uint8Array(k * blockBytes);
  const samples = await interleaved(
    {
      encode: times(() => code.parity({ k, n }, data)),
      rebuild: times(() => code.data({ k, n }, left)),
      copy: times(() => {
        for (const [at, block] of data.entries()) copy.set(block, at * blockBytes);
      }),
    },
    { rounds: options.rounds },
  );
  const speed = (side: "encode" | "rebuild" | "copy"): number =>
    round((stripes * k * blockBytes) / megabyte / (samples.median(side) / 1000), 0);
  return {
    part: "erasure coding",
    code: `${k} of ${n}`,
    "encode, MB/s": speed("encode"),
    "rebuild, MB/s": speed("rebuild"),
    "copy, MB/s": speed("copy"),
    load: loadAverage(),
  };
}
