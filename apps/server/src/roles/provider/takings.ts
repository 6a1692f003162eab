/**
 * Complete uploads on their way into the store, each at most once at a time: from their files, or where the store took the
 * parts itself, by the provider's reading of them.
 */
import { ChartsealError, fromHex, isFamily } from "@chartseal/crypto";
import type { DirectIntake, Provider, TakeOptions } from "@chartseal/sharing";
import { z } from "zod";
import type { Staging, Upload, UploadAbout } from "../../uploads/staging.ts";
import { hexOf } from "../../wire.ts";

/** How long an answer waits for a complete upload to be taken; the client asks again. */
const patienceMs = 20_000;
/** What a complete upload past the provider says of itself. */
export const completedBytesMax = 4_096;
export const completed = z.strictObject({ size: z.int().min(0), digest: hexOf(32) });

/** The upload past the provider that an entry stands for; undefined of any other. */
export function directOf({
  address,
  uploadId,
}: UploadAbout): Parameters<DirectIntake["abort"]>[0] | undefined {
  return uploadId === undefined ? undefined : { address: String(address), uploadId: String(uploadId) };
}

export class Takings {
  readonly #provider: Provider;
  readonly #staging: Staging;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(provider: Provider, staging: Staging) {
    this.#provider = provider;
    this.#staging = staging;
    // Parts that nobody completes lie in the store until it is told.
    staging.onRemove = async (about) => {
      const upload = directOf(about);
      if (upload !== undefined) await provider.direct?.abort(upload);
    };
  }

  /** The upload with its result, or without one where taking it lasts longer than an answer waits. */
  async result(upload: Upload): Promise<Upload> {
    const { id } = upload;
    if (!upload.complete || upload.result !== null) return upload;
    const running = this.#underWay.get(id) ?? this.#take(upload);
    this.#underWay.set(id, running);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    try {
      await Promise.race([running, late]);
    } finally {
      clearTimeout(timer);
    }
    return await this.#staging.find(id);
  }

  async #take({ id, about }: Upload): Promise<void> {
    try {
      const options = JSON.parse(String(about.options)) as TakeOptions;
      const past = directOf(about);
      const { address, bytes } =
        past === undefined
          ? await this.#provider.takePayload(this.#staging.read(id), options)
          : await this.#taken(id, past, options);
      await this.#staging.settle(id, { address, bytes });
    } finally {
      this.#underWay.delete(id);
    }
  }

  async #taken(
    id: string,
    past: Parameters<DirectIntake["abort"]>[0],
    { chunkBytes }: TakeOptions,
  ): Promise<{ address: string; bytes: number }> {
    const { direct } = this.#provider;
    if (direct === undefined)
      throw new ChartsealError("provider-unreachable", "the store takes no parts now");
    const { size, digest } = await this.#completed(id);
    const payload = {
      size,
      digest: fromHex(digest, 32),
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    };
    try {
      return await direct.complete(past, payload);
    } catch (error) {
      // Nothing is left of it that another attempt could take.
      if (isFamily(error, "integrity")) await this.#staging.remove(id);
      throw error;
    }
  }

  /** The last line of its file: one before it was cut short by a crash. */
  async #completed(id: string): Promise<z.output<typeof completed>> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#staging.read(id)) pieces.push(piece);
    const lines = Buffer.concat(pieces).toString("utf8").trim().split("\n");
    return completed.parse(JSON.parse(lines.at(-1) ?? ""));
  }
}
