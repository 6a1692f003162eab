// What `bench consortium` measures with: the load of a client, what it comes to, and an application asked as a node asks it.
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { describeTool } from "../../test/tools.ts";
import { measureGrowth } from "../src/consortium/growth.ts";
import { drive } from "../src/consortium/load.ts";
import { finalityOf, outcomeOf, percentile } from "../src/consortium/network.ts";
import { withFolder } from "../src/file/disk.ts";

const transactions = Array.from({ length: 9 }, (_, at) => Uint8Array.of(at));

it("hands transactions over in order, never more under way than the window, and waits for the last", async () => {
  const handed: number[] = [];
  let underWay = 0;
  let most = 0;
  const submit = async ([at]: Uint8Array): Promise<void> => {
    handed.push(at!);
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setTimeout(resolve, at === 0 ? 30 : 1));
    underWay--;
  };
  const { latenciesMs, startMs, endMs } = await drive(submit, { transactions, window: 3 });
  expect(handed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect({ most, underWay }).toEqual({ most: 3, underWay: 0 });
  expect(latenciesMs).toHaveLength(9);
  expect(endMs - startMs).toBeGreaterThanOrEqual(Math.max(...latenciesMs) - 1);
});

it("fails with what a transaction is refused with", async () => {
  const submit = () => Promise.reject(new Error("refused"));
  await expect(drive(submit, { transactions, window: 2 })).rejects.toThrow("refused");
});

it("counts from the first that any member was handed to the last that any had acknowledged", () => {
  const outcome = outcomeOf([
    { startMs: 1_000, endMs: 2_000, latenciesMs: [1, 2, 3] },
    { startMs: 1_500, endMs: 3_000, latenciesMs: [4] },
  ]);
  expect(outcome).toEqual({ perSecond: 2, latenciesMs: [1, 2, 3, 4] });
  expect(finalityOf([outcome, outcome])).toEqual({ medianMs: 2.5, p95Ms: 4 });
  expect(percentile([5, 1, 4, 2, 3], 0.95)).toBe(5);
  expect(percentile([5, 1, 4, 2, 3], 0.2)).toBe(1);
});

describeTool("cometbft", "growth", (program) => {
  it("measures whole blocks at each size, on a chain of real registrations", {
    timeout: 300_000,
  }, async () => {
    const rows = await withFolder(tmpdir(), (folder) =>
      measureGrowth({ program, folder, note: () => {}, amounts: { sizes: [5, 40], block: 4, blocks: 2 } }),
    );
    expect(rows.map(({ records, registrations }) => [records, registrations])).toEqual([
      [5, 4],
      [40, 4],
    ]);
    for (const row of rows) {
      for (const part of ["check, ms", "propose, ms", "commit, ms", "all, ms"])
        expect(row[part]).toBeGreaterThan(0);
      for (const part of ["snapshot, MB", "taking it, s", "loading it, s"])
        expect(row[part]).toBeGreaterThan(0);
    }
  });
});
