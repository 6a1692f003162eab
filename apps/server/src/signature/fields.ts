/**
 * The part of HTTP structured fields (RFC 8941) that message signatures need: one dictionary member that is an inner list
 * of plain strings with integer and string parameters, and one that is a byte sequence. Everything else is refused, so
 * that no two readings of a header exist.
 */

export interface SignatureInput {
  readonly label: string;
  /** Component names in the order in which they are signed. */
  readonly components: readonly string[];
  readonly parameters: ReadonlyMap<string, string | number>;
  /** The member's value as it was sent: the line @signature-params signs these very bytes. */
  readonly text: string;
}

const labelPattern = /^([a-z*][a-z0-9_.*-]{0,63})=/;
const parameterPattern =
  /^;([a-z*][a-z0-9_.*-]{0,63})=(?:"((?:[\x20-\x21\x23-\x5b\x5d-\x7e])*)"|(-?[0-9]{1,15}))/;
const componentPattern = /^"([a-z0-9@!#$%&'*+.^_`|~-]{1,64})"$/;
const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** `label=("a" "b");created=1;keyid="k"`, one member only; undefined for anything else. */
export function parseSignatureInput(header: string): SignatureInput | undefined {
  const label = labelPattern.exec(header)?.[1];
  if (label === undefined) return undefined;
  const text = header.slice(label.length + 1);
  const end = text.indexOf(")");
  if (!text.startsWith("(") || end < 0) return undefined;
  const list = text.slice(1, end);
  const components: string[] = [];
  for (const item of list === "" ? [] : list.split(" ")) {
    const name = componentPattern.exec(item)?.[1];
    if (name === undefined || components.includes(name)) return undefined;
    components.push(name);
  }
  const parameters = new Map<string, string | number>();
  let rest = text.slice(end + 1);
  while (rest !== "") {
    const [whole, name, string, integer] = parameterPattern.exec(rest) ?? [];
    if (whole === undefined || name === undefined || parameters.has(name)) return undefined;
    parameters.set(name, string ?? Number(integer));
    rest = rest.slice(whole.length);
  }
  return { label, components, parameters, text };
}

/** `label=:base64:`, one member only. */
export function parseByteSequence(header: string): { label: string; bytes: Uint8Array } | undefined {
  const label = labelPattern.exec(header)?.[1];
  if (label === undefined) return undefined;
  const value = header.slice(label.length + 1);
  if (value.length < 2 || !value.startsWith(":") || !value.endsWith(":")) return undefined;
  const base64 = value.slice(1, -1);
  if (!base64Pattern.test(base64)) return undefined;
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  // Padding bits that say nothing could say something: one spelling for each byte string.
  return byteSequence(label, bytes) === header ? { label, bytes } : undefined;
}

export function byteSequence(label: string, bytes: Uint8Array): string {
  return `${label}=:${toBase64(bytes)}:`;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export function formatSignatureInput(
  components: readonly string[],
  parameters: Readonly<Record<string, string | number>>,
): string {
  const list = components.map((name) => `"${name}"`).join(" ");
  const rest = Object.entries(parameters).map(([name, value]) =>
    typeof value === "number" ? `;${name}=${value}` : `;${name}="${value}"`,
  );
  return `(${list})${rest.join("")}`;
}
