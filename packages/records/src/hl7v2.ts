/**
 * HL7 v2 messages in the pipe-and-hat encoding (ER7, HL7 v2.5.1 chapter 2): segments, their names, the header's required
 * fields. The standard ends segments with CR; LF, CRLF and a byte-order mark are common in files and are taken too, as
 * is the MLLP framing of a message saved from the wire. Message structures and tables are not checked.
 */
import { byteOrderMark, latin1 } from "./text.ts";
import { type Validation, type ValidationIssue, validationOf } from "./validation.ts";

/** `MSH`, the field separator, and four or five encoding characters, all different and no letters or digits. */
const headerPattern = /^(?:MSH|FHS|BHS)([^\w\s])([^\w\s]{2,5})(?:\1|[\r\n]|$)/;
const segmentPattern = /^[A-Z][A-Z0-9]{2}$/;
const batchSegments = new Set(["FHS", "BHS", "BTS", "FTS"]);
/** Fields that MSH requires: its index after the split at separators (MSH-1 is the separator itself), and its name. */
const headerFields = [
  [8, "MSH-9 message type"],
  [9, "MSH-10 message control id"],
  [10, "MSH-11 processing id"],
  [11, "MSH-12 version id"],
] as const;

/** MLLP puts a message between these; a CR may follow the second. */
const framing = { start: "\u000b", end: "\u001c" } as const;

/** The message without a byte-order mark and without MLLP framing, one character a byte. */
function messageText(bytes: Uint8Array): string {
  const mark = byteOrderMark(bytes);
  const text = latin1(bytes.subarray(mark.encoding === "utf-8" ? mark.size : 0));
  const from = text.startsWith(framing.start) ? 1 : 0;
  const end = text.lastIndexOf(framing.end);
  return text.slice(from, end >= text.length - 2 && end >= 0 ? end : undefined);
}

/** True where the bytes begin as an HL7 v2 message or batch does. */
export function isHl7v2(head: Uint8Array): boolean {
  return headerPattern.test(messageText(head.subarray(0, 64)));
}

function headerIssues(segment: string, path: string): ValidationIssue[] {
  const [, separator, encoding] = headerPattern.exec(segment) ?? [];
  if (separator === undefined || encoding === undefined)
    return [{ path, message: "malformed MSH-1 or MSH-2" }];
  // Programs that escape text write the escape character itself twice: common, and readers take it for one.
  const characters = separator + encoding.replace("\\\\", "\\");
  if (new Set(characters).size !== characters.length) {
    return [{ path, message: "separators that are not all different" }];
  }
  const fields = segment.split(separator);
  return headerFields
    .filter(([index]) => (fields[index] ?? "") === "")
    .map(([, name]) => ({ path: `${path} ${name}`, message: "missing" }));
}

/** Never throws, whatever the bytes are. */
export function validateHl7v2(bytes: Uint8Array): Validation {
  const segments = messageText(bytes).split(/\r\n|\r|\n/);
  while (segments.at(-1) === "") segments.pop();
  const issues: ValidationIssue[] = [];
  let separator: string | undefined;
  let messages = 0;
  for (const [i, segment] of segments.entries()) {
    const name = segment.slice(0, 3);
    const path = `segment ${i + 1}`;
    if (name === "MSH") {
      messages++;
      separator = segment[3];
      issues.push(...headerIssues(segment, path));
    } else if (batchSegments.has(name)) separator = segment[3] ?? separator;
    else if (messages === 0) issues.push({ path, message: "a segment before MSH" });
    if (!segmentPattern.test(name)) issues.push({ path, message: "no segment name of three characters" });
    else if (segment.length > 3 && segment[3] !== separator) {
      issues.push({ path, message: "no field separator after the segment's name" });
    }
    if (segment.includes("\0")) issues.push({ path, message: "a zero byte" });
  }
  if (messages === 0) issues.push({ path: "", message: "no MSH segment" });
  return validationOf(issues);
}
