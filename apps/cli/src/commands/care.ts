/** status, doctor, backup, restore, migrate, passphrase change: looking after a home. */
import type { Command } from "commander";
import { homeFolder, openHome, requireMember } from "../home/home.ts";
import { memberSource, ordinarySource, readMemberPassphrase, readPassphrase } from "../home/passphrase.ts";
import { backup, checkBackupFolder } from "../operations/backup.ts";
import { doctor } from "../operations/doctor.ts";
import { type HomeMigrated, migrateHome } from "../operations/migrate.ts";
import { changePassphrase, checkNewPassphrase, type PassphraseChanged } from "../operations/passphrase.ts";
import { type Restored, restore } from "../operations/restore.ts";
import type { RestoredInstitution } from "../operations/restore-institution.ts";
import { statusOf } from "../operations/status.ts";
import { counted, exitCodes } from "../output.ts";
import { globalsOf } from "../program-globals.ts";
import { passphraseOption, reading } from "../run.ts";
import { example } from "./shared.ts";

export function addCareCommands(program: Command): void {
  addStatus(program);
  addDoctor(program);
  addBackup(program);
  addRestore(program);
  addMigrate(program);
  addPassphrase(program.command("passphrase").description("the passphrase of keys in this home: change"));
}

function addStatus(program: Command): void {
  const command = program
    .command("status")
    .description("the consortium, its chain, members and records in numbers")
    .action(async () => {
      const globals = globalsOf(command);
      const value = await reading(globals, statusOf);
      const lines = Object.entries(value).map(([name, one]) => `${name.padEnd(11)} ${String(one ?? "none")}`);
      globals.output.value(value, lines.join("\n"));
    });
  example(command, "chartseal status --json");
}

function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("what is installed and what is missing, and whether the home opens")
    .action(async () => {
      const globals = globalsOf(command);
      const report = await doctor(globals.home);
      const mark = ({ ok, required }: { ok: boolean; required: boolean }): string =>
        ok ? "ok      " : required ? "MISSING " : "absent  ";
      const lines = report.checks.map((check) => `${mark(check)} ${check.name.padEnd(12)} ${check.detail}`);
      globals.output.value(report, lines.join("\n"));
      const broken = report.checks.some(
        ({ name, ok, code }) => name === "home" && !ok && code !== "home-outdated",
      );
      if (!report.ok) process.exitCode = broken ? exitCodes.integrity : exitCodes.unavailable;
    });
  example(command, "chartseal doctor");
}

function addBackup(program: Command): void {
  const command = program
    .command("backup")
    .description("copy the home whole into a folder, while nobody writes to it")
    .requiredOption("--out <folder>", "a new or empty folder outside the home")
    .option("--no-headers", "leave the records' headers out, as for backups that are kept for long")
    .action(async (options: { out: string; headers: boolean }) => {
      const globals = globalsOf(command);
      const home = openHome(homeFolder(globals.home));
      checkBackupFolder(home, options.out);
      const made = await backup(home, { ...options, waitMs: globals.waitMs });
      globals.output.value(
        made,
        `${counted(made.files, "file")}, ${counted(made.bytes, "byte")}, to block ${made.height}: ${made.out}`,
      );
    });
  example(command, "chartseal backup --out /mnt/backup/2026-11-23");
}

function addRestore(program: Command): void {
  const command = program
    .command("restore <from>")
    .description("put a backup in the home's place; the home that is there is kept beside it")
    .option("--accept-loss", "give up what came after the backup, and raise the era")
    .option("--export <file>", "a later ledger export: its revocations and erasures are applied again")
    .action(async (from: string, options: { acceptLoss?: boolean; export?: string }) => {
      const globals = globalsOf(command);
      const restored = await restore({
        folder: homeFolder(globals.home),
        from,
        ...(options.export === undefined ? {} : { exported: options.export }),
        acceptLoss: options.acceptLoss === true,
        waitMs: globals.waitMs,
        passphrase: () => readPassphrase(passphraseOption(globals)),
      });
      globals.output.value(restored, restoredText(restored));
    });
  example(command, "chartseal restore /mnt/backup/2026-11-23 --accept-loss --export chain.jsonl");
}

function restoredText(restored: Restored | RestoredInstitution): string {
  return "institution" in restored ? institutionText(restored) : homeText(restored);
}

function institutionText({ home, institution, snapshot, replaced }: RestoredInstitution): string {
  const begins = snapshot ? "begins with a snapshot" : "plays all blocks";
  const lines = [
    `Restored ${institution} to ${home}. Its ledger comes from the others: the node ${begins}.`,
    "Start it with chartseal serve once nothing runs on its keys anywhere else: two of one validator cost stake.",
  ];
  if (replaced !== null) lines.push(`The home that was here is in ${replaced}.`);
  return lines.join("\n");
}

function homeText({ home, height, era, lost, lostFrom, missing, replaced }: Restored): string {
  const lines = [`Restored ${home} to block ${height}, era ${era}.`];
  const blocks =
    lostFrom === null
      ? "no block that is known of"
      : `blocks ${lostFrom} to ${lost?.height} of the chain before`;
  if (lost !== null) lines.push(`Lost: ${blocks}.`, ...missing.map((one) => `  ${one}`));
  if (replaced !== null) lines.push(`The home that was here is in ${replaced}.`);
  return lines.join("\n");
}

function addMigrate(program: Command): void {
  const command = program
    .command("migrate")
    .description(
      "bring a home that an earlier version wrote to the formats of this one; a file that it replaces is kept",
    )
    .action(async () => {
      const { output, home, waitMs } = globalsOf(command);
      const done = await migrateHome(homeFolder(home), { waitMs });
      output.value(done, migratedText(done));
    });
  example(command, "chartseal migrate --json");
}

function migratedText({ migrated, from, to, height, kept }: HomeMigrated): string {
  if (!migrated)
    return `Nothing to do: the ledger, ${height} blocks, is of format ${to}, which is read as it is.`;
  return `The ledger went from format ${from} to ${to}, all ${height} blocks checked.\nThe old file is ${kept}: delete it when nothing is missed.`;
}

function addPassphrase(group: Command): void {
  const command = group
    .command("change")
    .description(
      "another passphrase for the same keys: of every vault that the old one opens, or of one member",
    )
    .option("--member <name>", "this member's keys only")
    .option(
      "--new-passphrase-file <file>",
      "read the new passphrase from a file instead of CHARTSEAL_NEW_PASSPHRASE",
    )
    .action(async (options: { member?: string; newPassphraseFile?: string }) => {
      const globals = globalsOf(command);
      const { member } = options;
      const home = openHome(homeFolder(globals.home));
      const file = options.newPassphraseFile;
      const from = { variable: "CHARTSEAL_NEW_PASSPHRASE", option: "--new-passphrase-file" };
      const given = file === undefined ? undefined : await readPassphrase({ passphraseFile: file, from });
      if (member !== undefined) requireMember(home, member);
      const sources = passphraseOption(globals);
      const old = await (member === undefined
        ? readPassphrase(sources)
        : readMemberPassphrase(sources, member));
      const next = given ?? (await readPassphrase({ question: "New passphrase: ", from }));
      checkNewPassphrase(old, next);
      const own = member === undefined ? {} : { member };
      const done = await changePassphrase(home, { old, next, ...own, waitMs: globals.waitMs });
      if (member !== undefined) {
        globals.output.warn(
          `from now on commands for ${member} take this passphrase from ${memberSource}, where the home's is another; while a server runs on the home, ${ordinarySource} serves too`,
        );
      }
      globals.output.value(done, changedText(done));
    });
  example(command, "CHARTSEAL_NEW_PASSPHRASE=… chartseal passphrase change");
}

function changedText({ changed, unchanged }: PassphraseChanged): string {
  const left = unchanged.length === 0 ? "" : ` Left, with another passphrase: ${unchanged.join(", ")}.`;
  return `Changed: ${changed.join(", ")}.${left}`;
}
