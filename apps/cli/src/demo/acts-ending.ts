/** The demo's last act: certified erasure, and the complete log of who read what, with identities for its owner. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "@chartseal/crypto";
import { accessLog, erase, type LogEntry } from "@chartseal/sharing";
import { ownerName } from "../commands/shared.ts";
import type { Records } from "./acts-sharing.ts";
import { holds, type Stage } from "./stage.ts";
import type { World } from "./world.ts";

export async function erasure(stage: Stage, world: World, records: Records): Promise<void> {
  const id = records.get("clara")!.recordId;
  const recordId = fromHex(id, 32);
  const { session } = world;
  const owner = world.member("clara").keys;
  const { certificate, submitted } = await stage.step({
    told: "clara erases her record: the ledger first, then every copy, then a signed certificate",
    command: `chartseal erase ${id} --as clara`,
    work: () => erase(session, { owner, recordId }),
  });
  const saved = { recordId: id, certificate: toHex(certificate), height: submitted.height };
  writeFileSync(join(world.folder, "certificate.json"), `${JSON.stringify(saved, null, 2)}\n`);
  for (const name of ["amy", "clara"]) {
    await stage.refused({
      told: name === "clara" ? "nor does clara herself" : `${name} opens it no more`,
      command: `chartseal open ${id} --as ${name}`,
      code: "erased",
      work: () => world.read(name, recordId),
    });
  }
  const log = await stage.step({
    told: "what stays is the log: every request and read, named for clara, proved complete",
    command: `chartseal access-log ${id} --as clara`,
    work: () => accessLog(session.ledger, { recordId, owner }),
  });
  const lines = log.entries.map(({ transaction: _, requestId: __, ...entry }) => JSON.stringify(entry));
  writeFileSync(join(world.folder, "access-log.jsonl"), `${lines.join("\n")}\n`);
  stage.details(log.entries.map((entry) => logRow(world, entry)));
  const readers = log.entries
    .filter(({ event }) => event === "transformed")
    .map((entry) => nameOf(world, entry));
  // After the fire everybody looked whether their own record still opens.
  const expected = world.clouds === undefined ? ["bob", "amy"] : ["bob", "clara", "amy"];
  holds(readers.join() === expected.join(), `the log names ${expected.join(", then ")} as readers`);
  holds(log.entries.length === log.count, "the log holds as many entries as the record's leaf says");
  stage.line(
    `      ${log.count} entries, chained to the record's leaf in block ${log.height}'s state: nothing is left out`,
  );
}

function nameOf(world: World, { reader }: LogEntry): string {
  return reader === undefined ? "" : ownerName(world.home, reader);
}

function logRow(world: World, entry: LogEntry): string[] {
  const time = new Date(entry.timestampMs).toISOString().slice(11, 19);
  return [time, entry.event, nameOf(world, entry), entry.purpose ?? "", entry.code ?? entry.proof ?? ""];
}
