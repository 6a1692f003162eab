/**
 * A sample CT slice as a DICOM file (PS3.10): explicit VR little endian, 128 × 128 pixels of 16 bits, the picture of a
 * phantom as used to test scanners: water in a ring of bone, four inserts from fat to bone, and a ramp of grey below.
 */
import { samplePatient } from "./patient.ts";
import { SampleRandom } from "./random.ts";

const size = 128;
const interceptHu = -1024;
/** 2.25 of a UUID of ours, once and for all (PS3.7 annex D.3.3.2). */
const implementationUid = "2.25.152783364510387419231276043587436212897";

/** Value representations whose length is 4 bytes after 2 of zero (PS3.5 §7.1.2). */
const longLength = new Set(["OB", "OW", "SQ", "UN"]);

/** One element; text is padded to even length, with zero for UIDs and space for all else. */
function element(tag: number, representation: string, value: string | Uint8Array): Uint8Array {
  const text = typeof value === "string" ? new TextEncoder().encode(value) : value;
  const padded = new Uint8Array(text.length + (text.length % 2));
  padded.fill(representation === "UI" || representation === "OB" ? 0 : 0x20);
  padded.set(text);
  const isLong = longLength.has(representation);
  const bytes = new Uint8Array((isLong ? 12 : 8) + padded.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  bytes.set(new TextEncoder().encode(representation), 4);
  if (isLong) view.setUint32(8, padded.length, true);
  else view.setUint16(6, padded.length, true);
  bytes.set(padded, isLong ? 12 : 8);
  return bytes;
}

function unsignedShort(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Hounsfield units at a pixel, noise of the scanner left out. */
function phantom(x: number, y: number): number {
  const [dx, dy] = [x - 64, y - 58];
  const radius = Math.hypot(dx, dy);
  if (y >= 120) return Math.round((x / (size - 1)) * 2000 - 1000);
  if (radius > 56) return -1000;
  if (radius > 51) return 900;
  const inserts = [
    [26, 0, -100],
    [-26, 0, 60],
    [0, 26, 300],
    [0, -26, 1000],
  ] as const;
  for (const [centreX, centreY, value] of inserts) {
    if (Math.hypot(dx - centreX, dy - centreY) < 9) return value;
  }
  return 0;
}

function pixels(random: SampleRandom): Uint8Array {
  const bytes = new Uint8Array(2 * size * size);
  const view = new DataView(bytes.buffer);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const noise = y < 120 ? random.integer(-12, 12) : 0;
      const stored = Math.max(0, Math.min(4095, phantom(x, y) + noise - interceptHu));
      view.setUint16(2 * (y * size + x), stored, true);
    }
  }
  return bytes;
}

/** The data set, in order of tags. */
function dataSet(seed: string, random: SampleRandom, instanceUid: string): Uint8Array {
  const patient = samplePatient(seed);
  const [date = "", time = ""] = (patient.visits.at(-1)?.start ?? "").replace(/[-:Z]/g, "").split("T");
  const study = random.uid();
  return concat([
    element(0x00080005, "CS", "ISO_IR 192"),
    element(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
    element(0x00080016, "UI", ctImageStorage),
    element(0x00080018, "UI", instanceUid),
    element(0x00080020, "DA", date),
    element(0x00080030, "TM", time),
    element(0x00080050, "SH", patient.recordNumber),
    element(0x00080060, "CS", "CT"),
    element(0x00080070, "LO", "Chartseal samples"),
    element(0x00080080, "LO", patient.hospital.name),
    element(0x00080090, "PN", `${patient.doctor.family}^${patient.doctor.given}`),
    element(0x00081030, "LO", "CT of a calibration phantom"),
    element(0x00100010, "PN", `${patient.family}^${patient.given}`),
    element(0x00100020, "LO", patient.recordNumber),
    element(0x00100030, "DA", patient.birthDate.replaceAll("-", "")),
    element(0x00100040, "CS", patient.gender === "female" ? "F" : "M"),
    element(0x00180050, "DS", "5"),
    element(0x00180060, "DS", "120"),
    element(0x0020000d, "UI", study),
    element(0x0020000e, "UI", random.uid()),
    element(0x00200010, "SH", "1"),
    element(0x00200011, "IS", "1"),
    element(0x00200012, "IS", "1"),
    element(0x00200013, "IS", "1"),
    element(0x00200032, "DS", "-64\\-64\\0"),
    element(0x00200037, "DS", "1\\0\\0\\0\\1\\0"),
    element(0x00200052, "UI", random.uid()),
    element(0x00201040, "LO", ""),
    element(0x00280002, "US", unsignedShort(1)),
    element(0x00280004, "CS", "MONOCHROME2"),
    element(0x00280010, "US", unsignedShort(size)),
    element(0x00280011, "US", unsignedShort(size)),
    element(0x00280030, "DS", "1\\1"),
    element(0x00280100, "US", unsignedShort(16)),
    element(0x00280101, "US", unsignedShort(12)),
    element(0x00280102, "US", unsignedShort(11)),
    element(0x00280103, "US", unsignedShort(0)),
    element(0x00281050, "DS", "40"),
    element(0x00281051, "DS", "400"),
    element(0x00281052, "DS", String(interceptHu)),
    element(0x00281053, "DS", "1"),
    element(0x00281054, "LO", "HU"),
    element(0x7fe00010, "OW", pixels(random)),
  ]);
}

const ctImageStorage = "1.2.840.10008.5.1.4.1.1.2";
const explicitLittleEndian = "1.2.840.10008.1.2.1";

/** About 34 kB, the same for the same seed. */
export function sampleDicomImage(seed: string): Uint8Array {
  const random = new SampleRandom(`image ${seed}`);
  const instanceUid = random.uid();
  const meta = concat([
    element(0x00020001, "OB", Uint8Array.of(0, 1)),
    element(0x00020002, "UI", ctImageStorage),
    element(0x00020003, "UI", instanceUid),
    element(0x00020010, "UI", explicitLittleEndian),
    element(0x00020012, "UI", implementationUid),
    element(0x00020013, "SH", "CHARTSEAL_1"),
  ]);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, meta.length, true);
  const preamble = new Uint8Array(132);
  preamble.set(new TextEncoder().encode("DICM"), 128);
  return concat([preamble, element(0x00020000, "UL", length), meta, dataSet(seed, random, instanceUid)]);
}
