/**
 * The ledger's state as a rule sees it: byte strings under (kind, key), where a kind is one byte (spec/6-ledger.md).
 *
 * Overlays stack: the block's lies over the tree at the last root, a transaction's over the block's. A transaction that
 * is refused leaves nothing, because its overlay is dropped.
 */
import { assert } from "@chartseal/crypto";

/** One byte, 0 to 255; spec/6-ledger.md lists what each one holds. */
export type StateKind = number;

/** Kind of the machine's own entries: key u64 height → hash of that block, 32 bytes. */
export const blockKind: StateKind = 0;

/** Longest key in bytes. */
export const stateKeyBytesMax = 1024;

/** What a rule may do with the state. Byte strings handed out are shared: nobody changes them in place. */
export interface StateAccess {
  get(kind: StateKind, key: Uint8Array): Uint8Array | undefined;
  put(kind: StateKind, key: Uint8Array, value: Uint8Array): void;
  remove(kind: StateKind, key: Uint8Array): void;
}

/** What an overlay lies upon. */
export interface StateReader {
  get(kind: StateKind, key: Uint8Array): Uint8Array | undefined;
}

/** One key's new value; `undefined` removes it. */
export interface StateChange {
  readonly kind: StateKind;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** Bytes as a map key: one character a byte. Short strings only. */
export function byteText(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

function entryText(kind: StateKind, key: Uint8Array): string {
  assert(Number.isInteger(kind) && kind >= 0 && kind <= 255, "a state kind is one byte");
  assert(key.length <= stateKeyBytesMax, "a state key has at most 1,024 bytes");
  return String.fromCharCode(kind) + byteText(key);
}

/** A layer over another reader. Layers stack, and a key's text is made once for all of them. */
abstract class Layer implements StateReader {
  readonly #below: StateReader;

  constructor(below: StateReader) {
    this.#below = below;
  }

  get(kind: StateKind, key: Uint8Array): Uint8Array | undefined {
    return this.lookUp(entryText(kind, key), kind, key);
  }

  protected below(text: string, kind: StateKind, key: Uint8Array): Uint8Array | undefined {
    const reader = this.#below;
    return reader instanceof Layer ? reader.lookUp(text, kind, key) : reader.get(kind, key);
  }

  protected abstract lookUp(text: string, kind: StateKind, key: Uint8Array): Uint8Array | undefined;
}

/** Entries that are remembered at once: a full block reads a third of it. Whoever sends what is refused could fill any memory. */
const rememberedMax = 32_768;

/** A reader that asks the one below once for each key: for a state that stays as it is meanwhile. */
export class Remembering extends Layer {
  readonly #known = new Map<string, Uint8Array | undefined>();

  protected lookUp(text: string, kind: StateKind, key: Uint8Array): Uint8Array | undefined {
    const known = this.#known.get(text);
    if (known !== undefined || this.#known.has(text)) return known;
    const value = this.below(text, kind, key);
    if (this.#known.size >= rememberedMax) this.#known.clear();
    this.#known.set(text, value);
    return value;
  }
}

/** A reader that keeps the first thing that reading failed with, until it is told to forget it. */
export class Watching extends Layer {
  failure: unknown;

  protected lookUp(text: string, kind: StateKind, key: Uint8Array): Uint8Array | undefined {
    try {
      return this.below(text, kind, key);
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }
}

/** Writes over a reader, in memory; the reader below never changes. */
export class Overlay extends Layer implements StateAccess {
  readonly #changes = new Map<string, StateChange>();

  protected lookUp(text: string, kind: StateKind, key: Uint8Array): Uint8Array | undefined {
    const change = this.#changes.get(text);
    return change === undefined ? this.below(text, kind, key) : change.value;
  }

  put(kind: StateKind, key: Uint8Array, value: Uint8Array): void {
    this.#changes.set(entryText(kind, key), { kind, key: new Uint8Array(key), value: new Uint8Array(value) });
  }

  remove(kind: StateKind, key: Uint8Array): void {
    this.#changes.set(entryText(kind, key), { kind, key: new Uint8Array(key), value: undefined });
  }

  /** The last change of each key. */
  changes(): StateChange[] {
    return [...this.#changes.values()];
  }

  /** Writes everything into another state: a transaction that applied, into its block. */
  writeTo(state: StateAccess): void {
    for (const { kind, key, value } of this.#changes.values()) {
      if (value === undefined) state.remove(kind, key);
      else state.put(kind, key, value);
    }
  }
}
