/** The genesis: one encoding, its hash is the chain id, and the state that it begins with. */
import {
  ChartsealError,
  decode,
  ed25519KeyPairFromSeed,
  encode,
  sha256,
  toHex,
  utf8,
} from "@chartseal/crypto";
import { expect, test } from "vitest";
import { accountOf } from "../src/authorisation.ts";
import { chainIdOf, decodeGenesis, initialise } from "../src/genesis.ts";
import { Overlay } from "../src/state.ts";
import { emptyKey, entries, load, roles } from "../src/state-kinds.ts";
import { identity, nodes, owner, service, startMs } from "./world.ts";
import { genesisBytes } from "./world-build.ts";

test("a genesis is the array of the contract and comes back as it was encoded", () => {
  const bytes = genesisBytes();
  const items = decode(bytes, { sizeMax: bytes.length }) as unknown[];
  expect(items.slice(0, 4)).toEqual([1, 1, "test consortium", startMs]);
  expect(items[5]).toEqual([[service.publicKey, 1]]);
  expect(items[6]).toEqual([service.publicKey]);
  expect(items[7]).toEqual(nodes.map(({ publicKey }) => publicKey));
  expect(items.slice(8)).toEqual([3, 2]);
  expect(decodeGenesis(bytes).name).toBe("test consortium");
});

test("the chain id is SHA-256 of the tag and the genesis, without a length between", () => {
  const bytes = genesisBytes();
  expect(toHex(chainIdOf(bytes))).toBe(toHex(sha256(utf8("chartseal-v1/ledger/genesis\0"), bytes)));
  expect(toHex(chainIdOf(genesisBytes({ name: "other" })))).not.toBe(toHex(chainIdOf(bytes)));
});

test("a consortium that cannot work is refused", () => {
  const { publicKey } = service;
  const refused: Parameters<typeof genesisBytes>[0][] = [
    { validators: [] },
    { validators: [{ publicKey, stake: 0 }] },
    {
      validators: [
        { publicKey, stake: 1 },
        { publicKey, stake: 1 },
      ],
    },
    { validators: [{ publicKey, stake: Number.MAX_SAFE_INTEGER }] },
    { nodes: [] },
    { threshold: 0 },
    { threshold: 4 },
    { nodes: [owner.publicKey, owner.publicKey], threshold: 1 },
    { providers: [publicKey, publicKey] },
  ];
  for (const changes of refused) expect(() => genesisBytes(changes)).toThrow(ChartsealError);
  const items = decode(genesisBytes(), { sizeMax: 4096 }) as never[];
  expect(() => decodeGenesis(encode([...items.slice(0, 8), 2 as never, 2 as never]))).toThrow(ChartsealError);
  expect(() => decodeGenesis(encode([2 as never, ...items.slice(1)]))).toThrow(ChartsealError);
  expect(() => decodeGenesis(encode([...items, 0 as never]))).toThrow(ChartsealError);
});

test("nodes have accounts from the start, with no key to seal to, and the committee has no keys", () => {
  const state = new Overlay({ get: () => undefined });
  initialise(state, decodeGenesis(genesisBytes({ providers: [service.publicKey, nodes[0]!.publicKey] })));
  const account = load(state, entries.account, nodes[0]!.account)!;
  expect(account).toMatchObject({ roles: roles.node, hpkeKey: null, sequence: 0 });
  expect(load(state, entries.account, service.account)?.roles).toBe(0);
  expect(load(state, entries.consortium, emptyKey)?.nodes).toEqual(nodes.map((node) => node.account));
  expect(load(state, entries.validators, emptyKey)).toEqual([{ publicKey: service.publicKey, stake: 1 }]);
  for (const session of ["reading", "signing", "audit"]) {
    expect(load(state, entries.committee, utf8(session))).toBeUndefined();
  }
  expect(
    load(state, entries.account, accountOf(ed25519KeyPairFromSeed(identity("x").seed).publicKey)),
  ).toBeUndefined();
});
