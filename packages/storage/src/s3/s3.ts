/**
 * An object store in a bucket of any S3 server: each object is one S3 object of its bytes and nothing else, at the key of
 * its name below a prefix. S3 shows an object whole or not at all, and what it acknowledged it keeps; what a put needs
 * beyond that is in s3-put.ts, what a reader needs in s3-read.ts (spec/5-storage.md, The store in a bucket).
 */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { S3Client } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type {
  ByteRange,
  DirectAccess,
  GetOptions,
  ObjectStat,
  ObjectStore,
  PutHandle,
  PutOptions,
} from "../object-store.ts";
import { isName, putThrough, segmentsOf } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { S3Bucket } from "./s3-bucket.ts";
import { directAccess } from "./s3-direct.ts";
import { partBytesDefault, partBytesMin } from "./s3-parts.ts";
import { S3Put, stagingPrefix } from "./s3-put.ts";
import { readObject } from "./s3-read.ts";

export interface S3Options {
  /** `http://HOST:PORT` or `https://…`; absent for AWS itself. */
  readonly endpoint?: string;
  readonly region: string;
  readonly bucket: string;
  /** In front of every key, so that several stores share a bucket: segments as of a name, "" for none. */
  readonly prefix?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Whether the bucket is in the path and not in the host's name. Default: true where an endpoint is given. */
  readonly pathStyle?: boolean;
  /** CRC32 over every body: "supported" adds and checks it, "required" only where the server insists. Default "required". */
  readonly checksums?: "supported" | "required";
  /** PEM certificates of a private authority that signs the server's. */
  readonly ca?: string;
  /** Size of the first parts of a large object, at least 5 MiB; default 8 MiB. */
  readonly partBytes?: number;
  /** Longest time without a byte from or to the server, in ms; default 30 s. */
  readonly stallMs?: number;
  /** The same while the server joins parts or copies an object, of which it says nothing, in ms; default 1 h. */
  readonly joinMs?: number;
  /** How often a request is made before it fails; default 4. */
  readonly attemptsMax?: number;
}

export interface S3Store extends ObjectStore {
  readonly direct: DirectAccess;
  /** @throws StorageError `store-unreachable` where the bucket cannot be reached with these credentials */
  check(): Promise<void>;
  /** Keys below the prefix that are no object's name, and nothing of the store's own. */
  foreign(): AsyncIterable<string>;
  /** Whether the bucket keeps what is removed from it. @throws StorageError `store-unreachable` */
  keepsVersions(): Promise<boolean>;
  /** Objects on their way in here, and uploads and staged objects that others have under way or a crash left. */
  unfinished(): Promise<number>;
  /** Removes what a crash left, begun before that time. How many. @throws StorageError `store-unreachable` */
  clear(beforeMs: number): Promise<number>;
  /** Closes idle connections; the store can still be used. */
  close(): void;
}

const stallDefaultMs = 30_000;
/** A server that keeps files joins parts by writing them once more; AWS says that it can take minutes. */
const joinDefaultMs = 3_600_000;
const connectMsMax = 10_000;
const attemptsDefault = 4;
const socketsMax = 32;

/** Opens a store; nothing is asked of the server yet. @throws StorageError `name-invalid` for the prefix */
export function openS3Store(options: S3Options): S3Store {
  const { bucket, partBytes = partBytesDefault } = options;
  const { stallMs = stallDefaultMs, joinMs = joinDefaultMs } = options;
  if (partBytes < partBytesMin) throw new RangeError(`S3 takes no parts below ${partBytesMin} bytes`);
  const prefix = options.prefix ?? "";
  if (prefix !== "") segmentsOf(prefix);
  const client = clientOf(options, stallMs);
  const patient = clientOf(options, Math.max(stallMs, joinMs));
  const at = { client, patient, bucket, prefix: prefix === "" ? "" : `${prefix}/`, stagingPrefix };
  const close = (): void => {
    client.destroy();
    patient.destroy();
  };
  return new S3(new S3Bucket(at), { partBytes, direct: directAccess(at, partBytes), close });
}

function clientOf(options: S3Options, stallMs: number): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey, sessionToken, ca } = options;
  const checksums = options.checksums === "supported" ? "WHEN_SUPPORTED" : "WHEN_REQUIRED";
  const agent = { keepAlive: true, maxSockets: socketsMax };
  return new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: options.attemptsMax ?? attemptsDefault,
    // The machine's own configuration, its environment and files, decides nothing here.
    defaultsMode: "standard",
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectMsMax,
      socketTimeout: stallMs,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(ca !== undefined && { ca }) }),
    }),
  });
}

class S3 implements S3Store {
  readonly direct: DirectAccess;
  readonly close: () => void;
  readonly #bucket: S3Bucket;
  readonly #partBytes: number;
  #underWay = 0;

  constructor(
    bucket: S3Bucket,
    options: { readonly partBytes: number; readonly direct: DirectAccess; readonly close: () => void },
  ) {
    this.#bucket = bucket;
    this.#partBytes = options.partBytes;
    this.direct = options.direct;
    this.close = options.close;
  }

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<ObjectStat> {
    return await putThrough({ name, source }, () => this.begin({ ...options, finalName: name }));
  }

  async begin({
    sizeMax = Number.MAX_SAFE_INTEGER,
    finalName,
    abreast = 1,
  }: PutOptions = {}): Promise<PutHandle> {
    if (finalName !== undefined) segmentsOf(finalName);
    this.#underWay++;
    const ended = (): void => void this.#underWay--;
    const [bucket, partBytes] = [this.#bucket, this.#partBytes];
    return new S3Put({ bucket, partBytes, sizeMax, finalName, abreast, ended });
  }

  get(name: string, range?: ByteRange, { lend = false }: GetOptions = {}): AsyncGenerator<Uint8Array> {
    return readObject({ bucket: this.#bucket, name, range, lend });
  }

  async stat(name: string): Promise<ObjectStat> {
    const { size } = await this.#bucket.stat(this.#bucket.keyOf(name));
    return { size };
  }

  async remove(name: string): Promise<boolean> {
    const key = this.#bucket.keyOf(name);
    try {
      await this.#bucket.stat(key);
    } catch (error) {
      if (error instanceof StorageError && error.code === "object-missing") return false;
      throw error;
    }
    await this.#bucket.remove(key);
    return true;
  }

  /** S3 lists in byte order. Out of order, names could be missed or come twice: that is refused. */
  async *list(prefix = ""): AsyncGenerator<string> {
    let last = "";
    for await (const { name } of this.#bucket.list(prefix)) {
      if (!isName(name) || name === last) continue;
      if (name < last)
        throw new StorageError("store-unreachable", "the S3 server does not list in byte order");
      last = name;
      yield name;
    }
  }

  check(): Promise<void> {
    return this.#bucket.check();
  }

  async *foreign(): AsyncGenerator<string> {
    for await (const { name } of this.#bucket.list("")) {
      if (!isName(name) && !name.startsWith(stagingPrefix)) yield name;
    }
  }

  keepsVersions(): Promise<boolean> {
    return this.#bucket.keepsVersions();
  }

  async unfinished(): Promise<number> {
    let count = this.#underWay;
    if (count > 0) return count;
    for await (const _upload of this.#bucket.uploads()) count++;
    for await (const _staged of this.#bucket.list(stagingPrefix)) count++;
    return count;
  }

  async clear(beforeMs: number): Promise<number> {
    let count = 0;
    for await (const { key, uploadId, begunMs } of this.#bucket.uploads()) {
      if (begunMs >= beforeMs) continue;
      await this.#bucket.abortUpload(key, uploadId);
      count++;
    }
    for await (const { name, modifiedMs } of this.#bucket.list(stagingPrefix)) {
      if (modifiedMs >= beforeMs) continue;
      await this.#bucket.remove(this.#bucket.stagingStart + name.slice(stagingPrefix.length));
      count++;
    }
    return count;
  }
}
