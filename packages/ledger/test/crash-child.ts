/** Commits in a loop until it is killed; prints "HEIGHT HASH IDENTIFIER" for every acknowledged transaction. */
import { writeSync } from "node:fs";
import { toHex } from "@chartseal/crypto";
import { openToy } from "./embedded-home.ts";
import { toyTransaction } from "./toy-rules.ts";

const [directory, start] = process.argv.slice(2) as [string, string];
const ledger = await openToy(directory, { waitMs: 5_000 });
let nonce = Number(start);
for (;;) {
  const batch = Array.from({ length: 1 + (nonce % 4) }, () => {
    const transaction = toyTransaction(nonce, ["give", nonce % 50, 1]);
    nonce++;
    return ledger.submit(transaction);
  });
  for (const { height, blockHash, identifier } of await Promise.all(batch)) {
    writeSync(1, `${height} ${toHex(blockHash)} ${toHex(identifier)}\n`);
  }
}
