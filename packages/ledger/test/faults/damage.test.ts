/**
 * The database of one of four nodes is damaged while it is down: cut off anywhere, or bytes of it changed. A file that was cut,
 * and one whose damage lies in what is read at the start, is refused by `openComet` as `chain-altered`. Damage elsewhere is
 * found where it is read: what the ledger then shows is the chain's or `chain-altered`, and never anything else. The others
 * go on; with its file back the node catches up.
 */
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { expect } from "vitest";
import { openComet } from "../../src/comet/index.ts";
import { type Held, heldBy } from "./chain-check.ts";
import { testFault } from "./play.ts";
import { draw, faultRules, shuffled, ToyNetwork } from "./toy-network.ts";

const kinds = ["cut", "header", "last block", "anywhere"] as const;
const changedBytes = 64;

/** Damages the file; the place is by chance, where the kind leaves it open. */
function damage(path: string, kind: (typeof kinds)[number], last: Held, random: () => number): void {
  const bytes = readFileSync(path);
  if (kind === "cut") {
    truncateSync(path, 1 + draw(random, statSync(path).size - 4_096));
    return;
  }
  const places = {
    header: () => draw(random, 100 - changedBytes),
    // The hash stands in its row beside the header: one bit of it.
    "last block": () => bytes.indexOf(Buffer.from(last.hash, "hex")),
    anywhere: () => draw(random, bytes.length - changedBytes),
  };
  const place = places[kind]();
  expect(place).toBeGreaterThanOrEqual(0);
  const count = kind === "last block" ? 1 : changedBytes;
  for (let at = place; at < place + count; at++) bytes[at] = bytes[at]! ^ 0xff;
  writeFileSync(path, bytes);
}

/** What the ledger shows of a folder: the blocks, or the code of its refusal at the start or later. */
async function shown(directory: string): Promise<Held[] | { code: string; opened: boolean }> {
  const { rules } = faultRules();
  let opened = false;
  try {
    const { ledger } = await openComet({
      directory,
      rules,
      rpcUrl: "http://127.0.0.1:9",
      abciPort: 0,
      now: Date.now,
      failed: () => {},
    });
    opened = true;
    try {
      return await heldBy(ledger, 1);
    } finally {
      await ledger.close();
    }
  } catch (error) {
    if (!(error instanceof ChartsealError)) throw error;
    expect(error.message).toMatch(/./);
    return { code: error.code, opened };
  }
}

testFault({
  name: "damage",
  what: "a node's database is cut off or changed",
  make: (program: string) => ToyNetwork.make(program),
  async round(network, random, round, sent) {
    const { comet } = network;
    const [victim, other] = shuffled(random, 4) as [number, number];
    const kind = kinds[round % kinds.length]!;
    expect(await sent.submitMany(network.ledger(other), 3)).toBe(3);
    await network.level(sent.height());
    const { directory } = comet.members[victim]!;
    const path = join(directory, "ledger", "comet.sqlite");
    await comet.down(victim);
    const whole = `${path}.whole`;
    copyFileSync(path, whole);
    const before = (await shown(directory)) as Held[];
    expect(before.length).toBeGreaterThanOrEqual(sent.height());
    const submits = sent.submitMany(network.ledger(other), 3);
    damage(path, kind, before.at(-1)!, random);
    const after = await shown(directory);
    if (kind === "anywhere" && Array.isArray(after)) expect(after).toEqual(before);
    else if (kind === "anywhere") expect(after).toMatchObject({ code: "chain-altered" });
    else expect(after).toEqual({ code: "chain-altered", opened: false });
    expect(await submits).toBe(3);
    copyFileSync(whole, path);
    await comet.up(victim);
    await comet.ready(victim);
  },
});
