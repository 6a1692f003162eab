/** Tables of fixed bases and hash caches: bounded, freed, worth it, and never met by a long-term secret. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { u32 } from "../src/bytes.ts";
import { CombTables } from "../src/pairing/comb.ts";
import { Scratch } from "../src/pairing/heap.ts";
import { LeastRecentlyUsed } from "../src/pairing/lru.ts";
import { loadPairing, openPairing } from "../src/pairing/mcl.ts";
import { type Group, order, type Pairing, type Scalar } from "../src/pairing/pairing.ts";
import { randomScalar } from "../src/random.ts";

const tag = "chartseal-v1/test/tables\0";
type Opened = Awaited<ReturnType<typeof openPairing>>;

function bases<P>(group: Group<P>, count: number): P[] {
  return group.hash(
    tag,
    Array.from({ length: count }, (_, i) => u32(i)),
  );
}

function fixedMultiply<P>(group: Group<P>, point: P, scalar: Scalar): P {
  return group.linear([[{ point, scalar, fixed: true }]])[0] as P;
}

afterEach(() => vi.restoreAllMocks());

describe("the tables of fixed bases", () => {
  let small: Opened;
  beforeAll(async () => {
    const bound = { buildAtUse: 3, tablesMax: 2 };
    small = await openPairing({ g1: bound, g2: bound, gt: bound });
  });

  test("are built on the use they are said to be built at, and not before", async () => {
    const { pairing, usage } = await openPairing({
      g1: { buildAtUse: 3, tablesMax: 2 },
      g2: { buildAtUse: 1, tablesMax: 2 },
      gt: { buildAtUse: 2, tablesMax: 1 },
    });
    const seen = Array.from({ length: 4 }, () => {
      fixedMultiply(pairing.g1, pairing.g1.generator, 5n);
      return usage().tables.g1;
    });
    expect(seen).toEqual([0, 0, 1, 1]);
    fixedMultiply(pairing.g2, pairing.g2.generator, 5n);
    expect(usage().tables.g2).toBe(1);
    const base = pairing.multiPairing([[pairing.g1.generator, pairing.g2.generator]]);
    for (const [use, tables] of [0, 1, 1].entries()) {
      pairing.gt.power([{ base, exponent: BigInt(use + 5), fixed: true }]);
      expect(usage().tables.gt).toBe(tables);
    }
  });

  test("serve a base that was decoded again, and give the same products as without", () => {
    const { g1 } = small.pairing;
    const bytes = g1.encode(g1.hash(tag, [u32(99)])[0] as never);
    for (const scalar of [
      2n,
      3n,
      order - 2n,
      order >> 1n,
      2n ** 254n,
      ...Array.from({ length: 20 }, () => randomScalar()),
    ]) {
      const again = g1.decode(bytes);
      expect(g1.equal(fixedMultiply(g1, again, scalar), g1.multiply(again, scalar))).toBe(true);
    }
    expect(small.usage().tables.g1).toBeGreaterThan(0);
  });

  test("are shared by a base that was computed anew, in whatever form", async () => {
    const bound = { buildAtUse: 3, tablesMax: 8 };
    const { pairing, usage } = await openPairing({ g1: bound, g2: bound, gt: bound });
    const check = <P>(group: Group<P>, tables: () => number) => {
      const { generator } = group;
      const [two, three] = [group.multiply(generator, 2n), group.multiply(generator, 3n)];
      const forms = [
        group.add(two, three),
        group.multiply(generator, 5n),
        group.sum(Array(5).fill(generator)),
      ];
      const scalar = randomScalar();
      const products = forms.map((point) => fixedMultiply(group, point, scalar));
      expect(tables()).toBe(1);
      for (const product of products) expect(group.equal(product, products[0] as P)).toBe(true);
    };
    check(pairing.g1, () => usage().tables.g1);
    check(pairing.g2, () => usage().tables.g2);
  });

  test("are never more than their bound; what is dropped is freed, and its base still multiplies rightly", () => {
    const { g1, g2, gt } = small.pairing;
    const check = <P>(group: Group<P>) => {
      for (const point of bases(group, 6)) {
        for (let use = 0; use < 4; use++) fixedMultiply(group, point, randomScalar());
      }
      const scalar = randomScalar();
      for (const point of bases(group, 6)) {
        expect(group.equal(fixedMultiply(group, point, scalar), group.multiply(point, scalar))).toBe(true);
      }
    };
    check(g1);
    check(g2);
    for (let i = 0; i < 4; i++) {
      const base = small.pairing.multiPairing([[g1.multiply(g1.generator, BigInt(i + 5)), g2.generator]]);
      for (let use = 0; use < 4; use++) gt.power([{ base, exponent: BigInt(use + 7), fixed: true }]);
    }
    const { tables, heapBytes } = small.usage();
    expect(tables).toEqual({ g1: 2, g2: 2, gt: 2 });
    const tableBytes = 2 * (2 * 128 * 144 + 2 * 128 * 288 + 4 * 128 * 576);
    expect(heapBytes).toBeGreaterThan(tableBytes);
    expect(heapBytes).toBeLessThan(tableBytes + 64 * 1024);
  });

  test("a row with more fixed bases than tables is right", () => {
    const { g1 } = small.pairing;
    const points = bases(g1, 5);
    for (let use = 0; use < 6; use++) {
      const terms = points.map((point) => ({ point, scalar: randomScalar(), fixed: true }));
      const plain = g1.sum(terms.map((term) => g1.multiply(term.point, term.scalar)));
      expect(g1.equal(g1.linear([terms])[0] as never, plain)).toBe(true);
    }
  });

  test("are no use for the identity, which is left out", async () => {
    const bound = { buildAtUse: 2, tablesMax: 2 };
    const { pairing, usage } = await openPairing({ g1: bound, g2: bound, gt: bound });
    const { g1 } = pairing;
    const zero = g1.add(g1.generator, g1.negate(g1.generator));
    for (let use = 0; use < 5; use++) expect(g1.isZero(fixedMultiply(g1, zero, randomScalar()))).toBe(true);
    expect(usage().tables.g1).toBe(0);
    expect(g1.isZero(g1.linear([[]])[0] as never)).toBe(true);
  });

  test("a process that goes on does not grow: 10^4 operations leave the memory as it was", () => {
    const { pairing, usage } = small;
    const { g1, g2, gt } = pairing;
    const [points, others] = [bases(g1, 8), bases(g2, 8)];
    const mixed = (count: number) => {
      for (let i = 0; i < count; i++) {
        const [point, other] = [points[i % 8] as never, others[i % 8] as never];
        if (i % 100 === 0) gt.encode(pairing.multiPairing([[point, other]]));
        else if (i % 100 === 50) fixedMultiply(g2, other, BigInt(i + 2));
        else if (i % 10 === 0) fixedMultiply(g1, point, BigInt(i + 2));
        else if (i % 10 === 1) g1.hash(tag, [u32(1_000_000 + i)]);
        else if (i % 10 === 2) g1.decode(g1.encode(point));
        else if (i % 10 === 3) g2.add(other, g2.generator);
        else g1.add(point, g1.generator);
      }
    };
    mixed(1500);
    const before = usage();
    mixed(10_000);
    expect(usage().memoryBytes).toBe(before.memoryBytes);
    expect(usage().heapBytes).toBe(before.heapBytes);
  });

  test("are worth it: at least a quarter less time in each group, tables built", async () => {
    const { pairing } = await openPairing();
    const { g1, g2, gt } = pairing;
    const scalar = randomScalar();
    const base = pairing.multiPairing([[g1.generator, g2.generator]]);
    const fastest = (run: () => unknown) => {
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 12; round++) {
        const start = performance.now();
        for (let i = 0; i < 6; i++) run();
        best = Math.min(best, performance.now() - start);
      }
      return best;
    };
    const pairs: [() => unknown, () => unknown][] = [
      [() => fixedMultiply(g1, g1.generator, scalar), () => g1.multiply(g1.generator, scalar)],
      [() => fixedMultiply(g2, g2.generator, scalar), () => g2.multiply(g2.generator, scalar)],
      [
        () => gt.power([{ base, exponent: scalar, fixed: true }]),
        () => gt.power([{ base, exponent: scalar }]),
      ],
    ];
    for (const [withTable, without] of pairs)
      expect(fastest(withTable) / fastest(without)).toBeLessThan(0.75);
  });
});

describe("coefficients that cost nothing", () => {
  test("0, 1 and p − 1 never reach a multiplication", async () => {
    const { g1, g2, gt, ...rest } = await loadPairing();
    const spy = vi.spyOn(Scratch.prototype, "storeScalar");
    const combine = vi.spyOn(CombTables.prototype, "combine");
    const check = <P>(group: Group<P>) => {
      const [a, b, c] = bases(group, 3) as [P, P, P];
      const terms = [
        { point: a, scalar: 1n, fixed: true },
        { point: b, scalar: order - 1n, fixed: true },
        { point: c, scalar: 0n },
      ];
      expect(group.equal(group.linear([terms])[0] as P, group.add(a, group.negate(b)))).toBe(true);
    };
    check(g1);
    check(g2);
    const base = rest.multiPairing([[g1.generator, g2.generator]]);
    const product = gt.power([
      { base, exponent: 1n },
      { base, exponent: order - 1n, fixed: true },
      { base, exponent: 0n },
    ]);
    expect(gt.isOne(product)).toBe(true);
    expect(spy).not.toHaveBeenCalled();
    expect(combine).not.toHaveBeenCalled();
  });
});

describe("a long-term secret", () => {
  let pairing: Pairing;
  beforeAll(async () => {
    const often = { buildAtUse: 1, tablesMax: 4 };
    pairing = (await openPairing({ g1: often, g2: often, gt: often })).pairing;
  });

  test("never touches a table, even of a base that has one, and never reaches a multiplication whole", () => {
    const { g1, g2, gt } = pairing;
    const base = pairing.multiPairing([[g1.generator, g2.generator]]);
    fixedMultiply(g1, g1.generator, 5n);
    fixedMultiply(g2, g2.generator, 5n);
    gt.power([{ base, exponent: 5n, fixed: true }]);
    const find = vi.spyOn(CombTables.prototype, "find");
    const combine = vi.spyOn(CombTables.prototype, "combine");
    const scalars = vi.spyOn(Scratch.prototype, "storeScalar");
    for (const secret of [0n, 1n, order - 1n, randomScalar()]) {
      for (const split of [
        () => g1.multiplySplit(g1.generator, secret),
        () => g2.multiplySplit(g2.generator, secret),
        () => gt.powerSplit(base, secret),
      ]) {
        const seen = new Set<Scalar>();
        for (let round = 0; round < 3; round++) {
          scalars.mockClear();
          split();
          const parts = scalars.mock.calls.map(([scalar]) => scalar);
          expect(parts).toHaveLength(2);
          expect(parts).not.toContain(secret);
          expect(parts.reduce((sum, part) => (sum + part) % order, 0n)).toBe(secret);
          for (const part of parts) seen.add(part);
        }
        expect(seen.size, "the parts are fresh each time").toBe(6);
      }
    }
    expect(find).not.toHaveBeenCalled();
    expect(combine).not.toHaveBeenCalled();
    fixedMultiply(g1, g1.generator, 7n);
    expect(find).toHaveBeenCalledOnce();
  });
});

describe("hash points", () => {
  test("are cached by tag and message, and the cache is bounded", async () => {
    const { g1 } = (await openPairing()).pairing;
    const [first] = g1.hash(tag, [u32(1)]);
    expect(g1.hash(tag, [u32(1)])[0]).toBe(first);
    expect(g1.hash("other\0", [u32(1)])[0]).not.toBe(first);
    g1.hash(
      tag,
      Array.from({ length: 1100 }, (_, i) => u32(i + 2)),
    );
    const [again] = g1.hash(tag, [u32(1)]);
    expect(again).not.toBe(first);
    expect(g1.equal(again as never, first as never)).toBe(true);
  });

  test("are forgotten in the order of their last use", () => {
    const dropped: number[] = [];
    const map = new LeastRecentlyUsed<number>(2, (value) => dropped.push(value));
    map.add("a", 1);
    map.add("b", 2);
    expect(map.get("a")).toBe(1);
    map.add("c", 3);
    expect(dropped).toEqual([2]);
    expect([map.get("a"), map.get("b"), map.get("c"), map.size]).toEqual([1, undefined, 3, 2]);
    map.delete("a");
    map.delete("a");
    expect(dropped).toEqual([2, 1]);
  });
});

describe("loading", () => {
  test("happens once", async () => {
    expect(await loadPairing()).toBe(await loadPairing());
  });
});
