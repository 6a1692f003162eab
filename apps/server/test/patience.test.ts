/** A client that a server's limit holds up waits as long as it is told, if that is not long, and is served then. */
import { afterEach, expect, it } from "vitest";
import { createToy, genesis, makeHome } from "../../../packages/ledger/test/embedded-home.ts";
import { toyRules } from "../../../packages/ledger/test/toy-rules.ts";
import { type Host, ledgerRole, parseConfig, startHost } from "../src/index.ts";
import { clientOf } from "./ledger-server.ts";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function limited(perSecond: number): Promise<Host> {
  const { directory, remove } = makeHome();
  const ledger = await createToy(directory);
  const host = await startHost({
    config: parseConfig({ roles: ["ledger"], limits: { anonymous: { perSecond, burst: 3 } } }),
    roles: [ledgerRole({ ledger })],
    version: "0",
    accountKey: async () => undefined,
    now: Date.now,
  });
  ends.push(
    remove,
    () => ledger.close(),
    () => host.close(),
  );
  return host;
}

it("waits out a limit of a second", async () => {
  const { url } = await limited(3);
  const ledger = clientOf(url, toyRules(genesis));
  const heads = await Promise.all(Array.from({ length: 6 }, () => ledger.head()));
  expect(heads.map(({ height }) => height)).toEqual([0, 0, 0, 0, 0, 0]);
  await ledger.close();
});

it("says at once that a limit is a long one", async () => {
  const { url } = await limited(0.01);
  const ledger = clientOf(url, toyRules(genesis));
  const start = Date.now();
  const asked = Promise.all(Array.from({ length: 6 }, () => ledger.head()));
  await expect(asked).rejects.toMatchObject({ code: "rate-limited" });
  expect(Date.now() - start).toBeLessThan(4_000);
  await ledger.close();
});
