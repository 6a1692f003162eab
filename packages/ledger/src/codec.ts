/**
 * Strict codecs between typed values and the deterministic encoding (packages/crypto/src/encoding.ts): one canonical
 * form each, arrays only, every size limited. Bodies of transactions and values of the state are made of these.
 * Both directions check, so that nothing is ever signed that a decoder would refuse.
 */
import { type CborValue, ChartsealError, decode, encode } from "@chartseal/crypto";

export interface Codec<T> {
  /** @throws ChartsealError `encoding-invalid` */
  write(value: T): CborValue;
  /** @throws ChartsealError `encoding-invalid` */
  read(value: CborValue | undefined): T;
  /** Of a struct: its fields in their order. */
  readonly fields?: readonly string[];
}

/** The type that a codec reads. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

type Writable = { write(value: unknown): CborValue; read(value: CborValue | undefined): unknown };
type StructOf<S> = { readonly [K in keyof S]: ValueOf<S[K]> };

function refuse(what: string): never {
  throw new ChartsealError("encoding-invalid", `expected ${what}`);
}

function same<T extends CborValue>(read: (value: CborValue | undefined) => T): Codec<T> {
  return { read, write: (value) => read(value) };
}

/** Exactly `size` bytes. */
export function bytesOf(size: number): Codec<Uint8Array> {
  return same((value) =>
    value instanceof Uint8Array && value.length === size ? value : refuse(`${size} bytes`),
  );
}

/** At most `sizeMax` bytes. */
export function bytesUpTo(sizeMax: number): Codec<Uint8Array> {
  return same((value) =>
    value instanceof Uint8Array && value.length <= sizeMax ? value : refuse(`at most ${sizeMax} bytes`),
  );
}

/** Well-formed text of 1 to `lengthMax` UTF-16 units, in a form where one is given. */
export function text(lengthMax: number, form?: RegExp): Codec<string> {
  return same((value) => {
    const fits = typeof value === "string" && value.length >= 1 && value.length <= lengthMax;
    return fits && (form?.test(value) ?? true) ? value : refuse(`text of 1 to ${lengthMax} characters`);
  });
}

/** An integer from 0 to 2^53 − 1. */
export const uint: Codec<number> = same((value) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse("an integer from 0"),
);

/** One of these texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Codec<T> {
  return same((value) => texts.find((one) => one === value) ?? refuse(`one of ${texts.join(", ")}`));
}

export const bool: Codec<boolean> = same((value) =>
  typeof value === "boolean" ? value : refuse("a boolean"),
);

/** Null or a value. */
export function optional<T>(codec: Codec<T>): Codec<T | null> {
  return {
    read: (value) => (value === null ? null : codec.read(value)),
    write: (value) => (value === null ? null : codec.write(value)),
  };
}

/** At most `countMax` items. */
export function listOf<T>(item: Codec<T>, countMax: number): Codec<readonly T[]> {
  const check = (size: number): void => {
    if (size > countMax) refuse(`at most ${countMax} items`);
  };
  return {
    read: (value) => {
      if (!Array.isArray(value)) refuse("an array");
      check(value.length);
      return (value as readonly CborValue[]).map((one) => item.read(one));
    },
    write: (value) => {
      check(value.length);
      return value.map((one) => item.write(one));
    },
  };
}

/** An array of the fields' values, in the order in which they are named here. */
export function struct<const S extends { readonly [K in keyof S]: Codec<never> | Codec<unknown> }>(
  shape: S,
): Codec<StructOf<S>> {
  const fields = Object.entries(shape as unknown as Record<string, Writable>);
  return {
    fields: Object.keys(shape),
    read: (value) => {
      if (!Array.isArray(value) || value.length !== fields.length)
        refuse(`an array of ${fields.length} items`);
      const items = value as readonly CborValue[];
      return Object.fromEntries(
        fields.map(([name, codec], at) => [name, codec.read(items[at])]),
      ) as StructOf<S>;
    },
    write: (value) => fields.map(([name, codec]) => codec.write((value as Record<string, unknown>)[name])),
  };
}

/** A codec's value as bytes. @throws ChartsealError `encoding-invalid` */
export function toBytes<T>(codec: Codec<T>, value: T): Uint8Array {
  return encode(codec.write(value));
}

/** A codec's value from its one encoding. @throws ChartsealError `encoding-invalid` */
export function fromBytes<T>(codec: Codec<T>, bytes: Uint8Array, sizeMax = 1 << 20): T {
  return codec.read(decode(bytes, { sizeMax }));
}

const decoded = new WeakMap<Uint8Array, { readonly codec: unknown; readonly value: unknown }>();

/**
 * The same, read once: for bytes that come again and again, such as the state's with every transaction of a block. Neither they
 * nor the value are ever changed in place.
 */
export function fromSharedBytes<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const before = decoded.get(bytes);
  if (before?.codec === codec) return before.value as T;
  const value = fromBytes(codec, bytes);
  decoded.set(bytes, { codec, value });
  return value;
}
