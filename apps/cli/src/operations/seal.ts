/**
 * seal: who deposits, under which policies, from which file (CONTRACT, Who may). The plaintext is recognised and validated
 * while it passes, at the author's side; the result is signed metadata and never refuses by itself.
 */
import { createReadStream, fstatSync, openSync } from "node:fs";
import { basename } from "node:path";
import {
  ChartsealError,
  fromHex,
  hasCode,
  namespaceOf,
  type Policy,
  parsePolicy,
  selfAttribute,
} from "@chartseal/crypto";
import { headSizeMax, recognise, validate, validationSizeMax } from "@chartseal/records";
import { type Deposited, deposit, listRules, type RecordMetadata } from "@chartseal/sharing";
import type { Placement } from "@chartseal/storage";
import { hasSystemCode } from "../home/files.ts";
import type { MemberFile } from "../home/home.ts";
import { memberOf, type ReadSession, refreshKeys, type Session } from "../services/session.ts";

export interface SealRequest {
  readonly owner: MemberFile;
  /** Absent where the owner seals its own record. */
  readonly author?: MemberFile;
  readonly policy?: Policy;
  readonly authorPolicy?: Policy;
  readonly namespace?: string;
  readonly mediaType?: string;
  readonly purposes?: readonly string[];
  readonly requireValid: boolean;
  /** How the provider divides it; else as it does by default, in these regions. */
  readonly placement?: Placement;
  readonly regions?: readonly string[];
}

/** Under which policies, and whose rule, a deposit is made. */
export interface SealPlan {
  readonly policy: Policy;
  readonly authorPolicy?: Policy;
  readonly namespace?: string;
}

/** A file that can be read, or standard input for `-`. @throws ChartsealError `input-invalid` */
export function openInput(file: string): {
  readonly stream: AsyncIterable<Uint8Array>;
  readonly size?: number;
  readonly name: string;
} {
  if (file === "-") return { stream: process.stdin, name: "stdin" };
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if (!hasSystemCode(error, "ENOENT", "EACCES", "ENOTDIR", "EISDIR", "EPERM", "ELOOP", "ENAMETOOLONG"))
      throw error;
    throw new ChartsealError("input-invalid", `the file ${file} cannot be read`, { data: { file } });
  }
  const stat = fstatSync(descriptor);
  if (stat.isDirectory())
    throw new ChartsealError("input-invalid", `${file} is a folder`, { data: { file } });
  const stream = createReadStream("", { fd: descriptor, highWaterMark: 1 << 20 });
  return { stream, size: stat.size, name: basename(file) };
}

/** The one namespace of all leaves, or undefined. */
function onlyNamespace(policy: Policy): string | undefined {
  const names = new Set(policy.attributes.map(namespaceOf));
  return names.size === 1 ? [...names][0] : undefined;
}

/**
 * Fills in what the user left out. An author's deposit takes the owner's rule for its hospital: the hospital of
 * --author-policy, or the one named, or the only one with a rule in force.
 * @throws ChartsealError `rule-missing`, `input-invalid`
 */
export async function planSeal({ ledger }: ReadSession, request: SealRequest): Promise<SealPlan> {
  const { owner, author, policy, authorPolicy } = request;
  if (author === undefined) {
    const own = policy ?? parsePolicy(selfAttribute(owner.account));
    return authorPolicy === undefined ? { policy: own } : { policy: own, authorPolicy };
  }
  const rules = (await listRules(ledger, fromHex(owner.account, 20))).filter(
    ({ rule }) => rule.revokedHeight === null,
  );
  const wanted = request.namespace ?? (authorPolicy === undefined ? undefined : onlyNamespace(authorPolicy));
  const fromPolicy = policy === undefined ? undefined : onlyNamespace(policy);
  const candidates = wanted === undefined ? rules : rules.filter(({ namespace }) => namespace === wanted);
  const chosen =
    candidates.length <= 1 ? candidates[0] : candidates.find(({ namespace }) => namespace === fromPolicy);
  if (chosen === undefined)
    throw noRule(
      owner.name,
      wanted,
      candidates.map(({ namespace }) => namespace),
    );
  const { namespace, rule } = chosen;
  return {
    policy: policy ?? parsePolicy(rule.policy),
    authorPolicy: authorPolicy ?? parsePolicy(rule.writers),
    namespace,
  };
}

function noRule(owner: string, wanted: string | undefined, several: readonly string[]): ChartsealError {
  if (several.length > 1) {
    return new ChartsealError("input-invalid", `${owner} has rules for ${several.join(", ")}: say which`, {
      hint: "Give --namespace or --author-policy.",
    });
  }
  const whose = wanted ?? "this author's hospital";
  return new ChartsealError("rule-missing", `${owner} has set no rule for ${whose}`, {
    data: wanted === undefined ? {} : { namespace: wanted },
    hint: `${owner} sets one with chartseal rule set.`,
  });
}

/**
 * Looks at the plaintext while it passes: its type from the first bytes, and all of it where its format has a validator
 * and it is not above that format's limit.
 */
class Glimpse {
  readonly #given: string | undefined;
  #parts: Uint8Array[] = [];
  #head: Uint8Array | undefined;
  #total = 0;
  #validation: Promise<ValidationOf> | undefined;

  constructor(mediaType: string | undefined) {
    this.#given = mediaType;
  }

  async *through(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      this.#total += chunk.length;
      // What is kept goes on as the copy, so that who keeps it as well needs no second one.
      const keeps = this.#head === undefined || this.#total <= validationSizeMax(this.mediaType);
      const part = keeps ? Uint8Array.from(chunk) : chunk;
      if (keeps) this.#parts.push(part);
      if (this.#head === undefined && this.#total >= headSizeMax) this.#head = Buffer.concat(this.#parts);
      if (this.#head !== undefined && this.#total > validationSizeMax(this.mediaType)) this.#parts = [];
      yield part;
    }
    this.#head ??= Buffer.concat(this.#parts);
  }

  /** True once no validator will look at the file: its format has none, or it is larger than what is checked. */
  get isBeyondChecks(): boolean {
    return this.#head !== undefined && this.#total > validationSizeMax(this.mediaType);
  }

  get mediaType(): string {
    return this.#given ?? recognise(this.#head ?? new Uint8Array(0));
  }

  /** Of the whole, once it has passed; made once, after which what was kept for it is let go. */
  async validation(): Promise<ValidationOf> {
    this.#validation ??= this.#validate();
    return await this.#validation;
  }

  async #validate(): Promise<ValidationOf> {
    const { mediaType } = this;
    if (this.#total > validationSizeMax(mediaType)) return { result: "not-checked", issues: [] };
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    return await validate(whole, mediaType);
  }
}

type ValidationOf = Awaited<ReturnType<typeof validate>>;

/** @throws ChartsealError `input-invalid` for what must be valid and is not */
async function metadataOf(glimpse: Glimpse, request: SealRequest, name: string): Promise<RecordMetadata> {
  const { mediaType } = glimpse;
  const { result, issues } = await glimpse.validation();
  if (request.requireValid && result === "invalid") {
    const first = issues[0];
    throw new ChartsealError("input-invalid", `the file is not valid ${mediaType}: ${first?.message ?? ""}`, {
      data: { mediaType, issues: issues.slice(0, 20) },
    });
  }
  return { name, mediaType, validation: result };
}

export async function seal(
  session: Session,
  request: SealRequest & {
    readonly plan: SealPlan;
    readonly input: { readonly stream: AsyncIterable<Uint8Array>; readonly name: string };
    readonly onProgress?: (bytes: number) => void;
  },
): Promise<Deposited> {
  const { owner, author, plan, input, purposes, onProgress, placement, regions } = request;
  const by = memberOf(session, (author ?? owner).name);
  if (plan.authorPolicy !== undefined) await refreshKeys(session, by);
  const glimpse = new Glimpse(request.mediaType);
  const passing = glimpse.through(input.stream);
  // What must be valid is read and judged before anything is sealed, so that a refusal changes nothing.
  const source = request.requireValid ? await judged(glimpse, passing, request) : passing;
  const deposited = deposit(session, {
    by: by.keys,
    owner: fromHex(owner.account, 20),
    ...plan,
    ...(purposes === undefined ? {} : { purposes }),
    ...(placement === undefined ? {} : { placement }),
    ...(regions === undefined ? {} : { regions }),
    ...(onProgress === undefined ? {} : { onProgress }),
    source,
    metadata: () => metadataOf(glimpse, request, input.name),
  });
  return await deposited.catch((error: unknown) => {
    throw namingSealer(error, by.name);
  });
}

/** Whose ways of recovery are too few: those of whoever seals, which of an author's deposit is not the owner. */
function namingSealer(error: unknown, name: string): unknown {
  if (!hasCode(error, "recovery-missing")) return error;
  const { code, data, hint, cause } = error;
  const has = data.ways === undefined ? "fewer" : String(data.ways);
  return new ChartsealError(code, `${name} needs two ways of recovery before sealing, and has ${has}`, {
    data: { ...data, member: name },
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Holds what can still turn out invalid; a file too large for its format's validator is `not-checked` and passes. */
async function judged(
  glimpse: Glimpse,
  passing: AsyncIterable<Uint8Array>,
  request: SealRequest,
): Promise<AsyncIterable<Uint8Array>> {
  const parts: Uint8Array[] = [];
  const rest = passing[Symbol.asyncIterator]();
  let next = await rest.next();
  while (next.done !== true && !glimpse.isBeyondChecks) {
    parts.push(next.value);
    next = await rest.next();
  }
  if (next.done === true) await metadataOf(glimpse, request, "");
  return (async function* () {
    yield* parts;
    for (; next.done !== true; next = await rest.next()) yield next.value;
  })();
}
