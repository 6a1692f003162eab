/**
 * A strict reader of XML 1.0 with namespaces: it checks well-formedness and reports elements as it goes, keeps no tree
 * and follows nothing outside. Document type declarations are refused, so there are no entities to expand beyond the
 * five predefined ones. Written here because no dependency of ours reads XML, and this is all that is needed.
 */

export class XmlError extends Error {
  /** Where in the text, in characters from 0. */
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.name = "XmlError";
    this.offset = offset;
  }
}

export interface XmlElement {
  readonly namespace: string;
  readonly localName: string;
  /** Attributes without a prefix, by name; entity references resolved. */
  readonly attributes: ReadonlyMap<string, string>;
}

export interface XmlHandler {
  /** `path` holds the ancestors' local names and this one's, outermost first. */
  start?(element: XmlElement, path: readonly string[]): void;
  /** True stops the reading there, and the rest is not looked at. */
  stop?(): boolean;
}

/** Deepest nesting that is read. */
export const xmlDepthMax = 256;

const nameStart =
  "A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D" +
  "\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}";
const ncName = `[${nameStart}][${nameStart}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]*`;
const qualifiedName = new RegExp(`(?:(${ncName}):)?(${ncName})`, "uy");
const space = /[ \t\r\n]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 forbids exactly these.
const forbidden = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Cs}/u;
const reference = /&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));|&/g;
const predefined: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
const declaration =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"[A-Za-z][\w.-]*"|'[A-Za-z][\w.-]*'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>/;
const xmlNamespace = "http://www.w3.org/XML/1998/namespace";

interface OpenElement {
  readonly name: string;
  readonly namespaces: ReadonlyMap<string, string>;
}

class Reader {
  readonly #text: string;
  readonly #handler: XmlHandler;
  readonly #open: OpenElement[] = [];
  readonly #path: string[] = [];
  #at = 0;
  #hadRoot = false;

  constructor(text: string, handler: XmlHandler) {
    this.#text = text;
    this.#handler = handler;
  }

  read(): void {
    const bad = forbidden.exec(this.#text);
    if (bad !== null) throw new XmlError("a character that XML forbids", bad.index);
    const prolog = declaration.exec(this.#text);
    if (prolog !== null) this.#at = prolog[0].length;
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] === "<") this.#markup();
      else this.#characters();
      if (this.#handler.stop?.() === true) return;
    }
    if (this.#open.length > 0) this.#fail(`<${this.#open.at(-1)!.name}> is not closed`);
    if (!this.#hadRoot) this.#fail("no element");
  }

  #fail(message: string, offset = this.#at): never {
    throw new XmlError(message, offset);
  }

  #startsWith(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  /** The text up to `end`, which is passed over. */
  #until(end: string, what: string): string {
    const found = this.#text.indexOf(end, this.#at);
    if (found < 0) this.#fail(`${what} is not closed`);
    const inside = this.#text.slice(this.#at, found);
    this.#at = found + end.length;
    return inside;
  }

  #markup(): void {
    if (this.#startsWith("<!--")) {
      this.#at += 4;
      if (this.#until("-->", "a comment").match(/--|-$/)) this.#fail("-- inside a comment");
    } else if (this.#startsWith("<![CDATA[")) {
      if (this.#open.length === 0) this.#fail("CDATA outside the root element");
      this.#at += 9;
      this.#until("]]>", "CDATA");
    } else if (this.#startsWith("<!")) this.#fail("a document type declaration, which is refused here");
    else if (this.#startsWith("<?")) this.#instruction();
    else if (this.#startsWith("</")) this.#endTag();
    else this.#startTag();
  }

  #instruction(): void {
    this.#at += 2;
    const target = this.#name();
    if (target.prefix !== "" || target.localName.toLowerCase() === "xml")
      this.#fail("a misplaced declaration");
    const body = this.#until("?>", "a processing instruction");
    if (body !== "" && !/^[ \t\r\n]/.test(body)) this.#fail("a malformed processing instruction");
  }

  #characters(): void {
    const next = this.#text.indexOf("<", this.#at);
    const end = next < 0 ? this.#text.length : next;
    const characters = this.#text.slice(this.#at, end);
    if (this.#open.length === 0 && /[^ \t\r\n]/.test(characters)) this.#fail("text outside the root element");
    if (characters.includes("]]>")) this.#fail("]]> in text");
    this.#resolve(characters);
    this.#at = end;
  }

  /** Text with its references replaced. */
  #resolve(text: string): string {
    if (!text.includes("&")) return text;
    return text.replace(reference, (whole, named?: string, decimal?: string, hexadecimal?: string) => {
      if (named !== undefined) return predefined[named]!;
      if (whole === "&") this.#fail("an & that begins no known reference");
      const code = decimal === undefined ? Number.parseInt(hexadecimal!, 16) : Number.parseInt(decimal, 10);
      const character = code <= 0x10ffff ? String.fromCodePoint(code) : "\0";
      if (forbidden.test(character)) this.#fail("a reference to a character that XML forbids");
      return character;
    });
  }

  #name(): { prefix: string; localName: string; text: string } {
    qualifiedName.lastIndex = this.#at;
    const match = qualifiedName.exec(this.#text);
    if (match === null) this.#fail("a name is expected");
    this.#at += match[0].length;
    return { prefix: match[1] ?? "", localName: match[2]!, text: match[0] };
  }

  #skipSpace(): boolean {
    space.lastIndex = this.#at;
    const length = space.exec(this.#text)![0].length;
    this.#at += length;
    return length > 0;
  }

  #endTag(): void {
    this.#at += 2;
    const { text } = this.#name();
    this.#skipSpace();
    if (this.#text[this.#at++] !== ">") this.#fail("> is expected");
    const open = this.#open.pop();
    if (open?.name !== text)
      this.#fail(`</${text}> closes ${open === undefined ? "nothing" : `<${open.name}>`}`);
    this.#path.pop();
  }

  #startTag(): void {
    if (this.#open.length === 0 && this.#hadRoot) this.#fail("a second root element");
    if (this.#open.length >= xmlDepthMax) this.#fail(`nested more than ${xmlDepthMax} deep`);
    this.#at += 1;
    const name = this.#name();
    const { raw, empty } = this.#attributes();
    const namespaces = this.#namespaces(raw);
    const attributes = new Map<string, string>();
    const seen = new Set<string>();
    for (const { prefix, localName, value } of raw) {
      if (prefix === "xmlns" || (prefix === "" && localName === "xmlns")) continue;
      const expanded = `${prefix === "" ? "" : this.#namespaceOf(prefix, namespaces)} ${localName}`;
      if (seen.has(expanded)) this.#fail(`the attribute ${localName} is given twice`);
      seen.add(expanded);
      if (prefix === "") attributes.set(localName, value);
    }
    const namespace =
      name.prefix === "" ? (namespaces.get("") ?? "") : this.#namespaceOf(name.prefix, namespaces);
    this.#hadRoot = true;
    this.#path.push(name.localName);
    this.#handler.start?.({ namespace, localName: name.localName, attributes }, this.#path);
    if (empty) this.#path.pop();
    else this.#open.push({ name: name.text, namespaces });
  }

  #attributes(): {
    raw: { prefix: string; localName: string; text: string; value: string }[];
    empty: boolean;
  } {
    const raw = [];
    const names = new Set<string>();
    for (;;) {
      const spaced = this.#skipSpace();
      const empty = this.#startsWith("/>");
      if (empty || this.#text[this.#at] === ">") {
        this.#at += empty ? 2 : 1;
        return { raw, empty };
      }
      if (!spaced) this.#fail("space is expected before an attribute");
      const name = this.#name();
      if (names.has(name.text)) this.#fail(`the attribute ${name.text} is given twice`);
      names.add(name.text);
      this.#skipSpace();
      if (this.#text[this.#at++] !== "=") this.#fail("= is expected");
      this.#skipSpace();
      const quote = this.#text[this.#at++];
      if (quote !== '"' && quote !== "'") this.#fail("a quote is expected");
      const value = this.#until(quote, "an attribute's value");
      if (value.includes("<")) this.#fail("< in an attribute's value");
      raw.push({ ...name, value: this.#resolve(value.replace(/[\t\r\n]/g, " ")) });
    }
  }

  /** The declarations in force inside an element with these attributes. */
  #namespaces(
    raw: readonly { prefix: string; localName: string; value: string }[],
  ): ReadonlyMap<string, string> {
    const outer = this.#open.at(-1)?.namespaces ?? new Map([["xml", xmlNamespace]]);
    let inner: Map<string, string> | undefined;
    for (const { prefix, localName, value } of raw) {
      const isDefault = prefix === "" && localName === "xmlns";
      if (!isDefault && prefix !== "xmlns") continue;
      if (
        !isDefault &&
        (value === "" || localName === "xmlns" || (localName === "xml") !== (value === xmlNamespace))
      ) {
        this.#fail("a namespace declaration that is not allowed");
      }
      inner ??= new Map(outer);
      inner.set(isDefault ? "" : localName, value);
    }
    return inner ?? outer;
  }

  #namespaceOf(prefix: string, namespaces: ReadonlyMap<string, string>): string {
    return namespaces.get(prefix) ?? this.#fail(`the prefix ${prefix} is not declared`);
  }
}

/** Reads a document. @throws XmlError where it is not well-formed */
export function readXml(text: string, handler: XmlHandler = {}): void {
  new Reader(text, handler).read();
}
