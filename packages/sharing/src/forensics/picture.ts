/**
 * The report's pictures as inline SVG: the chain with its good, unchecked, broken and missing blocks, and each record as
 * its header and a strip of chunks with the bad ranges marked. No script, no external resource; colours come from the
 * page's style by class.
 */
import { escaped, plural, size } from "./markup.ts";
import type { ChainSegment, RecordStrip } from "./report.ts";

const width = 960;
const blockSide = 26;
const gap = 6;
const rowHeight = 58;
/** Longer runs of one state are drawn as one bar. */
const runMin = 6;

interface Tile {
  readonly from: number;
  readonly to: number;
  readonly state: ChainSegment["state"];
  readonly width: number;
}

function tiles(segments: readonly ChainSegment[]): Tile[] {
  return segments.flatMap(({ from, to, state }): Tile[] => {
    const count = to - from + 1;
    const single = (at: number): Tile => ({ from: at, to: at, state, width: blockSide });
    if (count < runMin) return Array.from({ length: count }, (_, at) => single(from + at));
    // A run: wider for more blocks, but never so wide that the rest is lost.
    const run = { from, to, state, width: Math.min(260, 110 + 10 * Math.log2(count)) };
    return [run];
  });
}

/** The chain as a picture; an empty text for a chain without blocks. */
export function chainPicture(segments: readonly ChainSegment[]): string {
  const shapes: string[] = [];
  let x = 0;
  let row = 0;
  for (const [at, tile] of tiles(segments).entries()) {
    if (x > 0 && x + tile.width > width) {
      x = 0;
      row++;
    }
    if (at > 0) shapes.push(link(x, row));
    shapes.push(tileShape(tile, x, row * rowHeight));
    x += tile.width + gap;
  }
  if (shapes.length === 0) return "";
  const height = (row + 1) * rowHeight;
  const label = segments.map(({ from, to, state }) => `blocks ${from} to ${to} ${state}`).join(", ");
  return `<svg class="picture" viewBox="-8 -4 ${width + 16} ${height}" role="img" aria-label="${escaped(label)}">${shapes.join("")}</svg>`;
}

function link(x: number, row: number): string {
  const y = row * rowHeight + blockSide / 2;
  return `<line class="link" x1="${x - gap}" y1="${y}" x2="${x}" y2="${y}"/>`;
}

function tileShape({ from, to, state, width: wide }: Tile, x: number, y: number): string {
  const name = from === to ? `block ${from}` : `blocks ${from} to ${to}`;
  const text = from === to ? "" : `${plural(to - from + 1, "block")}`;
  const inner =
    from === to ? mark(state, x, y) : `<text class="in" x="${x + wide / 2}" y="${y + 17}">${text}</text>`;
  const below = from === to ? `${from}` : `${from} – ${to}`;
  return (
    `<g class="block ${state}"><title>${name}: ${words[state]}</title>` +
    `<rect x="${x}" y="${y}" width="${wide}" height="${blockSide}" rx="4"/>${inner}` +
    `<text class="below" x="${x + wide / 2}" y="${y + blockSide + 14}">${below}</text></g>`
  );
}

const words: Readonly<Record<ChainSegment["state"], string>> = {
  good: "checked and good",
  unchecked: "sound by itself; the state after it could not be made again",
  broken: "altered",
  missing: "missing",
};

/** So that colour is never the only sign. */
function mark(state: ChainSegment["state"], x: number, y: number): string {
  if (state === "broken") {
    return `<path class="mark" d="M${x + 8} ${y + 8}l10 10m0 -10l-10 10"/>`;
  }
  if (state === "missing") return `<text class="in" x="${x + blockSide / 2}" y="${y + 18}">?</text>`;
  return "";
}

const stripLeft = 270;
const stripWidth = width - stripLeft - 120;
const stripRow = 34;

/** Records as strips of chunks. */
export function recordsPicture(strips: readonly RecordStrip[]): string {
  if (strips.length === 0) return "";
  const rows = strips.map((strip, at) => stripShape(strip, at * stripRow));
  const height = strips.length * stripRow;
  const label = `${plural(strips.length, "record")}: header and chunks of each`;
  return `<svg class="picture" viewBox="-8 -4 ${width + 16} ${height + 4}" role="img" aria-label="${label}">${rows.join("")}</svg>`;
}

function headerState({ header }: RecordStrip): string {
  return { good: "good", missing: "missing", altered: "broken", erased: "erased" }[header];
}

function stripShape(strip: RecordStrip, y: number): string {
  const { recordId, header, leaves, chunks, registeredBytes, bad, excess } = strip;
  const name = `<text class="name" x="0" y="${y + 17}"><title>${recordId}</title>${recordId.slice(0, 16)}…</text>`;
  const head =
    `<g class="block ${headerState(strip)}"><title>header: ${header}</title>` +
    `<rect x="163" y="${y + 2}" width="48" height="20" rx="3"/><text class="in" x="187" y="${y + 16}">header</text></g>`;
  const hashes =
    leaves === "good" || leaves === "erased"
      ? ""
      : `<g class="block broken"><title>leaf hashes: ${leaves}</title><rect x="216" y="${y + 2}" width="48" height="20" rx="3"/><text class="in" x="240" y="${y + 16}">leaves</text></g>`;
  const scale = stripWidth / Math.max(1, registeredBytes);
  const gone = strip.bytes < 0 && header !== "erased";
  const state = header === "erased" ? "erased" : gone ? "missing" : "good";
  const body = `<rect class="strip ${state}" x="${stripLeft}" y="${y + 2}" width="${stripWidth}" height="20" rx="3"/>`;
  const lines = chunks > 1 && chunks <= 96 && !gone ? chunkLines(strip, y) : "";
  const ranges = bad.map(({ chunk, chunks: count, offset, length }) => {
    const wide = Math.max(4, Math.min(stripWidth, length * scale));
    const left = Math.min(offset * scale, stripWidth - wide);
    const title = `chunks ${chunk} to ${chunk + count - 1}, bytes ${offset} to ${offset + length - 1}`;
    return `<rect class="bad" x="${(stripLeft + left).toFixed(1)}" y="${y}" width="${wide.toFixed(1)}" height="24"><title>${title}</title></rect>`;
  });
  const beyond =
    excess > 0
      ? `<rect class="excess" x="${stripLeft + stripWidth + 2}" y="${y}" width="8" height="24"><title>${excess} bytes too many</title></rect>`
      : "";
  const label = header === "erased" ? "erased" : gone ? "missing" : size(registeredBytes);
  const after = `<text class="size" x="${stripLeft + stripWidth + 18}" y="${y + 17}">${label}</text>`;
  return name + head + hashes + body + lines + ranges.join("") + beyond + after;
}

function chunkLines({ chunks }: RecordStrip, y: number): string {
  const step = stripWidth / chunks;
  const lines = Array.from({ length: chunks - 1 }, (_, at) => {
    const x = (stripLeft + step * (at + 1)).toFixed(1);
    return `M${x} ${y + 2}v20`;
  });
  return `<path class="chunks" d="${lines.join("")}"/>`;
}
