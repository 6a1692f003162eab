/**
 * The paper's figure 2: the time of each step, ours beside Waters 2011 and BSW 2007, which stand in peers/ over the same
 * backend with the same tables. The peers neither sign nor outsource; their missing steps are missing in the picture.
 */
import {
  decapsulate,
  encapsulate,
  invert,
  keygenDirect,
  type Pairing,
  type Policy,
  recoverFromTransform,
  recoverMessage,
  setupDirect,
  sign,
  verify,
} from "@chartseal/crypto";
import { round } from "../machine.ts";
import { interleaved, type Side } from "../measure.ts";
import type { Row } from "../outcome.ts";
import * as bsw07 from "../peers/bsw07.ts";
import * as waters11 from "../peers/waters11.ts";
import type { Plot } from "../plot.ts";
import { attributesOf, context, readingWorld, signingWorld } from "../worlds.ts";

const steps = ["setup", "keygen", "encrypt", "sign", "transform", "decrypt", "verify"] as const;
type Step = (typeof steps)[number];
const schemes = ["ours", "ours, full key", "Waters 2011", "BSW 2007"] as const;
type Scheme = (typeof schemes)[number];
type Sides = Readonly<Partial<Record<Scheme, Side>>>;

/** The reader after outsourcing is "ours"; one with a key of its own "ours, full key". */
function readingSides(
  pairing: Pairing,
  n: number,
): Record<"setup" | "keygen" | "encrypt" | "transform" | "decrypt", Sides> {
  const attributes = attributesOf(n);
  const ours = readingWorld(pairing, n);
  const { mpk, policy, fullKey, transformKey, recoveryKey, alpha } = ours;
  const { encapsulation } = encapsulate(pairing, { mpk, policy, context });
  const transform = pairing.gt.encode(decapsulate(pairing, { key: transformKey, policy, encapsulation }));
  const locked = { policy, context, encapsulation };
  const withFullKey = (): unknown => {
    const shared = decapsulate(pairing, { key: fullKey, policy, encapsulation });
    return recoverMessage(pairing, { ...locked, shared });
  };
  const w = watersSides(pairing, policy, attributes);
  const b = bswSides(pairing, policy, attributes);
  return {
    setup: { ours: { run: () => setupDirect(pairing) }, "Waters 2011": w.setup, "BSW 2007": b.setup },
    keygen: {
      ours: { run: () => keygenDirect(pairing, { alpha, attributes }) },
      "Waters 2011": w.keygen,
      "BSW 2007": b.keygen,
    },
    encrypt: {
      ours: { run: () => encapsulate(pairing, { mpk, policy, context }) },
      "Waters 2011": w.encrypt,
      "BSW 2007": b.encrypt,
    },
    transform: { ours: { run: () => decapsulate(pairing, { key: transformKey, policy, encapsulation }) } },
    decrypt: {
      ours: { run: () => recoverFromTransform(pairing, { ...locked, transform, recoveryKey }) },
      "ours, full key": { run: withFullKey },
      "Waters 2011": w.decrypt,
      "BSW 2007": b.decrypt,
    },
  };
}

type PeerSides = Record<"setup" | "keygen" | "encrypt" | "decrypt", Side>;

function watersSides(pairing: Pairing, policy: Policy, attributes: readonly string[]): PeerSides {
  const { publicKey, master } = waters11.setup(pairing);
  const key = waters11.keygen(pairing, master, attributes);
  const { ciphertext } = waters11.encrypt(pairing, publicKey, policy);
  return {
    setup: { run: () => waters11.setup(pairing) },
    keygen: { run: () => waters11.keygen(pairing, master, attributes) },
    encrypt: { run: () => waters11.encrypt(pairing, publicKey, policy) },
    decrypt: { run: () => waters11.decrypt(pairing, key, policy, ciphertext) },
  };
}

function bswSides(pairing: Pairing, policy: Policy, attributes: readonly string[]): PeerSides {
  const { publicKey, master } = bsw07.setup(pairing, invert);
  const key = bsw07.keygen(pairing, master, attributes);
  const { ciphertext } = bsw07.encrypt(pairing, publicKey, policy);
  return {
    setup: { run: () => bsw07.setup(pairing, invert) },
    keygen: { run: () => bsw07.keygen(pairing, master, attributes) },
    encrypt: { run: () => bsw07.encrypt(pairing, publicKey, policy) },
    decrypt: { run: () => bsw07.decrypt(pairing, key, policy, ciphertext) },
  };
}

function signingSides(pairing: Pairing, n: number): Record<"sign" | "verify", Sides> {
  const { keys, committeeKey, statement } = signingWorld(pairing, n, ["p"]);
  const stated = statement("p");
  const signature = sign(pairing, stated, keys);
  return {
    sign: { ours: { run: () => sign(pairing, stated, keys) } },
    verify: { ours: { run: () => verify(pairing, committeeKey, { ...stated, signature }) } },
  };
}

/** One row a step and n: median ms of each scheme. */
export async function figureRows(
  pairing: Pairing,
  sizes: readonly number[],
  { rounds, note }: { readonly rounds: number; readonly note: (text: string) => void },
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const n of sizes) {
    note(`seed: figure 2, n = ${n}`);
    const sides: Record<Step, Sides> = { ...readingSides(pairing, n), ...signingSides(pairing, n) };
    for (const step of steps) {
      const present = sides[step] as Record<Scheme, Side>;
      // Enough rounds before the clock counts that every fixed base has its table, as in a service that runs.
      const samples = await interleaved(present, { rounds, warmUps: 13 });
      const times = schemes.map((scheme) => [
        `${scheme}, ms`,
        present[scheme] === undefined ? null : round(samples.median(scheme)),
      ]);
      rows.push({ n, step, ...Object.fromEntries(times) });
    }
  }
  return rows;
}

export function figurePlots(rows: readonly Row[], sizes: readonly number[]): Plot[] {
  return steps.map((step): Plot => {
    const of = (scheme: Scheme) =>
      rows.filter((row) => row.step === step).map((row) => (row[`${scheme}, ms`] ?? null) as number | null);
    const series = schemes.map((scheme, style) => ({
      name: nameOf(scheme, step),
      values: of(scheme),
      style,
    }));
    return {
      title: step,
      xLabel: "n attributes",
      yLabel: "ms",
      labels: sizes.map(String),
      scale: "log",
      series: series.filter(({ values }) => values.some((value) => value !== null)),
    };
  });
}

function nameOf(scheme: Scheme, step: Step): string {
  return scheme === "ours" && step === "decrypt" ? "ours, after outsourcing" : scheme;
}
