/** Refresh and resharing on the ledger: who opens and who speaks, when the new committee counts, who is named. */
import { keyIsConsistent, toHex, utf8 } from "@chartseal/crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { signAdmission } from "../src/authorisation.ts";
import { committeePastKey, emptyKey, entries, items, lists, load } from "../src/state-kinds.ts";
import { encodeTransaction } from "../src/transaction.ts";
import {
  type Change,
  ChangeRun,
  opening,
  refreshed,
  roundMs,
  runChange,
  sessions,
  spaceOf,
} from "./committee-run.ts";
import { both, issueIn, someHash } from "./refusals/making.ts";
import { doctor, identity, nodes, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = (await builtWorld()).fork();
});

const newcomers = ["birch", "elm", "oak", "yew"].map(identity);
const reshared: Change = {
  change: "reshare",
  from: nodes,
  to: [nodes[1]!, ...newcomers],
  threshold: 3,
  dealers: [1, 3],
};

/** A world in which a vote has opened a change. */
function opened(change: Change, world = base.fork()): World {
  for (const node of change.to) {
    const { publicKey, hpkeKey } = node;
    const known = load(world.state, entries.account, node.account) !== undefined;
    if (!known) world.submit(world.admitted(node, { kind: "register-node", publicKey, hpkeKey }));
  }
  world.submit(world.admitted(service, opening(change)));
  return world;
}

const keysOf = (world: World) =>
  sessions.map((session) => toHex(load(world.state, entries.committee, utf8(session))!));
const publicKeysOf = (world: World) =>
  sessions.map((session) => {
    const space = spaceOf(world, session);
    return toHex(space.group.encode(world.committee(space).publicKey));
  });
const faultsOf = (world: World) =>
  items(world.state, lists.nodeFaults, emptyKey).map((key) => ({
    node: nodes.findIndex(({ account }) => toHex(account) === toHex(key.slice(0, 20))) + 1,
    ...load(world.state, entries.nodeFault, key)!,
  }));

describe("a refresh", () => {
  test("gives new shares under the same public keys, and all three take their places in one block", () => {
    const world = opened(refreshed);
    const before = { keys: keysOf(world), publicKeys: publicKeysOf(world) };
    for (const session of sessions) {
      expect(keysOf(world)).toEqual(before.keys);
      expect(load(world.state, entries.committeeNodes, emptyKey)).toBeUndefined();
      const run = new ChangeRun(world, refreshed, session);
      for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
      run.conclude();
    }
    expect(publicKeysOf(world)).toEqual(before.publicKeys);
    for (const [at, key] of keysOf(world).entries()) expect(key).not.toBe(before.keys[at]);
    expect(load(world.state, entries.committeeNodes, emptyKey)).toMatchObject({ threshold: 2, epoch: 2 });
    for (const session of sessions) {
      const space = spaceOf(world, session);
      expect(world.committee(space).epoch).toBe(2);
      expect(keyIsConsistent(space, world.committee(space))).toBe(true);
      expect(load(world.state, entries.committeeNext, utf8(session))).toBeUndefined();
      const past = load(world.state, entries.committeePast, committeePastKey(session, 1))!;
      expect(toHex(past.key)).toBe(before.keys[sessions.indexOf(session)]);
      expect(past).toMatchObject({ origin: "fresh", threshold: 2, dealers: [1, 2, 3] });
    }
  });

  test("may be followed by another, in the next epoch and under attempts that go on counting", () => {
    const world = opened(refreshed);
    runChange(world, refreshed);
    world.timestampMs += roundMs;
    world.do(nodes[2]!, opening(refreshed));
    runChange(world, refreshed);
    expect(load(world.state, entries.committeeNodes, emptyKey)).toMatchObject({ epoch: 3 });
    expect(load(world.state, entries.keygen, utf8("audit"))).toMatchObject({ attempt: 3, done: true });
    const past = load(world.state, entries.committeePast, committeePastKey("audit", 2))!;
    expect(past).toMatchObject({ origin: "refresh", run: { attempt: 2, done: true } });
  });

  test("is opened by one present node alone, but not while a change is fresh, nor by a stranger", () => {
    const world = base.fork();
    const open = opening(refreshed);
    expect(world.verdict(world.signed(nodes[0]!, open))).toBe("change-open");
    world.timestampMs += roundMs;
    expect(world.verdict(world.signed(service, open))).toBe("role-missing");
    world.do(nodes[0]!, open);
    expect(world.verdict(world.signed(nodes[1]!, open))).toBe("change-open");
    expect(world.verdict(world.admitted(service, open))).toBe("applied");
    world.timestampMs += roundMs;
    expect(world.verdict(world.signed(nodes[1]!, open))).toBe("applied");
  });

  test("is opened by a vote alone, signed by no account", () => {
    const world = base.fork();
    const body = world.body(opening(refreshed));
    const admissions = [signAdmission(service.seed, body)];
    expect(world.verdict(encodeTransaction(body, { admissions }))).toBe("applied");
  });

  test("takes no message of the run before, and none of another session", () => {
    const world = opened(refreshed);
    const old = new ChangeRun(world, refreshed, "audit");
    for (const kind of ["commit", "reveal"] as const) old.round(kind);
    world.submit(world.admitted(service, opening(refreshed)));
    const run = new ChangeRun(world, refreshed, "audit");
    expect(run.attempt).toBe(old.attempt + 1);
    expect(run.verdict(nodes[0]!, old.message("commit", 1))).toBe("keygen-round");
    run.round("commit");
    const replayed = { ...old.message("reveal", 1), attempt: run.attempt } as never;
    expect(run.verdict(nodes[0]!, replayed)).toBe("keygen-message");
    const signing = new ChangeRun(world, refreshed, "signing").message("reveal", 1);
    expect(run.verdict(nodes[0]!, { ...signing, session: "audit" } as never)).toBe("malformed");
  });

  test("without a dealer that fell silent comes about, and names that dealer", () => {
    const world = opened(refreshed);
    for (const session of sessions) {
      const run = new ChangeRun(world, refreshed, session);
      run.round("commit");
      run.round("reveal", [1, 2]);
      world.timestampMs += roundMs;
      run.round("deal", [1, 2]);
      run.conclude();
    }
    expect(load(world.state, entries.committeeNodes, emptyKey)).toMatchObject({ epoch: 2 });
    expect(faultsOf(world).map(({ node, fault, epoch }) => ({ node, fault, epoch }))).toEqual(
      sessions.map(() => ({ node: 3, fault: "no-reveal", epoch: 2 })),
    );
  });
});

describe("a resharing", () => {
  test("gives the same keys to another committee with another t; old nodes deal, new ones receive and conclude", () => {
    const world = opened(reshared);
    const before = publicKeysOf(world);
    runChange(world, reshared);
    expect(publicKeysOf(world)).toEqual(before);
    const present = load(world.state, entries.committeeNodes, emptyKey)!;
    expect(present).toMatchObject({ threshold: 3, epoch: 2 });
    expect(present.nodes.map(toHex)).toEqual(reshared.to.map(({ account }) => toHex(account)));
    for (const session of sessions) {
      const space = spaceOf(world, session);
      expect(world.committee(space).nodeKeys).toHaveLength(5);
      expect(keyIsConsistent(space, world.committee(space))).toBe(true);
    }
  });

  test("is dealt by the named dealers alone, and received by the new nodes under their new indices", () => {
    const world = opened(reshared);
    const run = new ChangeRun(world, reshared, "audit");
    const another = new ChangeRun(world, { ...reshared, dealers: [1, 2] }, "audit");
    expect(run.verdict(nodes[1]!, another.message("commit", 2))).toBe("keygen-message");
    expect(run.verdict(newcomers[0]!, run.message("commit", 1))).toBe("role-missing");
    expect(run.verdict(nodes[0]!, run.message("reveal", 1))).toBe("keygen-round");
    for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
    // The first dealer leaves: it receives nothing. The second old node is receiver 1.
    expect(run.verdict(nodes[0]!, run.concluding)).toBe("role-missing");
    expect(run.verdict(nodes[1]!, run.complaint(2, 1))).toBe("keygen-message");
    expect(run.verdict(nodes[1]!, run.complaint(1, 1))).toBe("applied");
    expect(run.verdict(nodes[1]!, run.complaint(1, 2))).toBe("keygen-round");
    expect(run.verdict(nodes[1]!, run.concluding)).toBe("applied");
  });

  test("whose dealer gives another secret than its share is refused at the reveal", () => {
    const world = opened(reshared);
    const run = new ChangeRun(world, reshared, "audit");
    world.shares = { ...world.shares, audit: world.shares.signing! };
    expect(() => new ChangeRun(world, reshared, "audit")).toThrow();
    run.round("commit");
    expect(run.verdict(nodes[0]!, run.message("reveal", 3))).toBe("keygen-message");
  });

  test("that waits for a dealer is replaced when it is overdue, with other dealers, and the silent one is named", () => {
    const world = opened(reshared);
    const run = new ChangeRun(world, reshared, "audit");
    run.round("commit", [1]);
    world.timestampMs += roundMs;
    expect(run.verdict(nodes[0]!, run.message("reveal", 1))).toBe("keygen-round");
    const other = { ...reshared, dealers: [1, 2] };
    world.submit(world.admitted(service, opening(other)));
    runChange(world, other);
    expect(load(world.state, entries.committeeNodes, emptyKey)).toMatchObject({ epoch: 2, threshold: 3 });
    const named = faultsOf(world).map(({ node, fault }) => `${node} ${fault}`);

    expect(named).toContain("3 no-commit");
  });

  test("that a complaint broke aborts, names the dealer, and starts over under the next attempt", () => {
    const world = opened(reshared);
    const run = new ChangeRun(world, reshared, "audit");
    for (const kind of ["commit", "reveal", "deal"] as const) run.round(kind);
    world.do(reshared.to[4]!, run.complaint(5, 3));
    run.conclude([1, 2, 3, 4, 5]);
    world.timestampMs += roundMs;
    run.conclude([1]);
    expect(run.value).toMatchObject({ attempt: run.attempt + 1, done: false, commits: [] });
    expect(faultsOf(world)).toMatchObject([{ node: 3, fault: "complaint-upheld", epoch: 2 }]);
    runChange(world, reshared);
    expect(load(world.state, entries.committeeNodes, emptyKey)).toMatchObject({ epoch: 2 });
  });
});

describe("after a change", () => {
  test("a request and an issue of the epoch before are refused, and an issue counts the present nodes", () => {
    const world = base.fork();
    const issue = issueIn(world, {});
    expect(world.verdict(issue)).toBe("applied");
    opened(reshared, world);
    runChange(world, reshared);
    const late = world.keyRequest(doctor, { label: "late", attributes: both }).action;
    expect(world.verdict(world.signed(doctor, late))).toBe("epoch-wrong");
    const { requestId } = world.keyRequest(doctor, { label: "key", attributes: both }).action;
    const issued = { kind: "key-issued", requestId, keyId: someHash, nodes: [1, 2] } as const;
    expect(world.verdict(world.signed(service, issued))).toBe("epoch-wrong");
  });

  test("a node that left may open no refresh, and a new one may", () => {
    const world = opened(reshared);
    runChange(world, reshared);
    world.timestampMs += roundMs;
    const next = { ...refreshed, to: reshared.to, threshold: 3, dealers: [1, 2, 3, 4, 5] };
    expect(world.verdict(world.signed(nodes[0]!, opening(next)))).toBe("role-missing");
    expect(world.verdict(world.signed(newcomers[3]!, opening(next)))).toBe("applied");
  });
});
