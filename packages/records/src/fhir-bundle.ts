/**
 * Large FHIR R4 bundles in slices. @medplum/core compares every entry of a Bundle with every other (bdl-7) and keeps
 * what it met of all of them: 40,000 small entries take 20 s and 300 MiB. A slice is the bundle with its first entry
 * (bdl-11 and bdl-12 ask for it) and up to 199 others; every other rule of Bundle looks at one entry at a time.
 */

const entriesOfSlice = 200;

interface Bundle {
  readonly resourceType: "Bundle";
  readonly type?: unknown;
  readonly entry: readonly unknown[];
}

export interface Slice {
  readonly resource: object;
  /** A path in the slice → the same place in the whole. */
  place(path: string): string;
}

function isLarge(resource: object): resource is Bundle {
  const { resourceType, entry } = resource as Partial<Bundle>;
  return resourceType === "Bundle" && Array.isArray(entry) && entry.length > entriesOfSlice;
}

/** The resource itself, or the slices of a large Bundle, one after the other. */
export function* slicesOf(resource: object): Iterable<Slice> {
  if (!isLarge(resource)) return yield { resource, place: (path) => path };
  const { entry } = resource;
  for (let from = 1; from < entry.length; from += entriesOfSlice - 1) {
    const part = [entry[0], ...entry.slice(from, from + entriesOfSlice - 1)];
    const place = (path: string): string =>
      path.replace(/^Bundle\.entry\[(\d+)\]/, (whole, index: string) =>
        index === "0" ? whole : `Bundle.entry[${from - 1 + Number(index)}]`,
      );
    yield { resource: { ...resource, entry: part }, place };
  }
}

function keyOf(entry: unknown): string | undefined {
  const { fullUrl, resource } = (entry ?? {}) as {
    fullUrl?: unknown;
    resource?: { meta?: { versionId?: unknown } };
  };
  return typeof fullUrl === "string" ? `${fullUrl}${String(resource?.meta?.versionId ?? "")}` : undefined;
}

/** True where two entries of a large Bundle have one fullUrl and version, which bdl-7 forbids across slices too. */
export function repeatsEntries(resource: object): boolean {
  if (!isLarge(resource) || resource.type === "history") return false;
  const keys = resource.entry.map(keyOf).filter((key) => key !== undefined);
  return new Set(keys).size < keys.length;
}
