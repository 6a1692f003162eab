/**
 * Checks a record against its format, where the plaintext is: at the author's side (DESIGN, decision 7).
 *
 * The validators never throw and look at bounded input only. Each is loaded when its format first occurs, so that a
 * command which seals a PDF does not pay for FHIR.
 */
import { headSizeMax, type MediaType, recognise } from "./recognise.ts";
import { notChecked, type Validation } from "./validation.ts";

type Validator = (bytes: Uint8Array) => Validation;

interface Checked {
  /** Largest record that is checked, in bytes, so that no command needs more than 300 MiB of memory. */
  readonly sizeMax: number;
  load(): Promise<Validator>;
}

const mebibyte = 1 << 20;
const validators: Partial<Record<string, Checked>> = {
  "application/fhir+json": {
    sizeMax: 8 * mebibyte,
    load: async () => (await import("./fhir.ts")).validateFhir,
  },
  "application/dicom": {
    sizeMax: 64 * mebibyte,
    load: async () => (await import("./dicom.ts")).validateDicom,
  },
  "application/cda+xml": {
    sizeMax: 8 * mebibyte,
    load: async () => (await import("./cda.ts")).validateCda,
  },
  "x-application/hl7-v2+er7": {
    sizeMax: 8 * mebibyte,
    load: async () => (await import("./hl7v2.ts")).validateHl7v2,
  },
  "application/pdf": {
    sizeMax: 64 * mebibyte,
    load: async () => (await import("./pdf.ts")).validatePdf,
  },
} satisfies Partial<Record<MediaType, Checked>>;

function checkedType(mediaType: string): Checked | undefined {
  return Object.hasOwn(validators, mediaType) ? validators[mediaType] : undefined;
}

/** Largest record of a type that is checked, in bytes; 0 for a type without a validator. */
export function validationSizeMax(mediaType: string): number {
  return checkedType(mediaType)?.sizeMax ?? 0;
}

/**
 * Validates a whole record of a media type. Never throws: a type without a validator, or a record larger than
 * `validationSizeMax` of its type, is `not-checked` with the reason.
 */
export async function validate(bytes: Uint8Array, mediaType: string): Promise<Validation> {
  const checked = checkedType(mediaType);
  if (checked === undefined) return notChecked(`no validator for ${mediaType}`);
  if (bytes.length > checked.sizeMax)
    return notChecked(`larger than the ${checked.sizeMax} bytes that are checked`);
  return (await checked.load())(bytes);
}

export interface Examined extends Validation {
  /** The type given, or the one recognised. */
  readonly mediaType: string;
}

/**
 * Recognises (unless `mediaType` is given) and validates a record that comes as a stream, reading no more of it than is
 * needed: 64 KiB of what has no validator, and never more than the type's limit. Errors of the source come out as they
 * are; there are no others.
 */
export async function examine(source: AsyncIterable<Uint8Array>, mediaType?: string): Promise<Examined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let type = mediaType;
  for await (const chunk of source) {
    chunks.push(chunk.slice());
    size += chunk.length;
    if (type === undefined && size >= headSizeMax) type = recognise(Buffer.concat(chunks));
    if (type !== undefined && size > validationSizeMax(type)) break;
  }
  const bytes = Buffer.concat(chunks);
  const found = type ?? recognise(bytes);
  return { mediaType: found, ...(await validate(bytes, found)) };
}
