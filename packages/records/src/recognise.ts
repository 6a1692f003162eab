/**
 * Says what a record is, by its content alone: never by a file's name, which its sender chose.
 *
 * It looks at the first 64 KiB and never throws. Media types are those of IANA's registry, but for two formats that have
 * none there: C-CDA and HL7 v2 (docs/decisions/records-package.md says why these names).
 */
import { cdaNamespace, xmlText } from "./cda.ts";
import { isHl7v2 } from "./hl7v2.ts";
import { topMember } from "./json-structure.ts";
import { decodeText, latin1 } from "./text.ts";
import { readXml, type XmlElement } from "./xml.ts";

export const mediaTypes = [
  "application/fhir+json",
  "application/dicom",
  "application/cda+xml",
  "x-application/hl7-v2+er7",
  "application/pdf",
  "text/plain",
  "application/octet-stream",
] as const;

export type MediaType = (typeof mediaTypes)[number];

/** How much of a record's beginning is looked at, in bytes. More may be given and is ignored. */
export const headSizeMax = 64 * 1024;

/** A DICOM file, with its preamble or, as old devices write it, beginning with the data set itself. */
function isDicom(head: Uint8Array): boolean {
  if (latin1(head.subarray(128, 132)) === "DICM") return true;
  if (head.length < 8) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const [group, element] = [view.getUint16(0, true), view.getUint16(2, true)];
  if ((group !== 0x0002 && group !== 0x0008) || element > 0x0020) return false;
  // Explicit: a value representation that the first tags of these groups have. Implicit: a short, even length.
  return /^(?:UL|OB|UI|CS|DA)$/.test(latin1(head.subarray(4, 6))) || view.getUint32(4, true) <= 64;
}

function isFhirJson(text: string): boolean {
  const type = /^\s*\{/.test(text) ? topMember(text, "resourceType") : undefined;
  return type !== undefined && /^[A-Z][A-Za-z]{1,63}$/.test(type);
}

/** The root element of an XML document, from its beginning. */
function xmlRoot(text: string): XmlElement | undefined {
  let root: XmlElement | undefined;
  try {
    readXml(text, {
      start: (element) => {
        root ??= element;
      },
      stop: () => root !== undefined,
    });
  } catch {
    // Not XML, or cut before its root.
  }
  return root;
}

function isCda(head: Uint8Array): boolean {
  const text = xmlText(head, true);
  if (text === undefined || !/^\s*</.test(text)) return false;
  // A document type declaration is refused when it is validated, and does not hide what the document is.
  const root = xmlRoot(text.replace(/<!DOCTYPE[^>[]*(?:\[[^\]]*\]\s*)?>/, ""));
  return root?.localName === "ClinicalDocument" && root.namespace === cdaNamespace;
}

/** Text: UTF-8 without control characters other than tabs, line ends and form feeds. */
function isPlainText(text: string | undefined): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what text has not.
  return text !== undefined && text !== "" && !/[\u0000-\u0008\u000B\u000E-\u001F\u007F]/.test(text);
}

/**
 * The media type of a record, from its beginning: `head` is its first `headSizeMax` bytes, or all of a shorter one.
 * What is none of the known formats is `text/plain` or `application/octet-stream`.
 */
export function recognise(head: Uint8Array): MediaType {
  const bytes = head.subarray(0, headSizeMax);
  if (isDicom(bytes)) return "application/dicom";
  if (/^(?:\xef\xbb\xbf)?\s*%PDF-[12]\.\d/.test(latin1(bytes.subarray(0, 64)))) return "application/pdf";
  if (isHl7v2(bytes)) return "x-application/hl7-v2+er7";
  if (isCda(bytes)) return "application/cda+xml";
  const text = decodeText(bytes, "utf-8", head.length >= headSizeMax);
  if (text !== undefined && isFhirJson(text)) return "application/fhir+json";
  return isPlainText(text) ? "text/plain" : "application/octet-stream";
}
