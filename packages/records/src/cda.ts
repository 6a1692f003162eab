/**
 * C-CDA and other CDA R2 documents: well-formed XML, root ClinicalDocument of HL7 v3, the header that the CDA schema
 * requires in its order, and a body. Templates and code systems are not checked.
 */
import { byteOrderMark, decodeText, latin1 } from "./text.ts";
import { type Validation, type ValidationIssue, validationOf } from "./validation.ts";
import { readXml, type XmlElement, XmlError } from "./xml.ts";

export const cdaNamespace = "urn:hl7-org:v3";

/** The children of ClinicalDocument in the schema's order; `required` where there must be one. */
const header: readonly (readonly [name: string, required: boolean])[] = [
  ["realmCode", false],
  ["typeId", true],
  ["templateId", false],
  ["id", true],
  ["code", true],
  ["title", false],
  ["effectiveTime", true],
  ["confidentialityCode", true],
  ["languageCode", false],
  ["setId", false],
  ["versionNumber", false],
  ["copyTime", false],
  ["recordTarget", true],
  ["author", true],
  ["dataEnterer", false],
  ["informant", false],
  ["custodian", true],
  ["informationRecipient", false],
  ["legalAuthenticator", false],
  ["authenticator", false],
  ["participant", false],
  ["inFulfillmentOf", false],
  ["documentationOf", false],
  ["relatedDocument", false],
  ["authorization", false],
  ["componentOf", false],
  ["component", true],
];
const order = new Map(header.map(([name], i) => [name, i]));
/** Elements deeper down that the schema requires where their parent stands. */
const requiredPaths = [
  ["recordTarget", "patientRole"],
  ["recordTarget", "patientRole", "id"],
  ["author", "time"],
  ["author", "assignedAuthor"],
  ["custodian", "assignedCustodian"],
];
const typeId = { root: "2.16.840.1.113883.1.3", extension: "POCD_HD000040" };

/** The text of an XML document in the encoding that its mark or its declaration names. */
export function xmlText(bytes: Uint8Array, partial = false): string | undefined {
  const mark = byteOrderMark(bytes);
  const declared = /^<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.-]+)["']/.exec(latin1(bytes.subarray(0, 400)));
  const encoding = mark.size > 0 ? mark.encoding : (declared?.[1] ?? "utf-8");
  return decodeText(bytes, encoding, partial);
}

class Header {
  readonly issues: ValidationIssue[] = [];
  readonly #seen = new Set<string>();
  #last = -1;
  #bodies = 0;

  start(element: XmlElement, path: readonly string[]): void {
    const [, ...below] = path;
    if (below.length === 0) this.#root(element);
    if (below.length > 3 || element.namespace !== cdaNamespace) return;
    this.#seen.add(below.join("/"));
    if (below.length === 1) this.#child(element);
    const isBody = element.localName === "structuredBody" || element.localName === "nonXMLBody";
    if (below.length === 2 && below[0] === "component" && isBody) this.#bodies++;
  }

  #root({ localName, namespace }: XmlElement): void {
    if (localName !== "ClinicalDocument" || namespace !== cdaNamespace) {
      this.#report("", `the root is not ClinicalDocument of ${cdaNamespace}`);
    }
  }

  #child({ localName, attributes }: XmlElement): void {
    const position = order.get(localName);
    if (position === undefined) this.#report(localName, "not an element of the header");
    else if (position < this.#last) this.#report(localName, "out of the schema's order");
    else this.#last = position;
    const isType = attributes.get("root") === typeId.root && attributes.get("extension") === typeId.extension;
    if (localName === "typeId" && !isType) this.#report(localName, "not the type of CDA R2");
  }

  end(): void {
    for (const [name, required] of header) {
      if (required && !this.#seen.has(name)) this.#report(name, "missing");
    }
    for (const path of requiredPaths) {
      const name = path.join("/");
      if (this.#seen.has(path[0]!) && !this.#seen.has(name)) this.#report(name, "missing");
    }
    if (this.#bodies !== 1) this.#report("component", "must hold one structuredBody or nonXMLBody");
  }

  #report(name: string, message: string): void {
    this.issues.push({ path: name === "" ? "/" : `/ClinicalDocument/${name}`, message });
  }
}

/** Never throws, whatever the bytes are. */
export function validateCda(bytes: Uint8Array): Validation {
  const text = xmlText(bytes);
  if (text === undefined) return validationOf([{ path: "", message: "not text in the declared encoding" }]);
  const checked = new Header();
  try {
    readXml(text, checked);
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    return validationOf([
      { path: `character ${error.offset}`, message: `not well-formed XML: ${error.message}` },
    ]);
  }
  checked.end();
  return validationOf(checked.issues);
}
