/**
 * The raw mcl module (mcl-wasm 2.4.1, BLS12-381): pointers into its WebAssembly memory instead of its JavaScript
 * objects, so that a table stays in the heap and a row is a handful of calls with nothing copied between them.
 *
 * mcl's layouts, little-endian words, Montgomery form: Fp 48 bytes, Fr 32, G1 144 (X, Y, Z), G2 288, GT 576.
 * `mod` is in mcl-wasm's JavaScript and not in its types, which is why the version is pinned exactly.
 */
import { assert } from "../errors.ts";
import type { Scalar } from "./pairing.ts";

type Pointer = number;
type Unary = (result: Pointer, a: Pointer) => void;
type Binary = (result: Pointer, a: Pointer, b: Pointer) => void;
type Test = (a: Pointer) => number;
type Compare = (a: Pointer, b: Pointer) => number;
type Read = (result: Pointer, bytes: Pointer, size: number) => number;
type Write = (bytes: Pointer, sizeMax: number, a: Pointer) => number;
type Vector = (result: Pointer, points: Pointer, scalars: Pointer, count: number) => void;

/** What mcl exports for G1 and G2 alike. */
export interface CurveCalls {
  readonly add: Binary;
  readonly subtract: Binary;
  readonly double: Unary;
  readonly negate: Unary;
  readonly multiply: Binary;
  readonly multiplyVector: Vector;
  readonly normalizeVector: (result: Pointer, points: Pointer, count: number) => void;
  readonly equal: Compare;
  readonly isZero: Test;
  readonly hash: Read;
  readonly deserialize: Read;
  readonly serialize: Write;
}

/** What mcl exports for GT, and the pairing. */
export interface TargetCalls {
  readonly multiply: Binary;
  readonly square: Unary;
  /** Conjugation: the inverse inside the subgroup only. */
  readonly conjugate: Unary;
  readonly power: Binary;
  readonly powerVector: Vector;
  readonly equal: Compare;
  readonly isOne: Test;
  readonly isZero: Test;
  readonly setInt: (result: Pointer, value: number) => void;
  readonly deserialize: Read;
  readonly serialize: Write;
  readonly millerLoopVector: (result: Pointer, g1: Pointer, g2: Pointer, count: number) => void;
  readonly finalExponentiation: Unary;
}

interface RawModule {
  readonly wasmMemory: { readonly buffer: ArrayBuffer };
  readonly _malloc: (sizeBytes: number) => Pointer;
  readonly _free: (pointer: Pointer) => void;
  readonly [name: `_mcl${string}`]: (...values: number[]) => number;
}

/** Memory and calls of one initialised mcl module. */
export class Heap {
  readonly #raw: RawModule;
  #words: Uint32Array;
  #bytes: Uint8Array;
  #liveBytes = 0;
  readonly #sizes = new Map<Pointer, number>();

  constructor(raw: RawModule) {
    this.#raw = raw;
    this.#words = new Uint32Array(raw.wasmMemory.buffer);
    this.#bytes = new Uint8Array(raw.wasmMemory.buffer);
  }

  /** The memory in 32-bit words; taken anew after each call that may grow it, which detaches the old view. */
  get words(): Uint32Array {
    if (this.#words.length === 0) this.#words = new Uint32Array(this.#raw.wasmMemory.buffer);
    return this.#words;
  }

  get bytes(): Uint8Array {
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(this.#raw.wasmMemory.buffer);
    return this.#bytes;
  }

  /** Bytes that we hold of the heap; for the test that a long process does not grow. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Size of the module's whole memory, which never shrinks. */
  get memoryBytes(): number {
    return this.#raw.wasmMemory.buffer.byteLength;
  }

  allocate(sizeBytes: number): Pointer {
    const pointer = this.#raw._malloc(sizeBytes);
    assert(pointer !== 0, "the pairing module is out of memory");
    this.#sizes.set(pointer, sizeBytes);
    this.#liveBytes += sizeBytes;
    return pointer;
  }

  free(pointer: Pointer): void {
    const size = this.#sizes.get(pointer);
    assert(size !== undefined, "freed twice, or never allocated");
    this.#sizes.delete(pointer);
    this.#liveBytes -= size;
    this.#raw._free(pointer);
  }

  call(name: string): (...values: number[]) => number {
    const found = this.#raw[`_mcl${name}`];
    assert(typeof found === "function", `the pairing module has no ${name}`);
    return found;
  }

  curve(group: "G1" | "G2"): CurveCalls {
    const of = (name: string) => this.call(`Bn${group}_${name}`);
    return {
      add: of("add"),
      subtract: of("sub"),
      double: of("dbl"),
      negate: of("neg"),
      multiply: of("mul"),
      multiplyVector: of("mulVec"),
      normalizeVector: of("normalizeVec"),
      equal: of("isEqual"),
      isZero: of("isZero"),
      hash: of("hashAndMapTo"),
      deserialize: of("deserialize"),
      serialize: of("serialize"),
    };
  }

  target(): TargetCalls {
    const of = (name: string) => this.call(`BnGT_${name}`);
    return {
      multiply: of("mul"),
      square: of("sqr"),
      conjugate: of("inv"),
      power: of("pow"),
      powerVector: of("powVec"),
      equal: of("isEqual"),
      isOne: of("isOne"),
      isZero: of("isZero"),
      setInt: of("setInt32"),
      deserialize: of("deserialize"),
      serialize: of("serialize"),
      millerLoopVector: this.call("Bn_millerLoopVec"),
      finalExponentiation: this.call("Bn_finalExp"),
    };
  }
}

/** A scalar goes over as four 64-bit words, least significant first. */
const word = 0xffff_ffff_ffff_ffffn;

/** Working memory of one heap: a few fixed slots, and one arena that grows to the widest row seen and stays. */
export class Scratch {
  readonly heap: Heap;
  /** Result of the call at hand. */
  readonly result: Pointer;
  readonly left: Pointer;
  readonly right: Pointer;
  readonly #scalarBytes: Pointer;
  readonly #setScalar: Read;
  #arena: Pointer = 0;
  #arenaBytes = 0;

  constructor(heap: Heap) {
    this.heap = heap;
    const base = heap.allocate(4 * 576);
    this.result = base;
    this.left = base + 576;
    this.right = base + 2 * 576;
    this.#scalarBytes = base + 3 * 576;
    this.#setScalar = heap.call("BnFr_setLittleEndian");
  }

  /** At least `sizeBytes`, valid until the next call of `arena`. */
  arena(sizeBytes: number): Pointer {
    if (sizeBytes > this.#arenaBytes) {
      if (this.#arena !== 0) this.heap.free(this.#arena);
      this.#arenaBytes = Math.max(4096, 2 ** Math.ceil(Math.log2(sizeBytes)));
      this.#arena = this.heap.allocate(this.#arenaBytes);
    }
    return this.#arena;
  }

  store(words: Uint32Array, at: Pointer): void {
    this.heap.words.set(words, at >> 2);
  }

  take(at: Pointer, sizeBytes: number): Uint32Array {
    return this.heap.words.slice(at >> 2, (at + sizeBytes) >> 2);
  }

  /** A reduced scalar as mcl's Fr at `at`. */
  storeScalar(scalar: Scalar, at: Pointer): void {
    const view = this.heap.words;
    let rest = scalar;
    for (let i = 0; i < 4; i++) {
      const part = rest & word;
      view[(this.#scalarBytes >> 2) + 2 * i] = Number(part & 0xffff_ffffn);
      view[(this.#scalarBytes >> 2) + 2 * i + 1] = Number(part >> 32n);
      rest >>= 64n;
    }
    const failed = this.#setScalar(at, this.#scalarBytes, 32);
    assert(failed === 0, "the pairing module refused a scalar");
  }
}

/** Initialises mcl for BLS12-381 with RFC 9380 hashing, ZCash encodings and subgroup checks on decoding. */
export async function openHeap(): Promise<Heap> {
  // 600 kB of it are the module's bytes: nothing that needs no pairing loads them.
  const { default: mcl } = await import("mcl-wasm");
  await mcl.init(mcl.BLS12_381);
  mcl.setETHserialization(true);
  mcl.setMapToMode(mcl.IRTF);
  mcl.verifyOrderG1(true);
  mcl.verifyOrderG2(true);
  return new Heap((mcl as unknown as { readonly mod: RawModule }).mod);
}
