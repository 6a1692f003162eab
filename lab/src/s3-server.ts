/** A real S3 server, versitygw over a folder: a bucket's objects are files there, for who wants to see or spoil them. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";
import { freePort, listening } from "./ports.ts";

export interface S3Server {
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  /** Made already. */
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What the server keeps: the bucket is a folder in it. */
  readonly folder: string;
  /** Ends the process as a power cut would; what is stored stays. */
  kill(): Promise<void>;
  /** After `kill`: the same server with the same objects. */
  restart(): Promise<void>;
  /** Ends it and removes everything. */
  stop(): Promise<void>;
}

/** Starts `program`, a versitygw, on a free port of loopback. @throws Error where it does not come up */
export async function startVersitygw(
  program: string,
  options: {
    readonly folder?: string;
    readonly bucket?: string;
    /** Buckets may keep versions, once that is switched on for them. */
    readonly versions?: boolean;
  } = {},
): Promise<S3Server> {
  const base = options.folder ?? mkdtempSync(join(tmpdir(), "chartseal-s3-"));
  const bucket = options.bucket ?? "objects";
  const folder = join(base, "data");
  const sidecar = join(base, "sidecar");
  mkdirSync(join(folder, bucket), { recursive: true });
  mkdirSync(sidecar, { recursive: true });
  const versions = join(base, "versions");
  if (options.versions === true) mkdirSync(versions, { recursive: true });
  const port = await freePort();
  const accessKeyId = `lab${randomBytes(6).toString("hex")}`;
  const secretAccessKey = randomBytes(20).toString("hex");
  const region = "us-east-1";
  let child: Child | undefined;
  const start = async (): Promise<void> => {
    // Metadata beside the objects: not every file system has extended attributes.
    const args = [
      "--port",
      `127.0.0.1:${port}`,
      "--quiet",
      "--keep-alive",
      "posix",
      "--sidecar",
      sidecar,
      ...(options.versions === true ? ["--versioning-dir", versions] : []),
      folder,
    ];
    const env = { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey };
    const started = new Child(program, args, { env, cwd: base, log: join(base, "server.log") });
    child = started;
    await listening(port, () => started.hasEnded);
  };
  await start();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    region,
    bucket,
    accessKeyId,
    secretAccessKey,
    folder,
    kill: async () => await child?.stop("SIGKILL"),
    restart: start,
    stop: async () => {
      await child?.stop("SIGKILL");
      rmSync(base, { recursive: true, force: true });
    },
  };
}
