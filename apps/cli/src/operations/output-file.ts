/**
 * Where an opened record's bytes go: a file that appears whole or not at all, standard output, or nowhere (`--json`
 * without `--out`: everything is opened and checked all the same).
 */
import { createHash, randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { hasSystemCode } from "../home/files.ts";

export type Destination = { readonly file: string } | "standard-output" | "nowhere";

export interface Delivered {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

function cannotWrite(file: string, cause: unknown): ChartsealError {
  return new ChartsealError("input-invalid", `the file ${file} cannot be written`, { data: { file }, cause });
}

/** Checks before any key is used that the file can be made. @throws ChartsealError `input-invalid` */
export function checkDestination(destination: Destination): void {
  if (typeof destination === "string") return;
  const folder = dirname(resolve(destination.file));
  try {
    if (!statSync(folder).isDirectory()) throw new Error("not a folder");
  } catch (error) {
    throw cannotWrite(destination.file, error);
  }
  try {
    if (statSync(destination.file).isDirectory()) throw cannotWrite(destination.file, undefined);
  } catch (error) {
    if (!hasSystemCode(error, "ENOENT")) throw error;
  }
}

/** Takes the bytes as they are verified. A failure leaves no file behind. */
export async function deliver(
  source: AsyncIterable<Uint8Array>,
  destination: Destination,
): Promise<Delivered> {
  const digest = createHash("sha256");
  let bytes = 0;
  const sink = typeof destination === "string" ? streamSink(destination) : fileSink(destination.file);
  try {
    for await (const chunk of source) {
      digest.update(chunk);
      bytes += chunk.length;
      await sink.write(chunk);
    }
    sink.commit();
  } catch (error) {
    sink.abort();
    throw error;
  }
  return { bytes, sha256: digest.digest("hex") };
}

interface Sink {
  write(chunk: Uint8Array): Promise<void> | void;
  commit(): void;
  abort(): void;
}

function streamSink(destination: "standard-output" | "nowhere"): Sink {
  const nothing = (): void => {};
  if (destination === "nowhere") return { write: nothing, commit: nothing, abort: nothing };
  return {
    write: (chunk) =>
      new Promise((done, failed) => {
        // The chunk's buffer is used again, so the pipe gets its own copy.
        process.stdout.write(Uint8Array.from(chunk), (error) => (error ? failed(error) : done()));
      }),
    commit: nothing,
    abort: nothing,
  };
}

function fileSink(file: string): Sink {
  const path = resolve(file);
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);
  let descriptor: number;
  try {
    descriptor = openSync(temporary, "wx", 0o600);
  } catch (error) {
    throw cannotWrite(file, error);
  }
  return {
    write: (chunk) => {
      for (let offset = 0; offset < chunk.length; ) offset += writeSync(descriptor, chunk, offset);
    },
    commit: () => {
      fsyncSync(descriptor);
      closeSync(descriptor);
      renameSync(temporary, path);
    },
    abort: () => {
      try {
        closeSync(descriptor);
      } catch {
        // It was closed before the rename failed.
      }
      unlinkSync(temporary);
    },
  };
}
