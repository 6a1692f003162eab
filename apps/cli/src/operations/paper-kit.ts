/**
 * The paper kit: a recovery key of its own, 32 bytes as 24 BIP-39 words, which the member registers as a way back (CRYPTO
 * §3.1). It is shown once, on standard error, and kept nowhere. It opens nothing and signs nothing but the start of a
 * recovery, which the member hears of and may object to.
 */
import { ChartsealError } from "@chartseal/crypto";
import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

const wordCount = 24;

function table(list: readonly string[]): string {
  const cells = list.map((word, at) => `${String(at + 1).padStart(2)} ${word.padEnd(9)}`);
  const rows = Array.from({ length: Math.ceil(cells.length / 6) }, (_, row) =>
    cells.slice(6 * row, 6 * row + 6),
  );
  return rows.map((row) => `  ${row.join(" ").trimEnd()}`).join("\n");
}

/** The page that a member prints and locks away. `seed`: 32 bytes. */
export function paperKit(name: string, account: string, seed: Uint8Array): string {
  return [
    `Paper kit of ${name}, account ${account}. Write it down, lock it away. It is not shown again.`,
    `Whoever has it can start a recovery of ${name}'s account, and finish it where nobody objects in time.`,
    table(entropyToMnemonic(seed, wordlist).split(" ")),
  ].join("\n");
}

/** The key of a kit as it was printed, or of its 24 words alone. @throws ChartsealError `input-invalid` */
export function parsePaperKit(text: string): Uint8Array {
  const numbered = [...text.matchAll(/(?<![\w.])([1-9]|1\d|2[0-4])[ .:)]+([a-z]{3,8})(?![\w])/g)];
  const ordered = numbered.map(([, at, word]) => [Number(at), word!] as const).sort(([a], [b]) => a - b);
  const isPage = ordered.length === wordCount && ordered.every(([at], index) => at === index + 1);
  const words = isPage ? ordered.map(([, word]) => word) : text.trim().toLowerCase().split(/\s+/);
  try {
    if (words.length === wordCount) return mnemonicToEntropy(words.join(" "), wordlist);
  } catch {
    // Said below, without a word of the kit.
  }
  throw new ChartsealError("input-invalid", "these are not the 24 words of a paper kit", {
    hint: "Give the page as it was printed, or its words in their order; one that was misread is enough.",
  });
}
