/**
 * PDF files (ISO 32000-1 §7.5): header, end-of-file mark, `startxref`, and every cross-reference section that it leads
 * to, each entry of a table leading to its object. What the objects hold is not checked.
 */
import { latin1 } from "./text.ts";
import { type Validation, type ValidationIssue, validationOf } from "./validation.ts";

/** Most cross-reference sections that are followed: one for each time the file was amended. */
const sectionsMax = 1000;
/** How far from the end `startxref` is looked for, in bytes. */
const tailSize = 1024;

const blank = "[ \\t\\r\\n\\f\\0]";
const objectPattern = new RegExp(`${blank}*(\\d{1,10})${blank}+(\\d{1,5})${blank}+obj`, "y");
const subsectionPattern = new RegExp(`${blank}*(\\d{1,10}) (\\d{1,10})${blank}*[\\r\\n]+`, "y");
const trailerPattern = new RegExp(`${blank}*trailer${blank}*<<`, "y");
const tablePattern = new RegExp(`${blank}*xref${blank}*[\\r\\n]+`, "y");
const entryPattern = /^(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)$/;

/** Where the pattern matches exactly at `offset`. */
function matchAt(pattern: RegExp, text: string, offset: number): RegExpExecArray | null {
  pattern.lastIndex = offset;
  return pattern.exec(text);
}

/** A dictionary's text from just after its `<<` to the matching `>>`. Strings with brackets may lengthen it: harmless. */
function dictionaryText(text: string, from: number): string {
  let depth = 1;
  const brackets = /<<|>>/g;
  brackets.lastIndex = from;
  for (let match = brackets.exec(text); match !== null; match = brackets.exec(text)) {
    depth += match[0] === "<<" ? 1 : -1;
    if (depth === 0) return text.slice(from, match.index);
  }
  return "";
}

const integerOf = (dictionary: string, key: string): number | undefined => {
  const match = new RegExp(`/${key}${blank}*(\\d{1,15})`).exec(dictionary);
  return match === null ? undefined : Number(match[1]);
};

interface Section {
  readonly dictionary: string;
  readonly issue?: ValidationIssue;
}

/** The table whose first subsection begins at `from`, whose entries must each lead to the object that they name. */
function readTable(text: string, from: number, bodyFrom: number): Section {
  const fail = (at: number, message: string): Section => {
    return { dictionary: "", issue: { path: `byte ${at}`, message } };
  };
  let at = from;
  for (;;) {
    const trailer = matchAt(trailerPattern, text, at);
    if (trailer !== null) return { dictionary: dictionaryText(text, at + trailer[0].length) };
    const subsection = matchAt(subsectionPattern, text, at);
    if (subsection === null) return fail(at, "a malformed cross-reference table, or one without a trailer");
    at += subsection[0].length;
    const [first, count] = [Number(subsection[1]), Number(subsection[2])];
    for (let i = 0; i < count; i++, at += 20) {
      const entry = entryPattern.exec(text.slice(at, at + 20));
      if (entry === null) return fail(at, "a malformed cross-reference entry");
      if (entry[3] === "f") continue;
      const object = matchAt(objectPattern, text, bodyFrom + Number(entry[1]));
      if (object === null || Number(object[1]) !== first + i) {
        return fail(at, `the entry of object ${first + i} does not lead to it`);
      }
    }
  }
}

function readSection(text: string, offset: number, bodyFrom: number): Section {
  const table = matchAt(tablePattern, text, offset);
  if (table !== null) return readTable(text, offset + table[0].length, bodyFrom);
  const stream = matchAt(objectPattern, text, offset);
  const open = stream === null ? -1 : text.indexOf("<<", offset + stream[0].length);
  const dictionary = open < 0 ? "" : dictionaryText(text, open + 2);
  if (/\/Type[ \t\r\n\f\0]*\/XRef/.test(dictionary)) return { dictionary };
  return { dictionary: "", issue: { path: `byte ${offset}`, message: "no cross-reference section" } };
}

/** Never throws, whatever the bytes are. */
export function validatePdf(bytes: Uint8Array): Validation {
  const text = latin1(bytes);
  // Offsets count from the header, which ISO 32000-1 annex H lets stand within the first 1,024 bytes.
  const bodyFrom = text.slice(0, 1024).search(/%PDF-[12]\.\d/);
  if (bodyFrom < 0) return validationOf([{ path: "byte 0", message: "no PDF header" }]);
  const tail = text.slice(-tailSize);
  const start = /startxref\s+(\d{1,15})\s+%%EOF(?![\s\S]*startxref)/.exec(tail);
  if (start === null) {
    return validationOf([
      { path: `byte ${text.length}`, message: "no startxref and %%EOF at the end: cut short?" },
    ]);
  }
  const issues: ValidationIssue[] = [];
  const visited = new Set<number>();
  const pending = [bodyFrom + Number(start[1])];
  let hasRoot = false;
  while (pending.length > 0 && issues.length === 0 && visited.size < sectionsMax) {
    const offset = pending.pop()!;
    if (visited.has(offset)) continue;
    visited.add(offset);
    const { dictionary, issue } = readSection(text, offset, bodyFrom);
    if (issue !== undefined) issues.push(issue);
    hasRoot ||= /\/Root[ \t\r\n\f\0]*\d+[ \t\r\n\f\0]+\d+[ \t\r\n\f\0]+R/.test(dictionary);
    for (const key of ["Prev", "XRefStm"]) {
      const next = integerOf(dictionary, key);
      if (next !== undefined) pending.push(bodyFrom + next);
    }
  }
  if (issues.length === 0 && !hasRoot) issues.push({ path: "trailer", message: "no /Root" });
  return validationOf(issues);
}
