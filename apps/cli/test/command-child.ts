/** A command in a process of its own, from the sources. */
import { main } from "../src/main.ts";

await main(process.argv.slice(2));
