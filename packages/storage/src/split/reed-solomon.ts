/**
 * Reed–Solomon erasure coding over GF(2^8) (Reed, Solomon 1960), systematic: the first k shards are the data, any k of n
 * give it back. The field's polynomial is 0x11d; row i of the matrix before it is made systematic is 1, i, i², … (spec
 * 5-storage, Split). The arithmetic is the WebAssembly of reed-solomon-erasure; its JavaScript is left out, because it
 * frees memory that `reconstruct` has taken over, which breaks the second call (docs/decisions/split-storage.md).
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { shardsMax } from "../place.ts";

/** What of WebAssembly is used here; its types come with those of browsers, which this package does not load. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  encode(shards: number, size: number, data: number, parity: number): number;
  /** Takes over the flags' memory. Writes missing data shards, not parity. */
  reconstruct(
    shards: number,
    size: number,
    data: number,
    parity: number,
    flags: number,
    count: number,
  ): number;
  __wbindgen_malloc(size: number): number;
  __wbindgen_free(at: number, size: number): void;
}

export interface Code {
  readonly k: number;
  readonly n: number;
}

export class ReedSolomon {
  readonly #wasm: Exports;
  #at = 0;
  #size = 0;

  private constructor(wasm: Exports) {
    this.#wasm = wasm;
  }

  static #loaded: ReedSolomon | undefined;

  /** One for the process: calls are synchronous and leave nothing behind. */
  static load(): ReedSolomon {
    if (ReedSolomon.#loaded === undefined) {
      const path = createRequire(import.meta.url).resolve("@digitaldefiance/reed-solomon-erasure.wasm/wasm");
      const module = new WebAssembly.Module(readFileSync(path));
      ReedSolomon.#loaded = new ReedSolomon(new WebAssembly.Instance(module).exports as Exports);
    }
    return ReedSolomon.#loaded;
  }

  /** The n − k parity blocks of k data blocks of one length. */
  parity({ k, n }: Code, data: readonly Uint8Array[]): Uint8Array[] {
    const size = checkBlocks({ k, n }, data, k);
    if (k === n) return [];
    if (k === 1) return Array.from({ length: n - 1 }, () => Uint8Array.from(data[0]!));
    const memory = this.#hold(n * size);
    data.forEach((block, at) => {
      memory.set(block, at * size);
    });
    this.#demandOk(this.#wasm.encode(this.#at, n * size, k, n - k));
    return this.#taken({ from: k, to: n, size });
  }

  /** The k data blocks from any k blocks by index; those that are given come back as they are. */
  data({ k, n }: Code, blocks: ReadonlyMap<number, Uint8Array>): Uint8Array[] {
    const have = Array.from({ length: k }, (_, index) => blocks.get(index));
    if (have.every((block) => block !== undefined)) return have as Uint8Array[];
    const size = checkBlocks({ k, n }, [...blocks.values()], Math.max(k, blocks.size));
    if (k === 1) return [[...blocks.values()][0]!];
    this.#hold(n * size);
    const flags = this.#wasm.__wbindgen_malloc(n);
    // Only now: every allocation may move the memory.
    const memory = new Uint8Array(this.#wasm.memory.buffer);
    for (let index = 0; index < n; index++) memory[flags + index] = blocks.has(index) ? 1 : 0;
    for (const [index, block] of blocks) memory.set(block, this.#at + index * size);
    this.#demandOk(this.#wasm.reconstruct(this.#at, n * size, k, n - k, flags, n));
    const made = this.#taken({ from: 0, to: k, size });
    return have.map((block, index) => block ?? made[index]!);
  }

  /** Our part of the memory, of at least that size. */
  #hold(size: number): Uint8Array {
    if (size > this.#size) {
      if (this.#size > 0) this.#wasm.__wbindgen_free(this.#at, this.#size);
      this.#at = this.#wasm.__wbindgen_malloc(size);
      this.#size = size;
    }
    return new Uint8Array(this.#wasm.memory.buffer, this.#at);
  }

  #taken({ from, to, size }: { from: number; to: number; size: number }): Uint8Array[] {
    const memory = new Uint8Array(this.#wasm.memory.buffer, this.#at);
    return Array.from({ length: to - from }, (_, at) =>
      memory.slice((from + at) * size, (from + at + 1) * size),
    );
  }

  #demandOk(result: number): void {
    if (result !== 0) throw new Error(`the erasure code answers ${result}`);
  }
}

/** Their one length. */
function checkBlocks({ k, n }: Code, blocks: readonly Uint8Array[], count: number): number {
  const size = blocks[0]?.length ?? 0;
  const sound = 1 <= k && k <= n && n <= shardsMax && blocks.length === count && size > 0;
  if (!sound || blocks.some((block) => block.length !== size)) {
    throw new Error("blocks of one length, k of them at least, are what the code takes");
  }
  return size;
}
