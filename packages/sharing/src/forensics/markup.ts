/** Pieces of the report's page: text that cannot become markup, times, sizes, shortened identifiers. */

export function escaped(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replaceAll(/[&<>"']/g, (found) => entities[found] ?? found);
}

/** ms since 1970 as a person reads it, in UTC. */
export function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** The beginning of a long identifier, the whole of it on hover. */
export function short(hex: string, digits = 12): string {
  if (hex.length <= digits + 4) return `<code>${escaped(hex)}</code>`;
  return `<code title="${escaped(hex)}">${escaped(hex.slice(0, digits))}…</code>`;
}

/** With a comma at the thousands. */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}
