/** seal: the deposit of one file as a record. */
import {
  ChartsealError,
  checkAuthorPolicy,
  isFamily,
  namespaceOf,
  parsePolicy,
  toHex,
} from "@chartseal/crypto";
import { checkPurposes, checkRegions } from "@chartseal/sharing";
import type { Command } from "commander";
import { requireMember } from "../home/home.ts";
import { readPlacesFile } from "../home/places-file.ts";
import { demandPlaces, parsePlacement } from "../operations/places.ts";
import { demandNamespaces } from "../operations/policies.ts";
import { openInput, planSeal, type SealPlan, type SealRequest, seal } from "../operations/seal.ts";
import { counted } from "../output.ts";
import { globalsOf } from "../program-globals.ts";
import { progressBar } from "../progress.ts";
import { writing } from "../run.ts";
import type { ReadSession } from "../services/session.ts";
import { commaList, example, purposeList, writtenPolicy } from "./shared.ts";

interface SealOptions {
  readonly owner: string;
  readonly as?: string;
  readonly policy?: string;
  readonly authorPolicy?: string;
  readonly namespace?: string;
  readonly mediaType?: string;
  readonly purposes?: string[];
  readonly requireValid?: boolean;
  readonly split?: string;
  readonly region?: readonly string[];
}

const mediaTypeForm = /^[a-z0-9!#$&^_.+-]{1,127}\/[a-z0-9!#$&^_.+-]{1,127}(;[\x20-\x7e]{0,200})?$/i;

/** How the record is to be divided. @throws ChartsealError `input-invalid` where the home has too few places for it */
function placingOf(
  { home }: ReadSession,
  { split, region }: SealOptions,
): Pick<SealRequest, "placement" | "regions"> {
  if (split === undefined && region === undefined) return {};
  const file = readPlacesFile(home.paths);
  const regions = checkRegions(region ?? []);
  const placement = split === undefined ? { k: 1, n: 1, regions } : parsePlacement("--split", split, regions);
  const whole = file?.places.find(({ name }) => name === file.wholeAt);
  const goesWhole = split === undefined && whole !== undefined && regions.includes(whole.region);
  if (!goesWhole) demandPlaces(file, placement);
  return split === undefined ? { regions } : { placement };
}

async function checkSeal(session: ReadSession, options: SealOptions): Promise<SealRequest> {
  const { home, ledger } = session;
  const { mediaType, purposes } = options;
  if (mediaType !== undefined && !mediaTypeForm.test(mediaType)) {
    throw new ChartsealError("input-invalid", `${JSON.stringify(mediaType)} is no media type`);
  }
  const policy = options.policy === undefined ? {} : { policy: writtenPolicy(home, options.policy) };
  const authorPolicy = options.authorPolicy === undefined ? undefined : parsePolicy(options.authorPolicy);
  if (authorPolicy !== undefined) {
    checkAuthorPolicy(authorPolicy, options.namespace ?? namespaceOf(authorPolicy.attributes[0] ?? ""));
  }
  if (purposes !== undefined) checkPurposes(purposes);
  for (const one of [policy.policy, authorPolicy]) if (one !== undefined) await demandNamespaces(ledger, one);
  const owner = requireMember(home, options.owner);
  const author = options.as === undefined ? owner : requireMember(home, options.as);
  return {
    owner,
    ...(author.name === owner.name ? {} : { author }),
    ...policy,
    ...(authorPolicy === undefined ? {} : { authorPolicy }),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(purposes === undefined ? {} : { purposes }),
    requireValid: options.requireValid === true,
    ...placingOf(session, options),
  };
}

/** Undefined where the owner's rules refuse: that is said after the passphrase, as authorisation. */
async function unlessRefused(plan: Promise<SealPlan>): Promise<SealPlan | undefined> {
  try {
    return await plan;
  } catch (error) {
    if (isFamily(error, "refused")) return undefined;
    throw error;
  }
}

export function addSealCommand(program: Command): void {
  const command = program
    .command("seal <file>")
    .description("seal a file as a record: encrypt, sign, store, register; - reads standard input")
    .requiredOption("--owner <name>", "the patient whose record it is")
    .option("--as <author>", "who deposits; default: the owner")
    .option("--policy <p>", "who may read; default: the owner's rule, or the owner alone")
    .option("--author-policy <q>", "sign by attributes under this policy; default: the rule's writers")
    .option("--namespace <ns>", "the author's hospital, where the owner has several rules")
    .option("--media-type <type>", "instead of recognising the content")
    .option("--purposes <codes>", "of an owner's own record; default TREAT", purposeList)
    .option("--require-valid", "refuse a file that is not valid in its format")
    .option("--split <kofn>", "divide it among the provider's places: 2of3, any two of three are enough")
    .option("--region <codes>", "in which regions it may lie, comma-separated", commaList)
    .action(async (file: string, options: SealOptions) => {
      const globals = globalsOf(command);
      let request: SealRequest | undefined;
      let plan: SealPlan | undefined;
      let input: ReturnType<typeof openInput> | undefined;
      const check = async (session: ReadSession): Promise<void> => {
        input = openInput(file);
        request = await checkSeal(session, options);
        plan = await unlessRefused(planSeal(session, request));
      };
      const members = [options.as ?? options.owner];
      const value = await writing(globals, { members, check }, async (session) => {
        if (request === undefined || input === undefined) {
          throw new ChartsealError("defect", "options were not checked");
        }
        const chosen = plan ?? (await planSeal(session, request));
        const bar = progressBar("Sealing", input.size);
        try {
          const made = await seal(session, { ...request, plan: chosen, input, onProgress: bar.update });
          const { metadata, submitted } = made;
          return {
            recordId: toHex(made.recordId),
            address: made.address,
            digest: toHex(made.digest),
            policy: chosen.policy.text,
            height: submitted.height,
            transaction: toHex(submitted.identifier),
            bytes: made.bytes,
            sealedBytes: made.sealedBytes,
            mediaType: metadata.mediaType,
            validation: metadata.validation,
          };
        } finally {
          bar.stop();
        }
      });
      if (options.requireValid === true && value.validation === "not-checked") {
        const why = `no validator here knows ${value.mediaType}, or takes a file so large`;
        globals.output.warn(`the file was not checked, --require-valid refuses nothing of it: ${why}`);
      }
      globals.output.value(
        value,
        `Record ${value.recordId}\n  ${value.mediaType}, ${counted(value.bytes, "byte")}, ${value.policy}`,
      );
    });
  example(
    command,
    'chartseal seal ecg.json --owner alice --as bob --policy "doctor@cedars and cardiology@cedars"',
  );
}
