/** The demo from its first line to its last: the prologue, eight acts, what happened, where everything lies. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fallen } from "./acts-authority.ts";
import { cloudLost, placesAdded } from "./acts-clouds.ts";
import { erasure } from "./acts-ending.ts";
import { tampering } from "./acts-integrity.ts";
import { ownersRule, revocation } from "./acts-ruling.ts";
import { denied, deposit, grant, outsourcedOpen, prologue, type Records } from "./acts-sharing.ts";
import { Authorities } from "./authorities.ts";
import { hospitals } from "./cast.ts";
import { Clouds, lostCloud } from "./clouds.ts";
import { fallenInstitution, Institutions, institutions as names } from "./institutions.ts";
import { type ActTold, duration, Stage } from "./stage.ts";
import { demoPassphrase, World } from "./world.ts";

export interface DemoSummary {
  readonly ok: boolean;
  readonly ms: number;
  readonly prologue: ActTold;
  readonly acts: readonly ActTold[];
  /** The temporary folder, the consortium in it and its passphrase. */
  readonly folder: string;
  readonly home: string;
  readonly passphrase: string;
  readonly report: string;
  readonly records: readonly string[];
  /** Where the authority's nodes ran in processes of their own: whose they were, and which was killed. */
  readonly authority?: { readonly processes: readonly string[]; readonly killed: string };
  /** Where four institutions ran the ledger: their folder, and which was killed. */
  readonly consortium?: {
    readonly folder: string;
    readonly institutions: readonly string[];
    readonly killed: string;
  };
  /** Where the records lay on servers: which was destroyed, and the report of what it took. */
  readonly clouds?: {
    readonly places: readonly string[];
    readonly destroyed: string;
    readonly report: string;
  };
}

export interface DemoOptions {
  /** Each hospital runs its authority node in a process of its own; one is killed halfway. */
  readonly processes?: boolean;
  /** Records lie two of three over an S3 server, an FTPS server and a disk, one of which is destroyed in the middle. */
  readonly clouds?: boolean;
  /** Four institutions run the ledger under CometBFT, each its own node; one is killed in the middle. */
  readonly engine?: "embedded" | "comet";
}

/** Plays everything. @throws ChartsealError `defect` where the story does not hold */
export async function playDemo(stream: NodeJS.WriteStream, options: DemoOptions = {}): Promise<DemoSummary> {
  const start = performance.now();
  const stage = new Stage(stream);
  const folder = mkdtempSync(join(tmpdir(), "chartseal-demo-"));
  const apart = options.processes === true;
  const institutions = options.engine === "comet" ? new Institutions(folder) : undefined;
  const clouds = options.clouds === true ? await Clouds.start(folder) : undefined;
  const world = new World(folder, {
    ...(apart ? { authorities: await Authorities.make(folder, hospitals) } : {}),
    ...(clouds === undefined ? {} : { clouds }),
    ...(institutions === undefined ? {} : { institutions }),
  });
  const places = clouds?.places.map(({ name }) => name) ?? [];
  const processes =
    institutions !== undefined
      ? "Four institutions on this machine, a CometBFT node and an application each"
      : apart
        ? "The authority in three processes, the rest in one"
        : "One process on this machine";
  const stored = clouds === undefined ? "" : "; records on an S3 server, an FTPS server and a disk";
  stage.line();
  stage.line(`${stage.bold("Chartseal")}  three hospitals, five patients, eight acts`);
  stage.line(stage.dim(`${processes}${stored}; beside each step, the command that does the same.`));
  let records: Records = new Map();
  try {
    await stage.act("Prologue", "a consortium", () => prologue(stage, world));
    if (clouds !== undefined) {
      await stage.act("Places", "a bucket, an FTPS server, a disk", () => placesAdded(stage, world));
    }
    await stage.act("1  Deposit", "five records, five formats", async () => {
      records = await deposit(stage, world);
    });
    await stage.act("2  Grant", "attributes by a hospital, keys by a committee", () => grant(stage, world));
    await stage.act("3  Denied", "with the reason", () => denied(stage, world, records));
    await stage.act("4  Open", "outsourced: the provider works, the reader finishes", () =>
      outsourcedOpen(stage, world, records),
    );
    if (clouds !== undefined) {
      await stage.act("A cloud is lost", "and no record with it", () => cloudLost(stage, world, records));
    }
    await stage.act("5  The owner's rule", "purpose, policy, hospital, expiry", () =>
      ownersRule(stage, world, records),
    );
    await stage.act("6  Revocation", "at once", () => revocation(stage, world, records));
    await stage.act("7  Tampering", "found by forensics, in the cloud and in the ledger", () =>
      tampering(stage, world, records),
    );
    await stage.act("8  Erasure", "with a certificate, and the log that stays", () =>
      erasure(stage, world, records),
    );
  } finally {
    await world.end();
  }
  const ms = Math.round(performance.now() - start);
  const [first, ...acts] = stage.acts as [ActTold, ...ActTold[]];
  const summary: DemoSummary = {
    ok: true,
    ms,
    prologue: first,
    acts,
    folder: world.folder,
    home: world.homeFolder,
    passphrase: demoPassphrase,
    report: join(world.folder, "report.html"),
    records: [...records.values()].map(({ recordId }) => recordId),
    ...(apart ? { authority: { processes: hospitals, killed: fallen } } : {}),
    ...(institutions === undefined
      ? {}
      : { consortium: { folder: institutions.folder, institutions: names, killed: fallenInstitution } }),
    ...(clouds === undefined
      ? {}
      : { clouds: { places, destroyed: lostCloud, report: join(folder, "clouds", "report.html") } }),
  };
  ending(stage, summary);
  return summary;
}

const plural = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

function ending(stage: Stage, summary: DemoSummary): void {
  const { folder, home, ms, acts, records, authority, clouds, consortium } = summary;
  const steps = acts.flatMap((act) => act.steps);
  const refused = steps.filter((step) => step.refused !== undefined).length;

  const opens = steps.filter(
    (step) => step.command.startsWith("chartseal open ") && step.refused === undefined,
  ).length;
  stage.line();
  stage.line(`${stage.bold("What happened")}  ${stage.dim(`in ${duration(ms)}`)}`);
  stage.details([
    [
      "sealed",
      plural(records.length, "record", "records"),
      "of five patients, at three hospitals, in five formats",
    ],
    ["opened", plural(opens, "time", "times"), "by readers who satisfied the policy"],
    ["refused", plural(refused, "time", "times"), "each with its reason"],
    ["altered", "2 times", "found, located and put back"],
    ["erased", "1 record", "with a certificate, and a complete log for its owner"],
  ]);
  stage.line();
  stage.line(`${stage.bold("Where it is")}  ${stage.dim(folder)}`);
  stage.details([
    consortium === undefined
      ? ["home/", "the consortium: ledger, provider, keys"]
      : ["network/institution-1 … 4", "the institutions: ledger, node, provider, keys"],
    ...(authority === undefined ? [] : [["node-*/, node-*.log", "the hospitals' authority nodes"]]),
    ...(clouds === undefined
      ? []
      : [
          ["west/, cellar/, south/", "the places, after one was lost"],
          ["clouds/report.html", "what forensics said when it was"],
        ]),
    ["clara-history.json", "what bob read"],
    ["report.html, report.json", "what forensics found"],
    ["certificate.json, access-log.jsonl", "the erasure, and who had read"],
  ]);
  stage.line();
  stage.line(`${stage.bold("Go on")}  ${stage.dim("with node_modules/.bin first on your PATH")}`);
  stage.line(`      export CHARTSEAL_HOME=${home} CHARTSEAL_PASSPHRASE=${demoPassphrase}`);
  if (consortium !== undefined) stage.line(`      chartseal network up --dir ${consortium.folder}`);
  stage.line("      chartseal records && chartseal verify");
  stage.line();
}
