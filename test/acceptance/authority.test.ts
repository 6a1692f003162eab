/**
 * The authority at three hospitals, as their own processes: one serves ledger and provider, three are nodes of which two
 * issue. Keys are made over HTTP; a node is killed and issuing goes on; the committee refreshes and is reshared to five of
 * which three issue; and a node begun again from a copy of its folder from before answers nobody.
 */
import type { ChildProcess } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@chartseal/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Done, fails, finished, json, start, workFolder } from "./support.ts";

const folder = workFolder();
const home = join(folder, "metro");
const children: ChildProcess[] = [];

interface Running {
  readonly child: ChildProcess;
  readonly end: Promise<Done>;
}

interface Node {
  readonly home: string;
  readonly key: string;
  readonly port: number;
  running: Running | undefined;
}

let nodes: Node[];
let ledger: string;
let record: string;

/** Starts a command that serves, and waits for its one value. */
async function serving(
  args: readonly string[],
  target: string,
): Promise<Running & { readonly address: string }> {
  const child = start([...args, "--json"], { home: target });
  children.push(child);
  const end = finished(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (bytes: Buffer) => resolve(bytes.toString()));
    end.then((done) => reject(new Error(`it ended: ${done.stderr}`)));
  });
  return { child, end, address: JSON.parse(line).address };
}

async function makeNode(name: string): Promise<Node> {
  const target = join(folder, name);
  const { publicKey } = await json(["authority", "init"], { home: target });
  return { home: target, key: publicKey, port: await freePort(), running: undefined };
}

const urlOf = ({ key, port }: Node): string => `${key}=http://127.0.0.1:${port}`;

async function serveNode(node: Node, ...more: string[]): Promise<void> {
  node.running = await serving(["authority", "serve", "--port", String(node.port), ...more], node.home);
}

const told = (): string[] => ["--ledger", ledger, "--genesis", join(home, "genesis.cbor")];

async function kill(node: Node): Promise<void> {
  node.running!.child.kill("SIGKILL");
  await node.running!.end;
}

/** The states of all nodes, once they are these. */
async function untilStates(...wanted: string[]): Promise<void> {
  const states = async () => {
    const { nodes: shown, change } = await json(["authority", "status"], { home });
    return [change, ...shown.map(({ state }: { state: string }) => state)];
  };
  await expect.poll(states, { timeout: 120_000, interval: 1_000 }).toEqual([null, ...wanted]);
}

beforeAll(async () => {
  nodes = [await makeNode("cedars"), await makeNode("mercy"), await makeNode("elm")];
  const named = nodes.flatMap((node) => ["--authority", urlOf(node)]);
  await json(["init", "--name", "metro", "--threshold", "2", ...named], { home });
  ({ address: ledger } = await serving(["serve"], home));
}, 120_000);
afterAll(() => {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
});

test("before the nodes have made the keys, what needs them is refused", async () => {
  await fails("transaction-refused", ["member", "add", "alice"], { home });
});

test("three nodes make the keys over HTTP, and issue", async () => {
  for (const node of nodes) await serveNode(node, ...told());
  await untilStates("ready", "ready", "ready");
  await json(["namespace", "add", "cedars"], { home });
  await json(["member", "add", "alice"], { home });
  await json(["attributes", "grant", "alice", "doctor@cedars"], { home });
  const file = join(folder, "note.txt");
  writeFileSync(file, "a note");
  const sealed = ["seal", file, "--owner", "alice", "--policy", "doctor@cedars"];
  ({ recordId: record } = await json(sealed, { home }));
  expect(await json(["open", record, "--as", "alice"], { home })).toMatchObject({ bytes: 6 });
}, 180_000);

test("one node killed, issuing goes on; two killed, it does not; begun again, they are ready", async () => {
  await kill(nodes[0]!);
  await json(["attributes", "grant", "alice", "nurse@cedars"], { home });
  expect(await json(["open", record, "--as", "alice"], { home })).toMatchObject({ bytes: 6 });
  await kill(nodes[1]!);
  await fails("ledger-unreachable", ["attributes", "grant", "alice", "surgeon@cedars"], { home });
  for (const node of nodes.slice(0, 2)) await serveNode(node);
  await untilStates("ready", "ready", "ready");
}, 180_000);

test("after a refresh a node begun from a copy of its folder from before answers nobody", async () => {
  await kill(nodes[0]!);
  const copy = join(folder, "copy");
  cpSync(nodes[0]!.home, copy, { recursive: true });
  await serveNode(nodes[0]!);
  await untilStates("ready", "ready", "ready");
  expect(await json(["authority", "refresh"], { home })).toMatchObject({ epoch: 2, nodes: 3, threshold: 2 });
  await untilStates("ready", "ready", "ready");
  // The copy stands in for the first node, and the second is away: its old share would be the second of two.
  await kill(nodes[0]!);
  await kill(nodes[1]!);
  const thief = { ...nodes[0]!, home: copy };
  await serveNode(thief);
  await fails("issue-refused", ["attributes", "grant", "alice", "midwife@cedars"], { home });
  await kill(thief);
  rmSync(copy, { recursive: true });
  for (const node of nodes.slice(0, 2)) await serveNode(node);
  await untilStates("ready", "ready", "ready");
  await json(["attributes", "grant", "alice", "midwife@cedars"], { home });
}, 240_000);

test("reshared to five of which three issue, two may be gone, and what was sealed before still opens", async () => {
  const added = [await makeNode("oak"), await makeNode("yew")];
  for (const node of added) await serveNode(node, ...told());
  const named = [...nodes.map(({ key }) => key), ...added.map(urlOf)].join(",");
  const reshare = ["authority", "reshare", "--nodes", named, "--threshold", "3"];
  expect(await json(reshare, { home })).toMatchObject({ epoch: 3, nodes: 5, threshold: 3 });
  await untilStates("ready", "ready", "ready", "ready", "ready");
  await kill(nodes[0]!);
  await kill(nodes[1]!);
  await json(["attributes", "grant", "alice", "registrar@cedars"], { home });
  expect(await json(["open", record, "--as", "alice"], { home })).toMatchObject({ bytes: 6 });
  await kill(nodes[2]!);
  await fails("ledger-unreachable", ["attributes", "grant", "alice", "auditor@cedars"], { home });
}, 240_000);
