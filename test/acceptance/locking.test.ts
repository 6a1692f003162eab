/** CONTRACT "Locking" and what a killed command leaves: a busy home is waited for, reads never wait, locks die with their process. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { copyHome, fails, finished, homeIn, json, lines, run, start, workFolder } from "./support.ts";

const folder = workFolder();
const note = join(folder, "note.txt");
writeFileSync(note, "a note");
let home: string;
beforeAll(async () => {
  home = await homeIn(folder);
});

/** A seal that holds the home until its standard input ends. */
function sealing(target: string) {
  const child = start(["seal", "-", "--owner", "alice", "--json"], { home: target, input: "" });
  child.stdin?.on("error", () => {});
  child.stdin?.write(Buffer.alloc(700_000, 1));
  return child;
}

/** Until the home is held: a command that would fail after it has the lock says home-busy instead. */
async function untilHeld(target: string): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const probe = ["rule", "revoke", "--owner", "alice", "--namespace", "mercy", "--wait", "0", "--json"];
    if (JSON.parse((await run(probe, { home: target })).text).error.code === "home-busy") return;
  }
  throw new Error("the seal never took the home");
}

test("two commands at once both succeed, the second waits", async () => {
  const args = ["seal", note, "--owner", "alice", "--as", "bob", "--json"];
  const both = await Promise.all([run(args, { home }), run(args, { home })]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect((await lines(["records"], { home })).length).toBe(2);
});

test("a home in use is home-busy after --wait; reads never wait for a writer", async () => {
  const copy = copyHome(home, join(folder, "busy"));
  const child = sealing(copy);
  const end = finished(child);
  try {
    await untilHeld(copy);
    await fails("home-busy", ["seal", note, "--owner", "alice", "--wait", "0"], { home: copy });
    expect((await lines(["records"], { home: copy })).length).toBe(2);
  } finally {
    child.stdin?.end();
  }
  expect((await end).code).toBe(0);
  expect((await lines(["records"], { home: copy })).length).toBe(3);
});

test("kill -9 in the middle of seal leaves a home that works; what was stored is counted as orphans, no finding", async () => {
  const copy = copyHome(home, join(folder, "killed"));
  const child = sealing(copy);
  const end = finished(child);
  await untilHeld(copy);
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill("SIGKILL");
  expect((await end).signal).toBe("SIGKILL");
  const verified = await json(["verify"], { home: copy });
  expect(verified).toMatchObject({ ok: true, records: 2, findings: [] });
  expect(Number.isInteger(verified.orphans)).toBe(true);
  const again = await json(["seal", note, "--owner", "alice", "--as", "bob"], { home: copy });
  expect((await run(["open", again.recordId, "--as", "bob"], { home: copy })).text).toBe("a note");
});
