/**
 * The passphrases of a command: CHARTSEAL_PASSPHRASE, else --passphrase-file, else a question on a terminal. With none
 * and no terminal the command is refused before anything is changed (CONTRACT, Keys and passphrases). A member's keys may
 * have one of their own, which is read in the same way.
 */
import { readFileSync, statSync } from "node:fs";
import { ChartsealError } from "@chartseal/crypto";

/** Longest passphrase, in UTF-8 bytes. */
export const passphraseBytesMax = 1024;

function checked(passphrase: string, from: string): string {
  if (passphrase === "") throw new ChartsealError("passphrase-missing", `the passphrase in ${from} is empty`);
  if (Buffer.byteLength(passphrase) > passphraseBytesMax) {
    throw new ChartsealError(
      "input-invalid",
      `the passphrase in ${from} is longer than ${passphraseBytesMax} bytes`,
    );
  }
  return passphrase.normalize("NFC");
}

function fromFile(path: string): string {
  try {
    if (statSync(path).size > 2 * passphraseBytesMax) throw new Error("too large");
    return checked(readFileSync(path, "utf8").replace(/\r?\n$/, ""), "the passphrase file");
  } catch (error) {
    if (error instanceof ChartsealError) throw error;
    throw new ChartsealError("input-invalid", `the passphrase file ${path} cannot be read`);
  }
}

async function ask(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  let typed = "";
  try {
    // Another question may follow: the stream is kept.
    for await (const data of stdin.iterator({ destroyOnReturn: false })) {
      for (const character of String(data)) {
        if (character === "\r" || character === "\n") return typed;
        if (character === "\u0003") throw new ChartsealError("passphrase-missing", "no passphrase was given");
        if (character === "\u007f") typed = [...typed].slice(0, -1).join("");
        else typed += character;
      }
    }
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
  return typed;
}

/** Where a passphrase comes from without a question. */
interface Source {
  readonly variable: string;
  readonly option: string;
}

const ordinary: Source = { variable: "CHARTSEAL_PASSPHRASE", option: "--passphrase-file" };
const memberOwn: Source = { variable: "CHARTSEAL_MEMBER_PASSPHRASE", option: "--member-passphrase-file" };

/** What stands in a hint about a source. */
const naming = ({ variable, option }: Source): string => `${variable} or ${option}`;
export const ordinarySource = naming(ordinary);
export const memberSource = naming(memberOwn);

/** The files that a command was given, in the place of the variables. */
export interface PassphraseFiles {
  readonly passphraseFile?: string;
  readonly memberPassphraseFile?: string;
}

/** True where a passphrase can be read without asking anybody. */
export function passphraseAtHand(options: PassphraseFiles): boolean {
  return options.passphraseFile !== undefined || process.env[ordinary.variable] !== undefined;
}

/** True where a member's own passphrase was given, beside the ordinary one. */
export function memberPassphraseAtHand(options: PassphraseFiles): boolean {
  return options.memberPassphraseFile !== undefined || process.env[memberOwn.variable] !== undefined;
}

/** @throws ChartsealError `passphrase-missing` where none is given and nobody can be asked */
export async function readPassphrase(options: {
  readonly passphraseFile?: string;
  readonly question?: string;
  /** Where it comes from: by default CHARTSEAL_PASSPHRASE and --passphrase-file. */
  readonly from?: Source;
}): Promise<string> {
  const { variable, option } = options.from ?? ordinary;
  const environment = process.env[variable];
  if (options.passphraseFile !== undefined) return fromFile(options.passphraseFile);
  if (environment !== undefined) return checked(environment, variable);
  if (process.stdin.isTTY) return await askPassphrase(options.question ?? "Passphrase: ");
  throw new ChartsealError("passphrase-missing", "a passphrase is needed and none was given", {
    hint: `Set ${variable} or give ${option}.`,
  });
}

/** The one for a member's keys: its own where that is given, else the ordinary one. @throws as `readPassphrase` */
export async function readMemberPassphrase(options: PassphraseFiles, name: string): Promise<string> {
  const question = `Passphrase of ${name}: `;
  if (!memberPassphraseAtHand(options)) return await readPassphrase({ ...options, question });
  const { memberPassphraseFile: file } = options;
  return await readPassphrase({ ...(file !== undefined && { passphraseFile: file }), from: memberOwn });
}

let lastAsked: Promise<unknown> = Promise.resolve();

/** On a terminal. One question at a time, whoever else has one. */
export async function askPassphrase(question: string): Promise<string> {
  const answer = lastAsked.then(async () => checked(await ask(question), "the answer"));
  lastAsked = answer.catch(() => {});
  return await answer;
}
