/**
 * Signing periods by quarter (CRYPTO §3, Periods; spec/7-sharing.md). A label is opened by its namespace alone and never
 * follows from a clock by itself: the namespace's service opens the next quarter's when block time or its clock has
 * reached it, so that nobody has to act. Labels that are no quarters are left as they are.
 */
import { fromUtf8, hasCode, utf8 } from "@chartseal/crypto";
import { entries, type Ledger, listItemKey, lists } from "@chartseal/ledger";
import type { Surroundings } from "./parties.ts";
import { type Reader, readEntry, readList } from "./state.ts";
import type { AccountWriter } from "./submit.ts";

/** The label of a new period: the quarter of a time, as `2026q4`. */
export function quarterLabel(timestampMs: number): string {
  const date = new Date(timestampMs);
  return `${date.getUTCFullYear()}q${Math.floor(date.getUTCMonth() / 3) + 1}`;
}

/** The quarter of block time or clock, whichever is later: a clock that goes back takes no quarter back. */
export async function quarterNow({ ledger, now }: Pick<Surroundings, "ledger" | "now">): Promise<string> {
  const { timestampMs } = await ledger.head();
  return quarterLabel(Math.max(timestampMs, now()));
}

/** Quarters since the year 0, to tell which is later; undefined for a label that is no quarter. */
function quarterOf(label: string): number | undefined {
  const [, year, quarter] = /^([0-9]{4})q([1-4])$/.exec(label) ?? [];
  return year === undefined ? undefined : Number(year) * 4 + Number(quarter);
}

async function isBehind(ledger: Reader, attribute: string, label: string): Promise<boolean> {
  const period = await readEntry(ledger, entries.period, utf8(attribute));
  const current = period === undefined ? undefined : quarterOf(period.label);
  const wanted = quarterOf(label);
  return current !== undefined && wanted !== undefined && current < wanted;
}

/**
 * Whether the namespace has a period to open, by two reads: the first attribute is rolled over last, so that where it
 * has the quarter all have.
 */
async function arePeriodsBehind(ledger: Reader, namespace: string, label: string): Promise<boolean> {
  const key = listItemKey(lists.attributesOfNamespace, utf8(namespace), 0);
  const first = await readEntry(ledger, entries.listItem, key);
  if (first === undefined) return false;
  const period = await readEntry(ledger, entries.period, first);
  if (period === undefined || quarterOf(period.label) !== undefined) {
    return await isBehind(ledger, fromUtf8(first), label);
  }
  return (await periodsBehind(ledger, namespace, label)).length > 0;
}

async function periodsBehind(ledger: Reader, namespace: string, label: string): Promise<string[]> {
  const behind: string[] = [];
  for (const item of await readList(ledger, lists.attributesOfNamespace, utf8(namespace))) {
    const attribute = fromUtf8(item);
    if (await isBehind(ledger, attribute, label)) behind.push(attribute);
  }
  return behind;
}

/** Those of the namespaces that have a period to open now: two reads each. */
export async function namespacesBehind(
  surroundings: Pick<Surroundings, "now"> & { readonly ledger: Ledger },
  namespaces: readonly string[],
): Promise<string[]> {
  const label = await quarterNow(surroundings);
  const behind: string[] = [];
  for (const name of namespaces) {
    if (await arePeriodsBehind(surroundings.ledger, name, label)) behind.push(name);
  }
  return behind;
}

/**
 * Opens the present quarter's period of every attribute that is behind, the first attribute last. Another process that
 * does the same at once does no harm: the ledger opens a label once, and whoever comes second finds it open.
 * @returns the attributes that this call rolled over
 */
export async function rollPeriods(
  surroundings: Pick<Surroundings, "ledger" | "now">,
  namespace: { readonly name: string; readonly writer: AccountWriter },
): Promise<string[]> {
  const { ledger } = surroundings;
  const { name, writer } = namespace;
  const label = await quarterNow(surroundings);
  if (!(await arePeriodsBehind(ledger, name, label))) return [];
  const rolled: string[] = [];
  for (const attribute of (await periodsBehind(ledger, name, label)).reverse()) {
    try {
      await writer.submit({ kind: "open-period", namespace: name, attribute, label });
      rolled.push(attribute);
    } catch (error) {
      const lost = hasCode(error, "input-invalid") || hasCode(error, "transaction-refused");
      if (!lost || (await isBehind(ledger, attribute, label))) throw error;
    }
  }
  return rolled;
}
