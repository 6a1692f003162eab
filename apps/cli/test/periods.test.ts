/** What happens by itself at next use: periods roll over with the first writing command of a quarter, keys are collected. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { entries } from "@chartseal/ledger";
import { currentPeriod, readEntry } from "@chartseal/sharing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openHome } from "../src/home/home.ts";
import { init } from "../src/operations/init.ts";
import { addMember, addNamespace, grantAttributes } from "../src/operations/members.ts";
import { serveConfig, startServing } from "../src/operations/serve.ts";
import { memberOf, openForReading, openSession, refreshKeys } from "../src/services/session.ts";

const passphrase = "a quarter is ninety days";
const quarterMs = 92 * 24 * 3600 * 1000;
const began = Date.UTC(2026, 10, 25);
let folder: string;

const at = (time: number): void => void vi.setSystemTime(time);
const session = (members: string[] = []) =>
  openSession(openHome(folder), { passphrase, members, waitMs: 10_000 });
const head = async (): Promise<number> => {
  const { ledger, close } = await openForReading(folder);
  const { height } = await ledger.head();
  await close();
  return height;
};

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  at(began);
  folder = join(mkdtempSync(join(tmpdir(), "chartseal-periods-")), "home");
  await init(folder, { name: "x", nodes: 1, threshold: 1, passphrase, now: () => Date.now() });
  const first = await session();
  await addNamespace(first, "cedars");
  await addNamespace(first, "oak");
  await addMember(first, { name: "bob", passphrase });
  await first.close();
  const second = await session(["bob"]);
  await grantAttributes(second, memberOf(second, "bob"), ["doctor@cedars", "nurse@cedars", "doctor@oak"]);
  await second.close();
});
afterEach(() => at(began));
afterAll(() => {
  vi.useRealTimers();
  rmSync(join(folder, ".."), { recursive: true, force: true });
});

describe("a writing command", () => {
  test("of the same quarter makes no block for it", async () => {
    const before = await head();
    await (await session()).close();
    expect(await head()).toBe(before);
  });

  test("of the next quarter rolls every hospital over, one block an attribute, and the one after it nothing", async () => {
    at(began + quarterMs);
    const before = await head();
    const opened = await session(["bob"]);
    for (const name of ["doctor@cedars", "nurse@cedars", "doctor@oak"]) {
      expect(await currentPeriod(opened.ledger, name)).toBe("2027q1");
    }
    const bob = memberOf(opened, "bob");
    await refreshKeys(opened, bob);
    expect([...bob.keys.signingKeys.keys()].every((name) => name.endsWith("#2027q1"))).toBe(true);
    await opened.close();
    expect(await head()).toBe(before + 3);
    await (await session()).close();
    expect(await head()).toBe(before + 3);
  });

  test("under a clock that was set back opens nothing again", async () => {
    at(began + quarterMs);
    await (await session()).close();
    const before = await head();
    at(began);
    await (await session()).close();
    expect(await head()).toBe(before);
  });
});

test("a member's client collects a key for what came since; while no node answers, the earlier key goes on serving", async () => {
  at(began + quarterMs);
  const opened = await session(["bob"]);
  const bob = memberOf(opened, "bob");
  await refreshKeys(opened, bob);
  const before = bob.keys.transformKeyId!;
  await (await opened.namespace("cedars"))!.vouch(bob.keys.account, ["night@cedars"]);
  await refreshKeys({ ...opened, nodes: [] }, bob);
  expect(bob.keys.transformKeyId).toEqual(before);
  expect((await readEntry(opened.ledger, entries.liveKey, bob.keys.account))?.keyId).toEqual(before);
  await refreshKeys(opened, bob);
  expect(bob.keys.transformKeyId).not.toEqual(before);
  const live = (await readEntry(opened.ledger, entries.liveKey, bob.keys.account))!;
  expect((await readEntry(opened.ledger, entries.keyRequest, live.requestId))?.attributes).toContain(
    "night@cedars",
  );
  await opened.close();
});

test("under serve the next quarter's periods open by the server's timer, with nobody there", async () => {
  at(began + quarterMs);
  const own = await session();
  const { ledger } = own;
  const log: string[] = [];
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"], now: began + quarterMs });
  const serving = await startServing(own, {
    config: await serveConfig({}),
    version: "0",
    log: { write: (line) => void log.push(line) },
    logLevel: "error",
  });
  try {
    const before = await currentPeriod(ledger, "doctor@cedars");
    vi.setSystemTime(began + 2 * quarterMs);
    expect(await currentPeriod(ledger, "doctor@cedars")).toBe(before);
    vi.advanceTimersByTime(60_000);
    for (let tries = 0; (await currentPeriod(ledger, "doctor@oak")) !== "2027q2" && tries < 100; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    for (const name of ["doctor@cedars", "nurse@cedars", "doctor@oak"]) {
      expect(await currentPeriod(ledger, name)).toBe("2027q2");
    }
  } finally {
    await serving.stop();
    vi.useFakeTimers({ toFake: ["Date"] });
  }
  expect(log).toEqual([]);
});
