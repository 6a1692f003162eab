/** settings: what the consortium has settled about emergencies and recovery, and a vote that changes it. */
import { ChartsealError, compareBytes, utf8 } from "@chartseal/crypto";
import type { Settings } from "@chartseal/ledger";
import { readSettings, setSettings } from "@chartseal/sharing";
import type { Command } from "commander";
import { checkAttributes } from "../operations/members.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import type { ReadSession } from "../services/session.ts";
import { commaList, durationOf, durationText, example } from "./shared.ts";

interface SetOptions {
  readonly emergencyAttributes?: string;
  readonly recoveryRequired?: string;
  readonly recoveryDelay?: string;
  readonly emergencyLifetime?: string;
}

export function addSettingsCommands(program: Command): void {
  const group = program
    .command("settings")
    .description("what the consortium has settled about emergencies and recovery");
  const show = group
    .command("show")
    .description("the settings in force")
    .action(async () => {
      const globals = globalsOf(show);
      const settings = await reading(globals, ({ ledger }) => readSettings(ledger));
      globals.output.value(settings, settingsText(settings));
    });
  example(show, "chartseal settings show");
  addSet(group);
}

function addSet(group: Command): void {
  const set = group
    .command("set")
    .description("change settings by a vote of the validators (here: of this home's own)")
    .option("--emergency-attributes <list>", "attributes that count in an emergency, comma-separated")
    .option(
      "--recovery-required <on|off>",
      "whether whoever seals, the owner or an author, needs two ways of recovery",
    )
    .option("--recovery-delay <time>", "how long an old key can object to a recovery, such as 7d")
    .option("--emergency-lifetime <time>", "how far ahead an emergency may end, such as 24h")
    .action(async (options: SetOptions) => {
      const globals = globalsOf(set);
      let changes: Partial<Settings> = {};
      const check = async (session: ReadSession): Promise<void> => {
        changes = await checkChanges(session, options);
      };
      const value = await writing(globals, { check }, async (session) => {
        const admittedBy = session.validators;
        const { settings, submitted } = await setSettings(session, { changes, admittedBy });
        return { ...settings, height: submitted.height };
      });
      globals.output.value(value, settingsText(value));
    });
  example(set, "chartseal settings set --emergency-attributes emergency-physician@cedars");
}

/** @throws ChartsealError `input-invalid`, `attribute-unknown` */
async function checkChanges(session: ReadSession, options: SetOptions): Promise<Partial<Settings>> {
  const { emergencyAttributes, recoveryRequired, recoveryDelay, emergencyLifetime } = options;
  if (Object.keys(options).length === 0) throw new ChartsealError("input-invalid", "say what to change");
  const attributes =
    emergencyAttributes === undefined
      ? undefined
      : [...new Set(commaList(emergencyAttributes))].sort((a, b) => compareBytes(utf8(a), utf8(b)));
  if (attributes !== undefined) await checkAttributes(session, attributes);
  return {
    ...(attributes === undefined ? {} : { emergencyAttributes: attributes }),
    ...(recoveryRequired === undefined ? {} : { recoveryRequired: onOrOff(recoveryRequired) }),
    ...(recoveryDelay === undefined
      ? {}
      : { recoveryDelayMs: durationOf("--recovery-delay", recoveryDelay) }),
    ...(emergencyLifetime === undefined
      ? {}
      : { emergencyLifetimeMs: durationOf("--emergency-lifetime", emergencyLifetime) }),
  };
}

function onOrOff(text: string): boolean {
  if (text === "on" || text === "off") return text === "on";
  throw new ChartsealError(
    "input-invalid",
    `--recovery-required takes on or off, not ${JSON.stringify(text)}`,
  );
}

function settingsText(settings: Settings): string {
  const { emergencyAttributes, recoveryRequired, recoveryDelayMs, emergencyLifetimeMs } = settings;
  return [
    `emergency attributes  ${emergencyAttributes.join(", ") || "none: nobody can declare an emergency"}`,
    `emergency lifetime    ${durationText(emergencyLifetimeMs)}`,
    `recovery required     ${recoveryRequired ? "on" : "off"}`,
    `recovery delay        ${durationText(recoveryDelayMs)}`,
  ].join("\n");
}
