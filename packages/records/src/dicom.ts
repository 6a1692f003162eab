/**
 * DICOM files (PS3.10): preamble and file meta information, every element of the data set, and the pixel data's size.
 *
 * dicom-parser walks the elements; it is lenient where a value representation is unknown and where pixel data is short,
 * so both are checked here. The content of tags (names, dates, code meanings) is not.
 */
import dicomParser from "dicom-parser";
import { type Validation, type ValidationIssue, validationOf } from "./validation.ts";

/** PS3.5 table 6.2-1; two letters each. */
const valueRepresentations = new Set(
  "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split(
    " ",
  ),
);

/** What PS3.10 §7.1 requires of the meta information and PS3.3 C.12.1 of every object. */
const requiredTags = [
  ["x00020002", "(0002,0002) media storage SOP class"],
  ["x00020003", "(0002,0003) media storage SOP instance"],
  ["x00020010", "(0002,0010) transfer syntax"],
  ["x00080016", "(0008,0016) SOP class"],
  ["x00080018", "(0008,0018) SOP instance"],
] as const;

const uidPattern = /^[0-9]+(?:\.[0-9]+)*$/;

function tagName(tag: string): string {
  return `(${tag.slice(1, 5)},${tag.slice(5, 9)})`;
}

type DataSet = ReturnType<typeof dicomParser.parseDicom>;

function elementIssues(dataSet: DataSet, issues: ValidationIssue[]): void {
  for (const [tag, element] of Object.entries(dataSet.elements)) {
    // Group fffe holds the marks of items and sequences, which have no value representation.
    if (tag.startsWith("xfffe")) continue;
    if (element.vr !== undefined && !valueRepresentations.has(element.vr)) {
      issues.push({ path: tagName(tag), message: "an unknown value representation" });
    }
    if (element.dataOffset + element.length > dataSet.byteArray.length) {
      issues.push({ path: tagName(tag), message: "the element runs beyond the end of the file" });
    }
    for (const item of element.items ?? [])
      if (item.dataSet !== undefined) elementIssues(item.dataSet, issues);
  }
}

/** Native pixel data holds rows × columns × samples × frames values (PS3.5 §8); compressed data is not looked into. */
function pixelIssues(dataSet: DataSet, issues: ValidationIssue[]): void {
  const pixels = dataSet.elements.x7fe00010;
  if (pixels === undefined || pixels.encapsulatedPixelData === true) return;
  const [rows, columns] = [dataSet.uint16("x00280010"), dataSet.uint16("x00280011")];
  const bitsAllocated = dataSet.uint16("x00280100");
  if (rows === undefined || columns === undefined || bitsAllocated === undefined) {
    issues.push({ path: "(7fe0,0010)", message: "pixel data without rows, columns or bits allocated" });
    return;
  }
  const samples = dataSet.uint16("x00280002") ?? 1;
  const frames = Number(dataSet.string("x00280008") ?? "1");
  if (!Number.isSafeInteger(frames) || frames < 1) {
    issues.push({ path: "(0028,0008)", message: "a number of frames that is none" });
    return;
  }
  // YBR_FULL_422 keeps each chrominance sample for two pixels.
  const share = dataSet.string("x00280004") === "YBR_FULL_422" ? 2 / 3 : 1;
  const sizeBytes = Math.ceil((rows * columns * samples * share * frames * bitsAllocated) / 8);
  if (pixels.length < sizeBytes) {
    issues.push({
      path: "(7fe0,0010)",
      message: `pixel data of ${pixels.length} bytes where ${sizeBytes} belong`,
    });
  }
}

/** Never throws, whatever the bytes are. */
export function validateDicom(bytes: Uint8Array): Validation {
  const mark = String.fromCharCode(...bytes.subarray(128, 132));
  if (mark !== "DICM")
    return validationOf([{ path: "", message: "no preamble and DICM mark: not a DICOM file" }]);
  const issues: ValidationIssue[] = [];
  try {
    const dataSet = dicomParser.parseDicom(bytes);
    for (const warning of dataSet.warnings ?? []) issues.push({ path: "", message: String(warning) });
    for (const [tag, name] of requiredTags) {
      const value = dataSet.string(tag);
      if (value === undefined || !uidPattern.test(value))
        issues.push({ path: name, message: "missing or no UID" });
    }
    elementIssues(dataSet, issues);
    pixelIssues(dataSet, issues);
  } catch (error) {
    // dicom-parser throws strings, errors, and { exception, dataSet } for a file cut short.
    const cause = (error as { exception?: unknown } | null)?.exception ?? error;
    const message = cause instanceof Error ? cause.message : String(cause);
    issues.push({ path: "", message: `cannot be parsed: ${message}` });
  }
  return validationOf(issues);
}
