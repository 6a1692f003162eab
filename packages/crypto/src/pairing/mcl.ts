/**
 * The default backend: mcl-wasm 2.4.1 through its raw module (heap.ts), with ZCash encodings (ETH serialization) and
 * RFC 9380 hashing (`BLS12381G{1,2}_XMD:SHA-256_SSWU_RO_`; mcl's fixed DST, so our tag goes in front of the message).
 */
import { assert } from "../errors.ts";
import { openHeap, Scratch } from "./heap.ts";
import { CurveGroup, CurvePoint } from "./mcl-group.ts";
import { type TargetElement, TargetField } from "./mcl-target.ts";
import type { G1, G2, Group, Pairing, TargetGroup } from "./pairing.ts";

class PointOfG1 extends CurvePoint {}
class PointOfG2 extends CurvePoint {}

const generatorOfG1 =
  "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
const generatorOfG2 =
  "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e" +
  "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";

let loaded: Promise<Pairing> | undefined;

/** The default backend, initialised once a process; takes about 20 ms the first time. */
export function loadPairing(): Promise<Pairing> {
  loaded ??= openPairing().then((opened) => opened.pairing);
  return loaded;
}

/** How full the backend's memory is, for the tests of its bounds. */
export interface BackendUsage {
  readonly heapBytes: number;
  readonly memoryBytes: number;
  readonly tables: { readonly g1: number; readonly g2: number; readonly gt: number };
}

/** Bounds of the tables of fixed bases; a table is 37 kB in G1, 74 kB in G2, 295 kB in GT. */
export interface TableBounds {
  readonly g1: { readonly buildAtUse: number; readonly tablesMax: number };
  readonly g2: { readonly buildAtUse: number; readonly tablesMax: number };
  readonly gt: { readonly buildAtUse: number; readonly tablesMax: number };
}

/** The n-th use is about where building (1.2, 3.9 and 9 ms) has cost as much as the uses so far could have saved. */
const defaultBounds: TableBounds = {
  g1: { buildAtUse: 6, tablesMax: 320 },
  g2: { buildAtUse: 12, tablesMax: 128 },
  gt: { buildAtUse: 12, tablesMax: 8 },
};

/** A backend of its own, with its own tables; programs use `loadPairing`. */
export async function openPairing(
  bounds: TableBounds = defaultBounds,
): Promise<{ pairing: Pairing; usage: () => BackendUsage }> {
  const heap = await openHeap();
  const scratch = new Scratch(heap);
  const [calls1, calls2] = [heap.curve("G1"), heap.curve("G2")];
  const g1 = new CurveGroup<PointOfG1>(scratch, {
    degree: 1,
    element: PointOfG1,
    generatorHex: generatorOfG1,
    calls: calls1,
    ...bounds.g1,
  });
  const g2 = new CurveGroup<PointOfG2>(scratch, {
    degree: 2,
    element: PointOfG2,
    generatorHex: generatorOfG2,
    calls: calls2,
    ...bounds.g2,
  });
  const target = heap.target();
  const gt = new TargetField(scratch, target, bounds.gt);

  function multiPairing(pairs: readonly (readonly [PointOfG1, PointOfG2])[]): TargetElement {
    const present = pairs.filter(([a, b]) => !g1.isZero(a) && !g2.isZero(b));
    if (present.length === 0) return gt.one;
    const first = scratch.arena(present.length * (g1.elementBytes + g2.elementBytes));
    const second = first + present.length * g1.elementBytes;
    for (const [i, [a, b]] of present.entries()) {
      g1.store(a, first + i * g1.elementBytes);
      g2.store(b, second + i * g2.elementBytes);
    }
    target.millerLoopVector(scratch.left, first, second, present.length);
    target.finalExponentiation(scratch.result, scratch.left);
    return gt.result();
  }

  // The opaque types of the interface are these classes' instances; each use checks its class.
  const pairing: Pairing = {
    name: "mcl-wasm 2.4.1",
    g1: g1 as unknown as Group<G1>,
    g2: g2 as unknown as Group<G2>,
    gt: gt as unknown as TargetGroup,
    multiPairing: multiPairing as unknown as Pairing["multiPairing"],
  };
  const usage = () => ({
    heapBytes: heap.liveBytes,
    memoryBytes: heap.memoryBytes,
    tables: { g1: g1.tables.size, g2: g2.tables.size, gt: gt.tables.size },
  });
  assert(!g1.isZero(g1.generator) && !g2.isZero(g2.generator), "the pairing module has its generators");
  return { pairing, usage };
}
