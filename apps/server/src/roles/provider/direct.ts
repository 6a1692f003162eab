/**
 * Payloads that go past the provider: pre-signed URLs for the parts of an upload, and its end (spec/9-http.md). Each URL takes
 * one part of the size that was said and counted; what the client says of the whole, the provider reads back.
 */
import { ChartsealError, utf8 } from "@chartseal/crypto";
import type { DirectIntake } from "@chartseal/sharing";
import { z } from "zod";
import type { RoleApp } from "../../host/role.ts";
import type { Upload } from "../../uploads/staging.ts";
import { hexOf } from "../../wire.ts";
import { completed, completedBytesMax, directOf, type Takings } from "./takings.ts";
import { addressOf, stands, standsOf, type UploadRoutes } from "./upload-answers.ts";

/** URLs of one answer. */
const urlsMax = 16;

interface DirectRoutes extends UploadRoutes {
  readonly direct: DirectIntake;
  readonly takings: Takings;
}

const params = z.strictObject({ id: hexOf(32) });

/** @throws ChartsealError `input-invalid` for an upload whose parts go through the provider */
function demandDirect({ about }: Upload): NonNullable<ReturnType<typeof directOf>> {
  const upload = directOf(about);
  if (upload !== undefined) return upload;
  throw new ChartsealError("input-invalid", "this upload goes on with PATCH");
}

/** Sizes of the parts for which URLs were given, by upload; a restart forgets them, and counts those again that are asked again. */
class Claims {
  readonly #sizes = new Map<string, Map<number, number>>();

  /** Bytes that these parts add. */
  add(id: string, parts: readonly { readonly number: number; readonly size: number }[]): number {
    const sizes = this.#sizes.get(id) ?? new Map<number, number>();
    this.#sizes.set(id, sizes);
    let added = 0;
    for (const { number, size } of parts) {
      added += Math.max(0, size - (sizes.get(number) ?? 0));
      sizes.set(number, Math.max(size, sizes.get(number) ?? 0));
    }
    return added;
  }

  sum(id: string): number {
    return [...(this.#sizes.get(id)?.values() ?? [])].reduce((sum, size) => sum + size, 0);
  }

  forget(id: string): void {
    this.#sizes.delete(id);
  }
}

export function addDirect(app: RoleApp, routes: DirectRoutes): void {
  const { staging, intake, direct, payloadBytesMax } = routes;
  const claims = new Claims();
  const part = z.strictObject({ number: z.int().min(1).max(direct.partsMax), size: z.int().min(1) });
  const schema = {
    summary:
      "Where the store takes these parts of an upload, each by PUT and of exactly that size, for 15 minutes",
    params,
    body: z.strictObject({ parts: z.array(part).min(1).max(urlsMax) }),
    response: {
      200: z.strictObject({ parts: z.array(z.strictObject({ number: z.int(), url: z.string() })) }),
    },
  };
  app.post("/uploads/:id/parts", { config: { access: "open", cost: 2 }, schema }, async (request) => {
    const { id } = request.params;
    const upload = await staging.find(id);
    const past = demandDirect(upload);
    if (upload.complete) throw new ChartsealError("input-invalid", "the upload is complete");
    const { parts } = request.body;
    intake.count(addressOf(request), claims.add(id, parts));
    if (claims.sum(id) > payloadBytesMax) {
      throw new ChartsealError("input-invalid", "a payload is larger than this provider takes");
    }
    const urls = await Promise.all(
      parts.map(async ({ number, size }) => ({ number, url: await direct.partUrl(past, { number, size }) })),
    );
    await staging.touch(id);
    return { parts: urls };
  });
  addCompletion(app, routes, claims);
}

function addCompletion(
  app: RoleApp,
  { staging, takings, payloadBytesMax }: DirectRoutes,
  claims: Claims,
): void {
  const schema = {
    summary:
      "Ends an upload whose parts the store has: kept where reading it back gives this size and digest",
    params,
    body: completed,
    response: { 200: stands },
  };
  app.post("/uploads/:id/completed", { config: { access: "open", cost: 10 }, schema }, async (request) => {
    const { id } = request.params;
    const { body } = request;
    const upload = await staging.find(id);
    demandDirect(upload);
    if (body.size > payloadBytesMax) {
      throw new ChartsealError("input-invalid", "a payload is larger than this provider takes");
    }
    // Told again what was told already: its answer was lost.
    if (!upload.complete) {
      const line = (async function* () {
        yield utf8(`${JSON.stringify(body)}\n`);
      })();
      const end = { offset: upload.offset, complete: true, sizeMax: completedBytesMax };
      await staging.append(id, line, end);
    }
    const taken = await takings.result(await staging.find(id));
    if (taken.result !== null) claims.forget(id);
    return standsOf(taken);
  });
}
