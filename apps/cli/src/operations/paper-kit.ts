/**
 * The paper kit: a member's two seeds as 24 + 24 BIP-39 words, from which every key of the account follows. It is shown
 * once, on standard error, and kept nowhere; the recovery key z is never in it, since a new one is issued (CRYPTO §3.1).
 */
import type { IdentitySeeds } from "@chartseal/sharing";
import { entropyToMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

function words(seed: Uint8Array): string[] {
  return entropyToMnemonic(seed, wordlist).split(" ");
}

function table(list: readonly string[]): string {
  const cells = list.map((word, at) => `${String(at + 1).padStart(2)} ${word.padEnd(9)}`);
  const rows = Array.from({ length: Math.ceil(cells.length / 6) }, (_, row) =>
    cells.slice(6 * row, 6 * row + 6),
  );
  return rows.map((row) => `  ${row.join(" ")}`).join("\n");
}

/** The page that a member prints and locks away. */
export function paperKit(name: string, seeds: IdentitySeeds): string {
  return [
    `Paper kit of ${name}. Write it down, lock it away; whoever has it is ${name}. It is not shown again.`,
    "Account key:",
    table(words(seeds.seed)),
    "Mail key:",
    table(words(seeds.hpkeSeed)),
  ].join("\n");
}
