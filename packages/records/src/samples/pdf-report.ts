/**
 * A sample laboratory report as a PDF file of one A4 page (ISO 32000-1), written by hand: five objects and more, the
 * standard fonts Helvetica and Helvetica-Bold in WinAnsi encoding, a cross-reference table.
 */
import { type SamplePatient, samplePatient } from "./patient.ts";

interface Line {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly bold?: boolean;
  readonly text: string;
}

/** Latin-1 with the escapes of a PDF string; letters that it lacks lose their accents. */
function pdfText(text: string): string {
  return text
    .replace(/[^\u0020-\u00ff]/g, (letter) => letter.normalize("NFD")[0]!)
    .replace(/[^\u0020-\u007e\u00a0-\u00ff]/g, "?")
    .replace(/[\\()]/g, "\\$&");
}

function draw({ x, y, size, bold, text }: Line): string {
  return `BT /${bold === true ? "F2" : "F1"} ${size} Tf ${x} ${y} Td (${pdfText(text)}) Tj ET\n`;
}

function head(patient: SamplePatient): Line[] {
  const { doctor, hospital } = patient;
  return [
    { x: 56, y: 776, size: 18, bold: true, text: hospital.name },
    { x: 56, y: 756, size: 10, text: "Department of Internal Medicine - Laboratory report" },
    { x: 56, y: 712, size: 11, bold: true, text: `${patient.family}, ${patient.given}` },
    { x: 56, y: 696, size: 10, text: `Born ${patient.birthDate}, ${patient.gender}` },
    { x: 56, y: 682, size: 10, text: `${patient.street}, ${patient.postalCode} ${patient.city}` },
    { x: 340, y: 712, size: 10, text: `Record number ${patient.recordNumber}` },
    {
      x: 340,
      y: 696,
      size: 10,
      text: `Taken ${(patient.visits.at(-1)?.start ?? "").replace("T", " ").slice(0, 16)} UTC`,
    },
    { x: 340, y: 682, size: 10, text: `Requested by Dr. ${doctor.given} ${doctor.family}` },
  ];
}

const columns = [56, 300, 372, 440, 520] as const;

function row(y: number, cells: readonly string[], bold = false): Line[] {
  return cells.map((text, i) => ({ x: columns[i]!, y, size: 10, bold, text }));
}

function results(patient: SamplePatient): Line[] {
  const visit = patient.visits.at(-1);
  const lines = row(640, ["Measurement", "Value", "Unit", "Reference", ""], true);
  let y = 620;
  for (const { display, value, unit, low, high } of visit?.measurements ?? []) {
    const flag = value < low ? "low" : value > high ? "high" : "";
    lines.push(...row(y, [display, String(value), unit, `${low} - ${high}`, flag]));
    y -= 18;
  }
  const pressure = `${visit?.systolic ?? 0}/${visit?.diastolic ?? 0}`;
  return [...lines, ...row(y, ["Blood pressure, seated", pressure, "mmHg", "< 140/90", ""])];
}

function opinion(patient: SamplePatient): Line[] {
  const known = patient.conditions.map(({ display, since }) => `${display} (since ${since.slice(0, 4)})`);
  const taken = patient.medications.map(({ display, dose }) => `${display}: ${dose}`);
  const lines = ["Known conditions", ...known, "Medication", ...taken];
  const titles = new Set(["Known conditions", "Medication"]);
  const listed = lines.map((text, i) => ({ x: 56, y: 424 - i * 18, size: 10, bold: titles.has(text), text }));
  return [
    ...listed,
    {
      x: 56,
      y: 268,
      size: 10,
      text: "Values outside their reference are marked; they were discussed with the patient.",
    },
    { x: 56, y: 250, size: 10, text: "Control in three months, fasting, with the values above." },
    { x: 56, y: 196, size: 10, text: `Dr. ${patient.doctor.given} ${patient.doctor.family}` },
    {
      x: 56,
      y: 60,
      size: 8,
      text: "Sample record made by Chartseal. The people and their values are invented.",
    },
  ];
}

/** About 4 kB, the same for the same seed. */
export function samplePdfReport(seed: string): Uint8Array {
  const patient = samplePatient(seed);
  const rules = "0.6 w 56 744 m 539 744 l S 56 634 m 539 634 l S 56 212 m 220 212 l S\n";
  const content = [...head(patient), ...results(patient), ...opinion(patient)].map(draw).join("") + rules;
  const font = (name: string) =>
    `<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`;
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R" +
      " /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
    `<< /Length ${content.length} >>\nstream\n${content}endstream`,
    font("Helvetica"),
    font("Helvetica-Bold"),
    `<< /Title (${pdfText(`Laboratory report, ${patient.family}`)}) /Producer (Chartseal samples) >>`,
  ];
  // A comment of high bytes tells transfer programs that the file is binary (§7.5.2).
  let file = "%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n";
  const offsets = objects.map((object, i) => {
    const offset = file.length;
    file += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const start = file.length;
  const entries = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}`;
  file += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info 7 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return Uint8Array.from(file, (character) => character.charCodeAt(0));
}
