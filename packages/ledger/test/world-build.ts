/** The consortium of world.ts, built step by step: its genesis, key generation, provider, hospital, members, a rule. */
import {
  auditKeySpace,
  commitOf,
  committeeBase,
  conclude,
  encodeCommit,
  encodeDeal,
  encodeNamespaceLists,
  encodeNamespaceProof,
  encodeReveal,
  type Generation,
  generation,
  type KeySpace,
  loadPairing,
  namespaceKeys,
  ownShare,
  readingKeySpace,
  revealOf,
  shareFor,
  signingKeySpace,
  startDealing,
  toHex,
} from "@chartseal/crypto";
import type { Session } from "../src/actions.ts";
import { defaultParameters, encodeGenesis } from "../src/genesis.ts";
import {
  doctor,
  hospital,
  nodes,
  owner,
  policy,
  service,
  startMs,
  stranger,
  threshold,
  World,
  writers,
} from "./world.ts";

/** The three key generations, without a fault. */
export function generateKeys(world: World): void {
  const { pairing } = world;
  generate(world, "reading", readingKeySpace(pairing));
  generate(world, "signing", signingKeySpace(pairing, committeeBase(pairing)));
  generate(world, "audit", auditKeySpace(pairing));
}

/** A run of key generation. */
export function runOf<P>(world: World, space: KeySpace<P>, attempt = 1): Generation<P> {
  return generation(space, { chainId: world.chainId, nodes: nodes.length, threshold, attempt });
}

function generate<P>(world: World, session: Session, space: KeySpace<P>): void {
  const run = runOf(world, space);
  const dealings = nodes.map((_, at) => startDealing(run, at + 1));
  const commits = dealings.map((dealing) => commitOf(run, dealing));
  const reveals = dealings.map((dealing) => revealOf(run, dealing));
  const deals = dealings.map(({ dealer }) => ({ dealer, envelopes: nodes.map(() => new Uint8Array(80)) }));
  const attempt = 1;
  const round = (
    kind: "keygen-commit" | "keygen-reveal" | "keygen-deal",
    messages: readonly Uint8Array[],
  ): void => {
    for (const [at, node] of nodes.entries())
      world.do(node, { kind, session, attempt, message: messages[at]! });
  };
  round("keygen-commit", commits.map(encodeCommit));
  round(
    "keygen-reveal",
    reveals.map((reveal) => encodeReveal(run, reveal)),
  );
  round("keygen-deal", deals.map(encodeDeal));
  for (const node of nodes) world.do(node, { kind: "keygen-conclude", session, attempt });
  const agreed = conclude(run, { commits, reveals, deals, complaints: [], published: [] });
  if (agreed.kind === "aborted") throw new Error("the key generation gave no key");
  world.shares = {
    ...world.shares,
    [session]: nodes.map((_, at) => {
      const index = at + 1;
      const received = new Map(dealings.map((dealing) => [dealing.dealer, shareFor(run, dealing, index)]));
      return ownShare(run, agreed, { index, received });
    }),
  };
}

/** The hospital with lists of 8 columns. */
export function registerHospital(world: World): void {
  const { pairing, chainId } = world;
  const { account, hpkeKey } = hospital;
  const made = namespaceKeys(pairing, { chainId, namespace: "cedars", account }, 8);
  world.namespaceSecret = made.secret;
  world.submit(
    world.admitted(hospital, {
      kind: "register-namespace",
      name: "cedars",
      account,
      hpkeKey,
      lists: encodeNamespaceLists(pairing, made.lists),
      proof: encodeNamespaceProof(made.proof),
    }),
  );
}

export function genesisBytes(changes: Partial<Parameters<typeof encodeGenesis>[0]> = {}): Uint8Array {
  return encodeGenesis({
    name: "test consortium",
    createdMs: startMs,
    parameters: defaultParameters,
    validators: [{ publicKey: service.publicKey, stake: 1 }],
    providers: [service.publicKey],
    nodes: nodes.map(({ publicKey }) => publicKey),
    threshold,
    ...changes,
  });
}

/** A consortium before its committee has keys. */
export async function newWorld(changes: Parameters<typeof genesisBytes>[0] = {}): Promise<World> {
  return new World(await loadPairing(), genesisBytes(changes));
}

let built: Promise<World> | undefined;

/** Keys made, provider and hospital registered, owner, doctor and stranger enrolled, the doctor vouched for, a rule. */
export async function builtWorld(): Promise<World> {
  built ??= build();
  return (await built).fork();
}

async function build(): Promise<World> {
  const world = await newWorld();
  populate(world);
  return world;
}

/** What `builtWorld` has, in an empty world. */
export function populate(world: World): void {
  for (const node of nodes) world.do(node, { kind: "set-hpke-key", hpkeKey: node.hpkeKey });
  generateKeys(world);
  const { publicKey, hpkeKey } = service;
  world.do(service, { kind: "register-provider", publicKey, hpkeKey });
  for (const who of [hospital, owner, doctor, stranger]) {
    world.do(who, { kind: "enrol", publicKey: who.publicKey, hpkeKey: who.hpkeKey });
  }
  registerHospital(world);
  for (const name of ["cardiologist", "physician", "nurse"]) {
    world.do(hospital, {
      kind: "open-period",
      namespace: "cedars",
      attribute: `${name}@cedars`,
      label: "2026q4",
    });
  }
  const attributes = ["cardiologist@cedars", "physician@cedars"];
  const { account } = doctor;
  world.do(hospital, {
    kind: "vouch",
    namespace: "cedars",
    account,
    attributes,
    mode: "transform",
    digest: null,
  });
  const { account: own } = owner;
  const self = [`${toHex(own)}@self`];
  world.do(owner, {
    kind: "vouch",
    namespace: "self",
    account: own,
    attributes: self,
    mode: "transform",
    digest: null,
  });
  const purposes = ["TREAT", "HRESCH"];
  world.do(owner, {
    kind: "set-rule",
    namespace: "cedars",
    policy,
    writers,
    purposes,
    expiresMs: null,
    perDay: 3,
  });
  // Made here once, so that forks share them.
  void world.keys;
}
