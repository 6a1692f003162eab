/**
 * Where an opened record's bytes go: a file that appears whole or not at all, a device or a pipe, standard output, or nowhere
 * (`--json` without `--out`: everything is opened and checked all the same).
 */
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { openWholeFile, StorageError, temporaryBeside } from "@chartseal/storage";
import { hasSystemCode } from "../home/files.ts";
import { onInterruption } from "../interruption.ts";

export type Destination = { readonly file: string } | "standard-output" | "nowhere";

export interface Delivered {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

function cannotWrite(file: string, cause: unknown): ChartsealError {
  return new ChartsealError("input-invalid", `the file ${file} cannot be written`, { data: { file }, cause });
}

/** Checks before any key is used that the file can be made: a read that goes nowhere stands in the access log all the same. @throws ChartsealError `input-invalid` */
export function checkDestination(destination: Destination): void {
  if (typeof destination === "string") return;
  const { file } = destination;
  const found = targetOf(file);
  if (found.stat !== undefined && !found.stat.isFile()) return;
  try {
    const probe = join(dirname(found.path), `.${randomUUID()}.tmp`);
    closeSync(openSync(probe, "wx", 0o600));
    unlinkSync(probe);
  } catch (error) {
    throw cannotWrite(file, error);
  }
}

/**
 * What a name leads to. A link's target is written and the link stays; a device or a pipe takes the bytes as they come and is
 * never replaced. @throws ChartsealError `input-invalid`
 */
function targetOf(file: string): { readonly path: string; readonly stat: Stats | undefined } {
  if (file === "") throw new ChartsealError("input-invalid", "the name of the file is empty");
  let stat: Stats | undefined;
  try {
    stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isFile() === true) return { path: realpathSync(file), stat };
    if (stat === undefined && lstatSync(file, { throwIfNoEntry: false }) !== undefined)
      throw new Error("it is a link that leads nowhere");
  } catch (error) {
    throw cannotWrite(file, error);
  }
  const takesBytes = stat?.isCharacterDevice() === true || stat?.isFIFO() === true;
  if (stat !== undefined && !takesBytes) throw cannotWrite(file, new Error("it is no file"));
  return { path: resolve(file), stat };
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

/** A text as a file, whole or not at all. @throws ChartsealError as `deliver` */
export async function deliverText(file: string, text: string): Promise<void> {
  const whole = (async function* () {
    yield new TextEncoder().encode(text);
  })();
  await deliver(whole, { file });
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
  const { path, stat } = targetOf(file);
  if (stat !== undefined && !stat.isFile()) return await deviceSink(path);
  const temporary = temporaryBeside(path);
  const ended = onInterruption(() => rmSync(temporary, { force: true }));
  const whole = await attempt(() => openWholeFile(path, undefined, temporary)).catch((error: unknown) => {
    ended();
    throw error;
  });
  return {
    write: (chunk) => attempt(() => whole.write(chunk)),
    commit: async () => {
      await attempt(() => whole.commit());
      ended();
    },
    abort: async () => {
      await whole.abort();
      ended();
    },
  };
}

/** @throws ChartsealError `input-invalid` */
async function deviceSink(path: string): Promise<Sink> {
  const failed = (error: unknown): never => {
    throw hasSystemCode(error, "ENOSPC") ? error : cannotWrite(path, error);
  };
  const device = await open(path, constants.O_WRONLY).catch(failed);
  const close = (): Promise<void> => device.close().catch(failed);
  return {
    write: async (chunk) => void (await device.writeFile(chunk).catch(failed)),
    commit: close,
    abort: close,
  };
}

/** A full disk keeps its own error, which says so; everything else is a file that cannot be written. */
function failure(file: string, { cause }: StorageError): unknown {
  return hasSystemCode(cause, "ENOSPC", "EDQUOT") ? cause : cannotWrite(file, cause);
}
