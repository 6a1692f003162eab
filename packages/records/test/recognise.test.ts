/** Records are told apart by content: every shared file, our own samples, and bytes that pretend. */
import { describe, expect, it } from "vitest";
import { describeShared, sharedBytes, sharedFiles } from "../../../test/shared-data.ts";
import { headSizeMax, recognise } from "../src/index.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const latin1Bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const cdaRoot = '<ClinicalDocument xmlns="urn:hl7-org:v3">';

describeShared("recognise, on the shared files,", () => {
  const folders = [
    ["fhir", "application/fhir+json", /\.json$/],
    ["dicom", "application/dicom", /\.dcm$/],
    ["ccda", "application/cda+xml", /\.xml$/],
    ["ccda", "application/pdf", /\.pdf$/],
    ["hl7v2", "x-application/hl7-v2+er7", /\.hl7$/],
  ] as const;
  it.each(folders)(
    "finds every file of %s to be %s, also from its beginning alone",
    (folder, type, pattern) => {
      const files = sharedFiles(folder).filter((name) => pattern.test(name));
      expect(files.length).toBeGreaterThan(0);
      for (const name of files) {
        const bytes = sharedBytes(folder, name);
        expect(recognise(bytes), name).toBe(type);
        expect(recognise(bytes.subarray(0, headSizeMax)), name).toBe(type);
      }
    },
  );

  it("takes a table of figures for text, and a DICOM file without its mark for bytes", () => {
    expect(recognise(sharedBytes("research", "adult", "adult.csv"))).toBe("text/plain");
    expect(recognise(sharedBytes("dicom", "bad", "no_meta.dcm"))).toBe("application/octet-stream");
  });
});

describe("recognise", () => {
  it.each([
    [
      "FHIR with a late resourceType",
      '{"id":"x","meta":{"a":[1,"}"]},"resourceType" : "Patient"}',
      "application/fhir+json",
    ],
    ["FHIR with a byte-order mark", '\ufeff{"resourceType":"Patient"}', "application/fhir+json"],
    ["FHIR with an escaped name", '{"resource\\u0054ype":"Patient"}', "application/fhir+json"],
    ["a resourceType that is not outermost", '{"data":{"resourceType":"Patient"}}', "text/plain"],
    ["a resourceType inside text", '{"data":"\\"resourceType\\":\\"Patient\\""}', "text/plain"],
    ["a resourceType that is no name", '{"resourceType":"no such"}', "text/plain"],
    ["a resourceType that is a number", '{"resourceType":7}', "text/plain"],
    ["a list of resources", '[{"resourceType":"Patient"}]', "text/plain"],
    ["C-CDA", `<?xml version="1.0"?>\n<!-- c -->\n${cdaRoot}`, "application/cda+xml"],
    ["C-CDA with a prefix", '<c:ClinicalDocument xmlns:c="urn:hl7-org:v3"/>', "application/cda+xml"],
    ["C-CDA with a document type", `<!DOCTYPE ClinicalDocument>${cdaRoot}`, "application/cda+xml"],
    ["another namespace's ClinicalDocument", '<ClinicalDocument xmlns="urn:other"/>', "text/plain"],
    ["XML that quotes C-CDA in a comment", `<!-- ${cdaRoot} --><note/>`, "text/plain"],
    ["HL7 v2", "MSH|^~\\&|A|B\rPID|1\r", "x-application/hl7-v2+er7"],
    ["HL7 v2 with other separators", "MSH#!~\\&#A#B\rPID#1\r", "x-application/hl7-v2+er7"],
    ["HL7 v2 as framed on the wire", "\u000bMSH|^~\\&|A|B\rPID|1\r\u001c\r", "x-application/hl7-v2+er7"],
    ["an HL7 v2 batch", "FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|A\r", "x-application/hl7-v2+er7"],
    ["prose that begins with MSH", "MSH is a segment of HL7", "text/plain"],
    ["PDF", "%PDF-1.4\n", "application/pdf"],
    ["text that speaks of PDF", "A file begins with %PDF-1.4", "text/plain"],
    ["plain text", "Grüße, 日本語\n", "text/plain"],
    ["nothing", "", "application/octet-stream"],
    ["text with a zero byte", "a\0b", "application/octet-stream"],
  ])("takes %s for what it is", (_what, text, type) => {
    expect(recognise(bytesOf(text))).toBe(type);
  });

  it("reads UTF-16 and Latin-1 documents by their mark and declaration", () => {
    const utf16 = new Uint8Array(Buffer.from(`\ufeff<?xml version="1.0"?>${cdaRoot}`, "utf16le"));
    expect(recognise(utf16)).toBe("application/cda+xml");
    const latin1 = latin1Bytes(`<?xml version="1.0" encoding="ISO-8859-1"?><!-- \u00e9 -->${cdaRoot}`);
    expect(recognise(latin1)).toBe("application/cda+xml");
  });

  it("is not thrown off by a character cut at the end of the beginning", () => {
    const text = bytesOf("é".repeat(headSizeMax));
    expect(recognise(text.subarray(0, headSizeMax))).toBe("text/plain");
    expect(recognise(bytesOf(`x${"é".repeat(headSizeMax)}`))).toBe("text/plain");
    expect(recognise(Uint8Array.of(0x61, 0xc3))).toBe("application/octet-stream");
  });

  it("takes a data set without preamble for DICOM", () => {
    const explicit = latin1Bytes("\x08\x00\x05\x00CS\x0a\x00ISO_IR 100");
    const implicit = latin1Bytes("\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100");
    expect(recognise(explicit)).toBe("application/dicom");
    expect(recognise(implicit)).toBe("application/dicom");
  });
});
