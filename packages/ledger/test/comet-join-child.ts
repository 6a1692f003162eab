/** The application of a joining node in a process of its own, to be killed: prints its port for the node. */
import { writeSync } from "node:fs";
import { fromHex, loadPairing } from "@chartseal/crypto";
import { openComet } from "../src/comet/index.ts";
import { ledgerRules } from "../src/index.ts";

const [directory, rpcUrl, genesis] = process.argv.slice(2) as [string, string, string];
const rules = ledgerRules(await loadPairing(), fromHex(genesis));
const failed = (error: unknown) => writeSync(2, `${error}\n`);
const opened = await openComet({ directory, rules, rpcUrl, abciPort: 0, now: Date.now, failed });
writeSync(1, `${opened.abciPort}\n`);
