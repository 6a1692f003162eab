/**
 * The passphrase of a command: CHARTSEAL_PASSPHRASE, else --passphrase-file, else a question on a terminal. With none
 * and no terminal the command is refused before anything is changed (CONTRACT, Keys and passphrases).
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

/** True where a passphrase can be read without asking anybody. */
export function passphraseAtHand(options: { readonly passphraseFile?: string }): boolean {
  return options.passphraseFile !== undefined || process.env.CHARTSEAL_PASSPHRASE !== undefined;
}

/** @throws ChartsealError `passphrase-missing` where none is given and nobody can be asked */
export async function readPassphrase(options: {
  passphraseFile?: string;
  question?: string;
  /** Where it comes from: by default CHARTSEAL_PASSPHRASE and --passphrase-file. */
  from?: { readonly variable: string; readonly option: string };
}): Promise<string> {
  const { variable, option } = options.from ?? {
    variable: "CHARTSEAL_PASSPHRASE",
    option: "--passphrase-file",
  };
  const environment = process.env[variable];
  if (options.passphraseFile !== undefined) return fromFile(options.passphraseFile);
  if (environment !== undefined) return checked(environment, variable);
  if (process.stdin.isTTY) return checked(await ask(options.question ?? "Passphrase: "), "the answer");
  throw new ChartsealError("passphrase-missing", "a passphrase is needed and none was given", {
    hint: `Set ${variable} or give ${option}.`,
  });
}
