/**
 * Pictures of results: a grid of small charts as one SVG, written by hand since it is little. The x axis is a row of
 * labels at equal distances; colours are those of Okabe and Ito, which colour-blind readers tell apart, and each series
 * has a mark of its own besides.
 */
import { type Axis, axisOf, positionOf, tickText } from "./plot-axis.ts";

export interface Series {
  readonly name: string;
  /** One value a label of the x axis; null where there is none. */
  readonly values: readonly (number | null)[];
  /** Which colour and mark; default: the place in the list. Keeps a series the same through several charts. */
  readonly style?: number;
  /** For a line that may lie upon another one. */
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly labels: readonly string[];
  readonly series: readonly Series[];
  readonly kind?: "lines" | "bars";
  readonly scale?: "linear" | "log";
  /** A line across: what a claim allows. */
  readonly limit?: { readonly value: number; readonly name: string };
}

const panel = { width: 400, height: 300, left: 58, right: 16, top: 40, bottom: 48 };
const legendLine = 17;
const header = 44;
const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
const limitColour = "#B00020";

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

interface TextStyle {
  readonly anchor?: "start" | "middle" | "end";
  readonly size?: number;
  readonly fill?: string;
  readonly bold?: boolean;
  readonly rotate?: number;
}

function label(x: number, y: number, text: string, style: TextStyle = {}): string {
  const { anchor = "start", size = 12, fill = "#333", bold = false, rotate } = style;
  const turn = rotate === undefined ? "" : ` transform="rotate(${rotate} ${x} ${y})"`;
  const weight = bold ? ' font-weight="600"' : "";
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" text-anchor="${anchor}"${weight}${turn}>${escaped(text)}</text>`;
}

function line(from: readonly [number, number], to: readonly [number, number], style: string): string {
  return `<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" ${style}/>`;
}

/** The mark of a series: circle, square, triangle, diamond in turn. */
function mark(x: number, y: number, at: number): string {
  const colour = colours[at % colours.length];
  const shapes = [
    `<circle cx="${x}" cy="${y}" r="4"`,
    `<rect x="${x - 3.5}" y="${y - 3.5}" width="7" height="7"`,
    `<path d="M${x} ${y - 5}l5 8.5h-10z"`,
    `<path d="M${x} ${y - 5}l5 5l-5 5l-5 -5z"`,
  ];
  return `${shapes[at % shapes.length]} fill="${colour}"/>`;
}

interface Frame {
  readonly plot: Plot;
  readonly axis: Axis;
  /** The drawing area of the data. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

function xOf({ plot, left, width }: Frame, at: number): number {
  return Math.round((left + (width * (at + 0.5)) / plot.labels.length) * 10) / 10;
}

function yOf({ axis, top, height }: Frame, value: number): number {
  return Math.round((top + height * (1 - positionOf(axis, value))) * 10) / 10;
}

function axes(frame: Frame): string[] {
  const { plot, axis, left, top, width, height } = frame;
  const parts = axis.ticks.flatMap((tick) => {
    const y = yOf(frame, tick);
    return [
      line([left, y], [left + width, y], 'stroke="#e3e3e3"'),
      label(left - 7, y + 4, tickText(tick), { anchor: "end", size: 11 }),
    ];
  });
  plot.labels.forEach((text, at) => {
    const size = plot.labels.length > 6 ? 9 : 11;
    parts.push(label(xOf(frame, at), top + height + 17, text, { anchor: "middle", size }));
  });
  parts.push(line([left, top + height], [left + width, top + height], 'stroke="#555"'));
  parts.push(label(left + width / 2, top + height + 37, plot.xLabel, { anchor: "middle" }));
  const middle = top + height / 2;
  parts.push(label(left - 44, middle, plot.yLabel, { anchor: "middle", rotate: -90 }));
  return parts;
}

function drawLines(frame: Frame): string[] {
  return frame.plot.series.flatMap((series, at) => {
    const points = series.values.flatMap((value, x) =>
      value === null ? [] : [[xOf(frame, x), yOf(frame, value)] as const],
    );
    const path = points.map(([x, y]) => `${x},${y}`).join(" ");
    const style = series.style ?? at;
    const dash = series.dashed === true ? ' stroke-dasharray="5 5"' : "";
    return [
      `<polyline points="${path}" fill="none" stroke="${colours[style % colours.length]}" stroke-width="2"${dash}/>`,
      ...points.map(([x, y]) => mark(x, y, style)),
    ];
  });
}

function drawBars(frame: Frame): string[] {
  const { plot, top, width, height } = frame;
  const group = (width / plot.labels.length) * 0.76;
  const each = group / plot.series.length;
  return plot.series.flatMap((series, at) =>
    series.values.flatMap((value, x) => {
      if (value === null) return [];
      const y = yOf(frame, value);
      const start = xOf(frame, x) - group / 2 + at * each;
      const bar = `<rect x="${start.toFixed(1)}" y="${y}" width="${(each - 1).toFixed(1)}" height="${(top + height - y).toFixed(1)}" fill="${colours[at % colours.length]}"/>`;
      const number = label(start + each / 2, y - 4, tickText(value), { anchor: "middle", size: 10 });
      return each > 22 ? [bar, number] : [bar];
    }),
  );
}

function drawLimit(frame: Frame): string[] {
  const { plot, left, width } = frame;
  if (plot.limit === undefined) return [];
  const y = yOf(frame, plot.limit.value);
  const style = `stroke="${limitColour}" stroke-width="1.5" stroke-dasharray="6 4"`;
  return [line([left, y], [left + width, y], style)];
}

/** What the marks mean, under the chart, one line each. */
function legend(plot: Plot, x: number, y: number): string[] {
  const parts = plot.series.flatMap(({ name, style }, at) => {
    const base = y + at * legendLine;
    return [mark(x + 6, base - 4, style ?? at), label(x + 18, base, name, { size: 11 })];
  });
  if (plot.limit !== undefined) {
    const base = y + plot.series.length * legendLine;
    const style = `stroke="${limitColour}" stroke-width="1.5" stroke-dasharray="6 4"`;
    parts.push(line([x - 2, base - 4], [x + 14, base - 4], style));
    parts.push(label(x + 18, base, plot.limit.name, { size: 11 }));
  }
  return parts;
}

function legendLines(plot: Plot): number {
  return plot.series.length + (plot.limit === undefined ? 0 : 1);
}

function drawPanel(plot: Plot, x: number, y: number): string {
  const values = plot.series.flatMap((series) => series.values.filter((value) => value !== null));
  const limits = plot.limit === undefined ? [] : [plot.limit.value];
  const axis = axisOf([...values, ...limits], plot.scale ?? "linear");
  const left = x + panel.left;
  const top = y + panel.top;
  const width = panel.width - panel.left - panel.right;
  const height = panel.height - panel.top - panel.bottom;
  const frame: Frame = { plot, axis, left, top, width, height };
  const data = plot.kind === "bars" ? drawBars(frame) : drawLines(frame);
  return [
    label(x + 14, y + 20, plot.title, { size: 14, bold: true, fill: "#111" }),
    ...axes(frame),
    ...data,
    ...drawLimit(frame),
    ...legend(plot, left, y + panel.height + 12),
  ].join("\n");
}

/** The plots in a grid of at most `columns`, under one heading; a whole SVG document. */
export function renderPlots(heading: string, plots: readonly Plot[], columns = 2): string {
  const across = Math.min(columns, Math.max(1, plots.length));
  const parts: string[] = [];
  let y = header;
  for (let first = 0; first < plots.length; first += across) {
    const inRow = plots.slice(first, first + across);
    inRow.forEach((plot, at) => {
      parts.push(drawPanel(plot, at * panel.width, y));
    });
    y += panel.height + 24 + Math.max(...inRow.map(legendLines)) * legendLine;
  }
  const width = across * panel.width;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="Helvetica, Arial, sans-serif">`,
    `<rect width="${width}" height="${y}" fill="#fff"/>`,
    label(14, 28, heading, { size: 17, bold: true, fill: "#111" }),
    ...parts,
    "</svg>\n",
  ].join("\n");
}
