/** A writer that was killed between the ledger's block and the provider's deed is made good by the next one. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePolicy } from "@chartseal/crypto";
import { AccountWriter, deposit } from "@chartseal/sharing";
import { afterAll, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { init } from "../src/operations/init.ts";
import { addMember } from "../src/operations/members.ts";
import { openSession } from "../src/services/session.ts";

const folder = mkdtempSync(join(tmpdir(), "chartseal-interrupted-"));
const home = join(folder, "home");
const passphrase = "interrupted";
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("an erasure that the ledger took and the provider did not carry out is carried out at the next opening", async () => {
  await init(home, { name: "metro", nodes: 1, threshold: 1, passphrase, now: Date.now });
  const first = await openSession(openHome(home), { passphrase, waitMs: 0 });
  const { keys } = await addMember(first, { name: "alice", passphrase });
  const { recordId } = await deposit(first, {
    by: keys.keys,
    owner: keys.keys.account,
    policy: parsePolicy(`${Buffer.from(keys.keys.account).toString("hex")}@self`),
    source: (async function* () {
      yield new Uint8Array(10);
    })(),
    metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
  });
  const objects = (): string[] => readdirSync(first.home.paths.objects);
  expect(objects()).toHaveLength(2);
  await new AccountWriter(first, keys.keys).submit({ kind: "erase", recordId });
  const mark = join(first.home.paths.run, "unfinished");
  expect(existsSync(mark)).toBe(true);
  // The process dies here: its lock and its connection go with it, the mark stays.
  await first.close();
  expect(existsSync(mark)).toBe(false);
  const quiet = await openSession(openHome(home), { passphrase, waitMs: 0 });
  await quiet.close();
  expect(objects()).toHaveLength(2);
  writeFileSync(mark, "");
  const next = await openSession(openHome(home), { passphrase, waitMs: 0 });
  expect(objects()).toHaveLength(0);
  await next.close();
});
