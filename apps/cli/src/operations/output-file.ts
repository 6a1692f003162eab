/**
 * Where an opened record's bytes go: a file that appears whole or not at all, standard output, or nowhere (`--json`
 * without `--out`: everything is opened and checked all the same).
 */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { openWholeFile, StorageError } from "@chartseal/storage";
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
  const sink = typeof destination === "string" ? streamSink(destination) : await fileSink(destination.file);
  try {
    for await (const chunk of source) {
      digest.update(chunk);
      bytes += chunk.length;
      await sink.write(chunk);
    }
    await sink.commit();
  } catch (error) {
    await sink.abort();
    throw error;
  }
  return { bytes, sha256: digest.digest("hex") };
}

interface Sink {
  write(chunk: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

function streamSink(destination: "standard-output" | "nowhere"): Sink {
  const nothing = async (): Promise<void> => {};
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

/** @throws ChartsealError `input-invalid`, `provider-unreachable` where the disk is full */
async function fileSink(file: string): Promise<Sink> {
  const attempt = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      throw error instanceof StorageError ? failure(file, error) : error;
    }
  };
  const whole = await attempt(() => openWholeFile(file));
  return {
    write: (chunk) => attempt(() => whole.write(chunk)),
    commit: async () => void (await attempt(() => whole.commit())),
    abort: () => whole.abort(),
  };
}

/** A full disk keeps its own error, which says so; everything else is a file that cannot be written. */
function failure(file: string, { cause }: StorageError): unknown {
  return hasSystemCode(cause, "ENOSPC", "EDQUOT") ? cause : cannotWrite(file, cause);
}
