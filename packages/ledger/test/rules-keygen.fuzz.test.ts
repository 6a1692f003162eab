/**
 * Every message of key generation where it does not belong: mutated, from the wrong sender, twice, out of its order, in
 * another session, attempt, epoch or chain. Each is a refusal, never a defect, and none moves the run. What a machine
 * cannot judge (a commit is a digest, a deal is sealed) may be taken, and binds nobody but its sender.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import type { Action } from "../src/actions.ts";
import { type Change, ChangeRun, opening, refreshed, runChange } from "./committee-run.ts";
import { nobody, someHash } from "./refusals/making.ts";
import { doctor, type Identity, nodes, owner, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

const kinds = ["commit", "reveal", "deal", "complaint", "answer", "conclude"] as const;
type Kind = (typeof kinds)[number];
const reshared: Change = { ...refreshed, change: "reshare", dealers: [1, 2] };

/** A run brought to the point where node 1's message of that kind is the next one, in a world of its own. */
interface Stage {
  readonly run: ChangeRun;
  readonly action: Action;
  readonly by: Identity;
}

/** The dealings of each run are drawn once; stages of it are forks. */
function stages(run: ChangeRun): Record<Kind, Stage> {
  const { world } = run;
  const at = (action: () => Action): Stage => {
    const fork = run.in(world.fork());
    return { run: fork, action: action(), by: nodes[0]! };
  };
  const commit = at(() => run.message("commit", 1));
  run.round("commit");
  const reveal = at(() => run.message("reveal", 1));
  run.round("reveal");
  const deal = at(() => run.message("deal", 1));
  run.round("deal");
  const complaint = at(() => run.complaint(1, 2));
  const conclude = at(() => run.concluding);
  world.do(nodes[1]!, run.complaint(2, 1));
  const answer = at(() => run.answer(1, 2));
  return { commit, reveal, deal, complaint, answer, conclude };
}

let base: World;
const made = new Map<string, Record<Kind, Stage>>();

beforeAll(async () => {
  base = await builtWorld();
  for (const change of [refreshed, reshared]) {
    for (const session of ["reading", "audit"] as const) {
      const world = base.fork();
      world.submit(world.admitted(service, opening(change)));
      made.set(`${change.change} ${session}`, stages(new ChangeRun(world, change, session)));
    }
  }
});

const runs = ["refresh reading", "refresh audit", "reshare reading", "reshare audit"];
const cases = runs.flatMap((run) => kinds.map((kind) => [run, kind] as const));
const verdict = ({ run }: Stage, by: Identity, action: Action) => run.verdict(by, action);

describe.each(cases)("%s, %s", (name, kind) => {
  const stage = () => made.get(name)![kind];

  test("is taken from its sender in its time, and only once", () => {
    const { run, by, action } = stage();
    expect(run.verdict(by, action)).toBe("applied");
    const world = run.world.fork();
    world.do(by, action);
    expect(run.in(world).verdict(by, action)).not.toBe("applied");
  });

  test("is refused of every other sender", () => {
    const { action } = stage();
    const others = [nodes[1]!, nodes[2]!, service, owner, doctor, nobody];
    // Who concludes says no more than that it has no complaint: every receiver says it for itself.
    for (const by of kind === "conclude" ? others.slice(2) : others) {
      expect(verdict(stage(), by, action)).not.toBe("applied");
    }
  });

  test("is refused in every other round", () => {
    const { action, by } = stage();
    // A receiver complains or concludes between the deals and the end.
    const open: readonly Kind[] = ["complaint", "answer", "conclude"];
    for (const other of kinds) {
      const fits = other === kind || (kind !== "answer" && open.includes(kind) && open.includes(other));
      if (!fits) expect(verdict(made.get(name)![other], by, action), other).not.toBe("applied");
    }
  });

  test("is refused in another attempt, session, chain, and after its epoch has begun", () => {
    const { run, action, by } = stage();
    const { attempt } = action as { attempt: number } & Action;
    for (const other of [attempt - 1, attempt + 1]) {
      expect(run.verdict(by, { ...action, attempt: other } as Action)).toBe("keygen-round");
    }
    const session = name.endsWith("audit") ? "reading" : "audit";
    const crossed = run.verdict(by, { ...action, session } as Action);
    // A digest fits anywhere; what it commits to does not.
    if (kind !== "commit") expect(crossed).not.toBe("applied");
    const body = run.world.body(action, { chainId: someHash });
    expect(run.world.verdict(run.world.signed(by, action, { body }))).toBe("wrong-chain");
  });

  test(
    "is refused when mutated, or binds its sender alone",
    () => {
      const { run, action, by } = stage();
      if (!("message" in action)) return;
      const rounds = fuzzRounds(25, 0.001);
      const mutation = fc.record({
        at: fc.nat(action.message.length - 1),
        to: fc.integer({ min: 1, max: 255 }),
        how: fc.constantFrom("change", "cut", "add"),
      });
      fc.assert(
        fc.property(mutation, ({ at, to, how }) => {
          const { message } = action;
          const changed =
            how === "cut"
              ? message.slice(0, at)
              : how === "add"
                ? Uint8Array.from([...message.slice(0, at), to, ...message.slice(at)])
                : message.map((byte, k) => (k === at ? byte ^ to : byte));
          const found = run.verdict(by, { ...action, message: changed } as Action);
          const opaque = kind === "commit" || kind === "deal" || kind === "complaint";
          if (!opaque) expect(found).not.toBe("applied");
          if (how !== "change") expect(found).not.toBe("applied");
        }),
        { numRuns: rounds },
      );
    },
    fuzzTimeoutMs(fuzzRounds(25, 0.001)),
  );
});

test("no message of a change serves in the next epoch", () => {
  const world = base.fork();
  world.submit(world.admitted(service, opening(refreshed)));
  const run = new ChangeRun(world, refreshed, "audit");
  const messages = (["commit", "reveal", "deal"] as const).map((kind) => run.message(kind, 1));
  for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
  const shares = run.shares();
  run.conclude();
  for (const session of ["reading", "signing"] as const) {
    const other = new ChangeRun(world, refreshed, session);
    for (const kind of ["commit", "reveal", "deal"] as const) other.round(kind);
    world.shares = { ...world.shares, [session]: other.shares() };
    other.conclude();
  }
  world.shares = { ...world.shares, audit: shares };
  for (const message of messages) expect(run.verdict(nodes[0]!, message)).not.toBe("applied");
  world.submit(world.admitted(service, opening(refreshed)));
  const next = new ChangeRun(world, refreshed, "audit");
  const { attempt } = next;
  const again = messages.map((message) => ({ ...message, attempt }) as Action);
  world.do(nodes[0]!, again[0]!);
  for (const dealer of [2, 3]) world.do(nodes[dealer - 1]!, next.message("commit", dealer));
  // Its digest was taken, its commitments are of another session: the node has only shut itself out.
  expect(next.verdict(nodes[0]!, again[1]!)).toBe("keygen-message");
  expect(next.verdict(nodes[0]!, next.message("reveal", 1))).toBe("keygen-message");
  expect(next.verdict(nodes[1]!, next.message("reveal", 2))).toBe("applied");
});

test("a change that all have gone through leaves nothing of its runs to be said", () => {
  const world = base.fork();
  world.submit(world.admitted(service, opening(refreshed)));
  runChange(world, refreshed);
  const attempt = 2;
  for (const kind of kinds) {
    const action = {
      kind: `keygen-${kind}`,
      session: "audit",
      attempt,
      message: new Uint8Array(1),
    } as Action;
    expect(world.verdict(world.signed(nodes[0]!, action))).toBe("keygen-done");
  }
});
