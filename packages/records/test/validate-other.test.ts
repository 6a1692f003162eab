/** DICOM, C-CDA, HL7 v2 and PDF: the shared files pass, and each kind of damage is found. */
import { describe, expect, it } from "vitest";
import { describeShared, sharedBytes, sharedFiles } from "../../../test/shared-data.ts";
import {
  sampleCcdaSummary,
  sampleDicomImage,
  sampleHl7v2Message,
  samplePdfReport,
  validate,
} from "../src/index.ts";

const cda = "application/cda+xml";
const dicom = "application/dicom";
const hl7v2 = "x-application/hl7-v2+er7";
const pdf = "application/pdf";

/** The record with one piece of text replaced, byte for byte; it must be there. */
function change(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString("latin1");
  expect(text).toContain(from);
  return Buffer.from(text.replace(from, to), "latin1");
}

describeShared("validation of the shared files", () => {
  it.each([
    ["dicom", dicom, /\.dcm$/],
    ["ccda", cda, /\.xml$/],
    ["ccda", pdf, /\.pdf$/],
    ["hl7v2", hl7v2, /\.hl7$/],
  ] as const)("takes every good file of %s as %s", async (folder, type, pattern) => {
    for (const name of sharedFiles(folder).filter((one) => pattern.test(one))) {
      expect(await validate(sharedBytes(folder, name), type), name).toEqual({ result: "valid", issues: [] });
    }
  });

  it.each(["MR_truncated.dcm", "badVR.dcm", "no_meta.dcm"])("refuses dicom/bad/%s", async (name) => {
    expect((await validate(sharedBytes("dicom", "bad", name), dicom)).result).toBe("invalid");
  });
});

describe("DICOM validation", () => {
  const image = sampleDicomImage("validation");
  it("finds a file that is cut short, wherever", async () => {
    for (let size = 0; size < image.length; size += 97) {
      expect((await validate(image.subarray(0, size), dicom)).result, `${size} bytes`).toBe("invalid");
    }
    expect((await validate(image.subarray(0, -1), dicom)).result).toBe("invalid");
  });

  it.each([
    ["an unknown value representation", "\x08\x00\x08\x00CS", "\x08\x00\x08\x00CX"],
    [
      "a SOP class that is no UID",
      "UI\x1a\x001.2.840.10008.5.1.4.1.1.2",
      "UI\x1a\x00x.2.840.10008.5.1.4.1.1.2",
    ],
    [
      "more rows than there are pixels",
      "\x28\x00\x10\x00US\x02\x00\x80\x00",
      "\x28\x00\x10\x00US\x02\x00\x81\x00",
    ],
  ])("finds %s", async (_what, from, to) => {
    expect((await validate(change(image, from, to), dicom)).result).toBe("invalid");
  });
});

describe("DICOM pixel data", () => {
  it("that is one value short is found, and where", async () => {
    const image = Buffer.from(sampleDicomImage("validation"));
    const lengthAt = image.length - 32_768 - 4;
    expect(image.readUInt32LE(lengthAt)).toBe(32_768);
    const shorter = Buffer.from(image.subarray(0, -2));
    shorter.writeUInt32LE(32_766, lengthAt);
    expect((await validate(shorter, dicom)).issues.map(({ path }) => path)).toEqual(["(7fe0,0010)"]);
  });
});

describe("C-CDA validation", () => {
  const summary = sampleCcdaSummary("validation");
  it.each([
    ["an element that is not closed", "</title>", "", "not well-formed"],
    ["an element closed by another", "</title>", "</titel>", "not well-formed"],
    ["a bare ampersand", "Summary for", "Summary & for", "not well-formed"],
    ["an unknown entity", "Summary for", "&nbsp;", "not well-formed"],
    ["an attribute given twice", '<realmCode code="US"', '<realmCode code="US" code="GB"', "not well-formed"],
    ["an undeclared prefix", "<realmCode ", "<x:realmCode ", "not well-formed"],
    ["a forbidden character", "Summary for", "Summary\u0001for", "not well-formed"],
    ["a reference to a forbidden character", "Summary for", "&#1;", "not well-formed"],
    ["]]> in text", "Summary for", "Summary ]]> for", "not well-formed"],
    [
      "one attribute under two prefixes",
      "<realmCode ",
      '<realmCode xmlns:a="urn:x" xmlns:b="urn:x" a:c="1" b:c="2" ',
      "not well-formed",
    ],
    ["a second body", "<structuredBody>", "<nonXMLBody/><structuredBody>", "one structuredBody"],
    ["a body of another name", "<structuredBody>", "<structuredBody/><b><structuredBody>", "not well-formed"],
    [
      "a body of another namespace",
      "<structuredBody>",
      '<structuredBody xmlns="urn:x">',
      "one structuredBody",
    ],
    ["an attribute without quotes", 'code="US"', "code=US", "not well-formed"],
    ["< in an attribute", 'code="US"', 'code="<"', "not well-formed"],
    ["text after the root", "</ClinicalDocument>", "</ClinicalDocument>more", "not well-formed"],
    ["two roots", "</ClinicalDocument>", "</ClinicalDocument><b/>", "not well-formed"],
    ["a declaration out of place", "<realmCode", '<?xml version="1.0"?><realmCode', "not well-formed"],
    [
      "a document type, which could hold entities",
      "<ClinicalDocument",
      '<!DOCTYPE a [<!ENTITY b "c">]><ClinicalDocument',
      "not well-formed",
    ],
    ["another root", "ClinicalDocument", "ClinicalDokument", "not well-formed"],
    ["another namespace", "urn:hl7-org:v3", "urn:hl7-org:v2", "the root is not"],
    ["no type of CDA R2", "POCD_HD000040", "POCD_HD000041", "not the type"],
    ["a missing id of the patient", "<patientRole>\n      <id ", "<patientRole>\n      <ident ", "missing"],
    [
      "an element out of order",
      '<realmCode code="US"/>',
      '<languageCode code="en"/><realmCode code="US"/>',
      "order",
    ],
    ["an unknown element", '<realmCode code="US"/>', '<realmCodes code="US"/>', "not an element"],
    ["a missing date", "effectiveTime value", "copyTime value", "missing"],
  ])("finds %s", async (_what, from, to, message) => {
    const { result, issues } = await validate(change(summary, from, to), cda);
    expect(result).toBe("invalid");
    expect(issues.map((issue) => issue.message).join("\n")).toContain(message);
  });

  it("finds a document that is cut short, wherever, and survives endless nesting", async () => {
    for (let size = 0; size < summary.length - 1; size += 61) {
      expect((await validate(summary.subarray(0, size), cda)).result, `${size} bytes`).toBe("invalid");
    }
    const deep = Buffer.from(`<a>`.repeat(500_000));
    expect((await validate(deep, cda)).issues[0]?.message).toContain("nested");
  });
});

describe("HL7 v2 validation", () => {
  const message = sampleHl7v2Message("validation");
  const text = Buffer.from(message).toString("utf8");
  it.each([
    ["LF", text.replaceAll("\r", "\n")],
    ["CRLF", text.replaceAll("\r", "\r\n")],
    ["no end after the last segment", text.slice(0, -1)],
    ["a byte-order mark", `\ufeff${text}`],
    ["MLLP framing", `\u000b${text}\u001c\r`],
    ["two messages in a batch", `BHS|^~\\&|LAB\r${text}${text}BTS|2\r`],
  ])("takes a message with %s", async (_what, variant) => {
    expect(await validate(Buffer.from(variant), hl7v2)).toEqual({ result: "valid", issues: [] });
  });

  it.each([
    ["nothing", ""],
    ["a segment before MSH", `PID|1\r${text}`],
    ["no message type", text.replace("ORU^R01^ORU_R01", "")],
    ["no version", text.replace("|2.5.1|", "||")],
    ["a segment without a name", text.replace("OBX|1", "ob|1")],
    ["a segment with another separator", text.replace("OBX|1", "OBX#1")],
    ["separators that are the same", text.replace("^~\\&", "^^\\&")],
    ["an empty line within", text.replace("\rPV1", "\r\rPV1")],
    ["a zero byte", text.replace("Mill", "M\0ll").replace("INTMED", "INT\0MED")],
  ])("finds %s", async (_what, variant) => {
    expect((await validate(Buffer.from(variant), hl7v2)).result).toBe("invalid");
  });
});

describe("PDF validation", () => {
  const report = samplePdfReport("validation");
  it("finds a file that is cut short, wherever", async () => {
    for (let size = 0; size < report.length - 1; size += 41) {
      expect((await validate(report.subarray(0, size), pdf)).result, `${size} bytes`).toBe("invalid");
    }
  });

  it.each([
    ["no header", "%PDF-1.7", "%PDX-1.7"],
    ["bytes slipped in, so that no entry leads to its object", "%PDF-1.7\n", "%PDF-1.7\n%\n"],
    ["an entry that leads elsewhere", "0000000015 00000 n", "0000000016 00000 n"],
    ["a malformed entry", "0000000015 00000 n", "000000015  00000 n"],
    ["no trailer", "trailer", "trailor"],
    ["no root", "/Root", "/Ruut"],
    ["a startxref that leads nowhere", "startxref\n", "startxref\n9"],
    ["no end mark", "%%EOF", "%%EOG"],
  ])("finds %s", async (_what, from, to) => {
    const changed = change(report, from, to);
    expect((await validate(changed, pdf)).result).toBe("invalid");
  });

  it("finds an entry that leads to another object than its own", async () => {
    const text = Buffer.from(report).toString("latin1");
    const offsets = [...text.matchAll(/^(\d{10}) 00000 n/gm)].map((match) => match[1]!);
    const changed = change(report, `${offsets[0]} 00000 n`, `${offsets[1]} 00000 n`);
    expect((await validate(changed, pdf)).issues[0]?.message).toContain("object 1 does not lead to it");
  });

  it("follows an amended file to its earlier table, and a loop of tables only once", async () => {
    const text = Buffer.from(report).toString("latin1");
    const first = text.lastIndexOf("xref\n0");
    const start = text.length;
    const amended = (previous: number) =>
      `${text}xref\n0 0\ntrailer\n<< /Size 8 /Root 1 0 R /Prev ${previous} >>\nstartxref\n${start}\n%%EOF\n`;
    expect((await validate(Buffer.from(amended(first), "latin1"), pdf)).result).toBe("valid");
    expect((await validate(Buffer.from(amended(start), "latin1"), pdf)).result).toBe("valid");
    expect((await validate(Buffer.from(amended(first + 1), "latin1"), pdf)).result).toBe("invalid");
  });
});
