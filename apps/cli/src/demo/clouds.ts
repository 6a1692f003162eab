/**
 * The demo's clouds: an S3 server and an FTPS server, real ones, each a process of its own with a folder of its own, and a
 * disk. One of them is destroyed in the middle, and another takes its place.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { type FtpsServer, programOf, type S3Server, startVersitygw, startVsftpd } from "@chartseal/lab";
import type { PlaceEntry } from "../home/places-file.ts";

/** Where shards lie: a bucket in the north, an FTPS server in the west, a disk in the cellar; and what comes after. */
export const lostCloud = "north";
export const newCloud = "south";

export class Clouds {
  readonly #folder: string;
  readonly #program: string;
  readonly #north: S3Server;
  readonly #west: FtpsServer;
  #south: S3Server | undefined;

  private constructor(folder: string, program: string, servers: { north: S3Server; west: FtpsServer }) {
    this.#folder = folder;
    this.#program = program;
    this.#north = servers.north;
    this.#west = servers.west;
  }

  /** @throws ChartsealError `provider-unreachable` where a server's program is not on this machine */
  static async start(folder: string): Promise<Clouds> {
    const [s3, ftps] = [required("versitygw", "versitygw"), required("ftps", "vsftpd")];
    mkdirSync(join(folder, "cellar"));
    for (const name of [lostCloud, "west"]) mkdirSync(join(folder, name));
    const north = await startVersitygw(s3, { folder: join(folder, lostCloud) });
    try {
      const west = await startVsftpd(ftps, { folder: join(folder, "west") });
      return new Clouds(folder, s3, { north, west });
    } catch (error) {
      await north.kill();
      throw error;
    }
  }

  get cellar(): string {
    return join(this.#folder, "cellar");
  }

  /** The three places as `provider place add` would make them. */
  get places(): readonly PlaceEntry[] {
    const { host, port, folder, user, password, ca } = this.#west;
    return [
      bucketOf(lostCloud, "eu", this.#north),
      { name: "west", region: "ch", kind: "ftps", host, port, folder, user, password, ca },
      { name: "cellar", region: "ch", kind: "folder", path: this.cellar },
    ];
  }

  /** Fire: the process ends as in a power cut, and its disk is gone. */
  async destroy(): Promise<void> {
    await this.#north.kill();
    rmSync(join(this.#folder, lostCloud), { recursive: true });
  }

  /** Another server, elsewhere, with nothing on it. */
  async replace(): Promise<PlaceEntry> {
    mkdirSync(join(this.#folder, newCloud));
    this.#south = await startVersitygw(this.#program, { folder: join(this.#folder, newCloud) });
    return bucketOf(newCloud, "eu", this.#south);
  }

  /** Ends the processes; what is stored stays, to be looked at. */
  async end(): Promise<void> {
    for (const server of [this.#north, this.#west, this.#south]) await server?.kill();
  }
}

function bucketOf(name: string, region: string, server: S3Server): PlaceEntry {
  const { endpoint, region: s3Region, bucket, accessKeyId, secretAccessKey } = server;
  return { name, region, kind: "s3", endpoint, s3Region, bucket, accessKeyId, secretAccessKey };
}

function required(tool: "versitygw" | "ftps", program: string): string {
  const path = programOf(tool);
  if (path !== undefined) return path;
  throw new ChartsealError(
    "provider-unreachable",
    `${program}, a server of this story, is not on this machine`,
    {
      hint: "npm run demo -- --clouds installs it where Go or, as root, Debian can.",
    },
  );
}
