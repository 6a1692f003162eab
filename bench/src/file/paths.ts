/** The two sides that are measured: sealing and opening into nothing, and the real way over a provider's store. */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { concat, type Descriptor, openPayload, sealPayload } from "@chartseal/crypto";
import {
  type JournalEntry,
  type ProviderStores,
  StorageProvider,
  type Surroundings,
} from "@chartseal/sharing";
import { type ObjectStore, openFilesystemStore, openWholeFile } from "@chartseal/storage";
import { blocksOf } from "./disk.ts";

/** All that opening needs; what a header would hold. */
export interface Sealed {
  readonly descriptor: Descriptor;
  readonly fileKey: Uint8Array;
  readonly keyCommitment: Uint8Array;
  readonly length: number;
  readonly digest: Uint8Array;
  readonly leaves: Uint8Array;
  /** Name of the stored payload; none where it went into nothing. */
  readonly address: string;
}

/** Seals a file, or blocks that are lent, and drops every chunk, or hands them to `take`. */
export async function sealFile(
  source: string | Iterable<Uint8Array>,
  take: (chunks: AsyncIterable<Uint8Array>) => Promise<{ readonly address: string }> = drop,
): Promise<Sealed> {
  const leaves: Uint8Array[] = [];
  const sealing = sealPayload({
    source: typeof source === "string" ? blocksOf(source) : source,
    lend: true,
    onLeaf: (leaf) => void leaves.push(leaf),
  });
  const { address } = await take(sealing.chunks);
  const { length, digest } = await sealing.finished;
  const { descriptor, fileKey, keyCommitment } = sealing;
  return { descriptor, fileKey, keyCommitment, length, digest, leaves: concat(...leaves), address };
}

async function drop(chunks: AsyncIterable<Uint8Array>): Promise<{ readonly address: string }> {
  for await (const _chunk of chunks) {
    // The sink of nothing.
  }
  return { address: "" };
}

type Source = (offset: number, length: number) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

function opened(sealed: Sealed, source: Source): AsyncIterable<Uint8Array> {
  const { leaves, ...rest } = sealed;
  return openPayload({ ...rest, leaves: { list: leaves }, source, lend: true });
}

/** Opens a sealed file and drops every byte. */
export async function openToNothing(sealed: Sealed, path: string): Promise<void> {
  const source: Source = (from, length) => blocksOf(path, { from, length });
  for await (const _piece of opened(sealed, source)) {
    // The sink of nothing.
  }
}

/** A provider's stores in a folder, as `init` makes them, without the parts that payloads never meet. */
export class PayloadStore {
  readonly #folder: string;
  readonly #stores: Pick<ProviderStores, "objects" | "leaves">;
  readonly #provider: StorageProvider;

  private constructor(folder: string, stores: Pick<ProviderStores, "objects" | "leaves">) {
    this.#folder = folder;
    this.#stores = stores;
    const journal = { append: async (entry: JournalEntry) => this.#appendDurably(entry) };
    // Taking a payload asks neither the ledger nor a key.
    const surroundings = { now: () => Date.now() } as unknown as Surroundings;
    const identity = { account: new Uint8Array(20), seed: new Uint8Array(32) };
    const self = { surroundings, identity, stores: { ...stores, journal } } as unknown;
    this.#provider = new StorageProvider(self as ConstructorParameters<typeof StorageProvider>[0]);
  }

  /** Its objects in the folder too, or wherever they are wanted. */
  static async open(folder: string, elsewhere?: ObjectStore): Promise<PayloadStore> {
    const objects = elsewhere ?? (await openFilesystemStore(join(folder, "objects")));
    const leaves = await openFilesystemStore(join(folder, "leaves"));
    return new PayloadStore(folder, { objects, leaves });
  }

  #appendDurably(entry: JournalEntry): void {
    const file = openSync(join(this.#folder, "journal.jsonl"), "a");
    writeSync(file, `${JSON.stringify(entry)}\n`);
    fsyncSync(file);
    closeSync(file);
  }

  /** Where a stored payload lies. */
  pathOf({ address }: Sealed): string {
    return join(this.#folder, "objects", address);
  }

  /** The real deposit of a payload: sealed, hashed again by the provider, written, durable. */
  seal(source: string | Iterable<Uint8Array>): Promise<Sealed> {
    return sealFile(source, (chunks) => this.#provider.takePayload(chunks));
  }

  /** The real way out: read from the store, checked, opened, written, durable. */
  async open(sealed: Sealed, to: string): Promise<void> {
    const target = await openWholeFile(to);
    for await (const piece of this.read(sealed)) await target.write(piece);
    await target.commit();
  }

  /** Read from the store, checked and opened; each piece is lent until the next is asked for. */
  read(sealed: Sealed): AsyncIterable<Uint8Array> {
    const { objects } = this.#stores;
    return opened(sealed, (from, length) =>
      objects.get(sealed.address, { from, toInclusive: from + length - 1 }, { lend: true }),
    );
  }

  async remove({ address }: Sealed): Promise<void> {
    await this.#stores.objects.remove(address);
    await this.#stores.leaves.remove(address);
    await this.#stores.leaves.remove(`${address}.tree`);
  }
}
