/** The contract of every object store, kept by one that another institution's provider holds, over HTTP. */
import { afterAll } from "vitest";
import { conformance } from "../../../packages/storage/test/conformance.ts";
import { Holder, peers } from "./holder.ts";

const holders: Holder[] = [];
afterAll(async () => {
  for (const holder of holders) await holder.close();
});

conformance("a store at another provider", async () => {
  const holder = await Holder.create();
  holders.push(holder);
  return { store: holder.store(peers[0]), unfinished: async () => settled(holder) };
});

/** What is given up goes in the background. */
async function settled(holder: Holder): Promise<number> {
  for (let left = 20; left > 0 && holder.staging.count > 1; left--)
    await new Promise((resolve) => setTimeout(resolve, 10));
  if (holder.staging.count === 1) await new Promise((resolve) => setTimeout(resolve, 100));
  return holder.staging.count;
}
