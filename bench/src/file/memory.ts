/**
 * The peak memory of sealing or opening one file, measured in a process of its own as a command's life would have it:
 * two keys are derived from passphrases first, side by side, then the payload takes the real way. Prints JSON.
 *
 *   node memory.js seal FILE FOLDER STATE | node memory.js open FILE FOLDER STATE
 */
import { readFileSync, writeFileSync } from "node:fs";
import { loadPairing, platform } from "@chartseal/crypto";
import { peakKiB } from "../peak-memory.ts";
import { PayloadStore, type Sealed } from "./paths.ts";

/** CONTRACT, Keys and passphrases. */
const costs = { N: 2 ** 15, r: 8, p: 3, size: 32 };

const [task, path, folder, statePath] = process.argv.slice(2);
if (task === undefined || path === undefined || folder === undefined || statePath === undefined) {
  throw new Error("seal or open, a file, a folder and a file for the state");
}
await loadPairing();
const derive = (name: string) => platform.scrypt(Buffer.from(name), Buffer.alloc(16), costs);
await Promise.all([derive("member"), derive("service")]);
const store = await PayloadStore.open(folder);
if (task === "seal") writeState(statePath, await store.seal(path));
else await store.open(readState(statePath), path);
process.stdout.write(JSON.stringify({ peakMiB: peakKiB() / 1024 }));

function writeState(to: string, sealed: Sealed): void {
  const replacer = (_key: string, value: unknown): unknown =>
    value instanceof Uint8Array ? { hex: Buffer.from(value).toString("hex") } : value;
  writeFileSync(to, JSON.stringify(sealed, replacer));
}

function readState(from: string): Sealed {
  const reviver = (_key: string, value: unknown): unknown => {
    const hex = (value as { hex?: unknown } | null)?.hex;
    return typeof hex === "string" ? Uint8Array.from(Buffer.from(hex, "hex")) : value;
  };
  return JSON.parse(readFileSync(from, "utf8"), reviver) as Sealed;
}
