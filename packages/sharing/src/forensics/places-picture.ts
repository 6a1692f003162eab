/**
 * The report's picture of places: a column a place, and for each record two rows, its payload's shards and its header's,
 * each shard where it lies. A wrong shard shows where in it the wrong blocks are. Inline SVG, as the other pictures.
 */
import { escaped, plural } from "./markup.ts";
import type { DividedObject, ShardSeen } from "./shards.ts";

const width = 960;
const left = 270;
const head = 26;
const row = 28;
const cellHeight = 20;
const recordGap = 10;
/** Columns that stand beside each other; further places begin a new picture. */
const columnsMax = 8;

/** Empty for a home without places, or with nothing divided. */
export function placesPicture(places: readonly string[], divided: readonly DividedObject[]): string {
  if (places.length === 0 || divided.length === 0) return "";
  const homeless = divided.some(({ shards }) => shards.some(({ place }) => place === null));
  const columns: readonly (string | null)[] = homeless ? [...places, null] : places;
  const count = Math.ceil(columns.length / columnsMax);
  return Array.from({ length: count }, (_, at) =>
    onePicture(columns.slice(at * columnsMax, (at + 1) * columnsMax), divided),
  ).join("\n");
}

function onePicture(columns: readonly (string | null)[], divided: readonly DividedObject[]): string {
  const step = (width - left) / columns.length;
  const shapes = columns.map((place, at) => {
    const text = `<text class="below" x="${left + at * step + step / 2}" y="14">${escaped(place ?? "nowhere")}</text>`;
    return text;
  });
  let y = head;
  let before: string | undefined;
  for (const one of divided) {
    const name = one.object.replace(/\.header$/, "");
    if (before !== undefined && before !== name) y += recordGap;
    if (before !== name) shapes.push(nameShape(one, y));
    before = name;
    shapes.push(`<text class="part" x="163" y="${y + 15}">${one.part} ${one.k}of${one.n}</text>`);
    shapes.push(...columns.map((place, at) => cell(one, place, { x: left + at * step, y, wide: step - 8 })));
    y += row;
  }
  const label = `${plural(divided.length, "divided object")} at ${plural(columns.length, "place")}`;
  return `<svg class="picture" viewBox="-8 -4 ${width + 16} ${y + 8}" role="img" aria-label="${label}">${shapes.join("")}</svg>`;
}

function nameShape({ recordId, object }: DividedObject, y: number): string {
  const name = recordId ?? object;
  const short = recordId === null ? "no record" : `${recordId.slice(0, 16)}…`;
  return `<text class="name" x="0" y="${y + 15}"><title>${escaped(name)}</title>${short}</text>`;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly wide: number;
}

const classes = { good: "good", missing: "missing", altered: "broken", unreachable: "unchecked" } as const;
const words = { good: "good", missing: "missing", altered: "wrong", unreachable: "not looked at" } as const;

/** Shards of that object at that place, beside each other; nothing where none belongs there. */
function cell(object: DividedObject, place: string | null, box: Box): string {
  const here = object.shards.filter((shard) => shard.place === place);
  const wide = box.wide / Math.max(1, here.length);
  return here
    .map((shard, at) => shardShape(object, shard, { ...box, x: box.x + at * wide, wide: wide - 2 }))
    .join("");
}

function shardShape(
  { blocks: total }: DividedObject,
  { shard, state, blocks }: ShardSeen,
  { x, y, wide }: Box,
): string {
  const which = blocks.length === 0 ? "" : `, blocks ${blocks.join(", ")}`;
  const each = Math.max(3, wide / Math.max(1, total));
  const wrong = blocks.map((block) => {
    const from = Math.min((block / Math.max(1, total)) * wide, wide - each);
    return `<rect class="bad" x="${(x + from).toFixed(1)}" y="${y + cellHeight - 5}" width="${each.toFixed(1)}" height="5"/>`;
  });
  return (
    `<g class="block ${classes[state]}"><title>shard ${shard}: ${words[state]}${which}</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${wide.toFixed(1)}" height="${cellHeight}" rx="3"/></g>${wrong.join("")}` +
    `<text class="in" x="${(x + wide / 2).toFixed(1)}" y="${y + 13}">${shard}: ${words[state]}</text>`
  );
}
