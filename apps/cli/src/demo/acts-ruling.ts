/** The demo's fifth and sixth acts: the owner's rule is enforced, and a revocation works at once. */
import { fromHex, parsePolicy, toHex } from "@chartseal/crypto";
import { askTransform, request, setRule } from "@chartseal/sharing";
import { revokeAttributes } from "../operations/members.ts";
import type { SealRequest } from "../operations/seal.ts";
import { refreshKeys } from "../services/session.ts";
import type { Records } from "./acts-sharing.ts";
import { recordBytes } from "./cast.ts";
import { holds, type Stage } from "./stage.ts";
import { sha256Hex, type World } from "./world.ts";

/** How long noor's second rule stands. */
const shortRuleMs = 1200;

export async function ownersRule(stage: Stage, world: World, records: Records): Promise<void> {
  const claras = records.get("clara")!.recordId;
  const noors = records.get("noor")!.recordId;
  const policy = "doctor@mercy or cardiology@cedars";
  const expiresMs = Date.now() + shortRuleMs;
  const expires = new Date(expiresMs).toISOString();
  await stage.step({
    told: "noor lets mercy read for one more second",
    command: `chartseal rule set --owner noor --namespace mercy --expires ${expires} --policy "${policy}" --writers doctor@mercy`,
    work: () =>
      setRule(world.session, {
        owner: world.member("noor").keys,
        namespace: "mercy",
        policy: parsePolicy(policy),
        writers: parsePolicy("doctor@mercy"),
        expiresMs,
      }),
  });
  await stage.refused({
    told: "bob asks for clara's history to send a bill; the rule says treatment",
    command: `chartseal open ${claras} --as bob --purpose HPAYMT`,
    code: "rule-violated",
    work: () => world.read("bob", fromHex(claras, 32), { purpose: "HPAYMT" }),
  });
  await stage.refused({
    told: "amy writes about clara for every doctor of cedars: wider than clara's rule",
    command: "chartseal seal clara-history.json --owner clara --as amy --policy doctor@cedars",
    code: "rule-violated",
    work: () => sealAs(world, "amy", { policy: parsePolicy("doctor@cedars") }),
  });
  await stage.refused({
    told: "dora writes about clara for lakeside, for which clara has no rule",
    command: "chartseal seal clara-history.json --owner clara --as dora --author-policy radiology@lakeside",
    code: "rule-missing",
    work: () => sealAs(world, "dora", { authorPolicy: parsePolicy("radiology@lakeside") }),
  });
  await new Promise((done) => setTimeout(done, Math.max(0, expiresMs + 5 - Date.now())));
  await stage.refused({
    told: "chen reads noor's summary after her rule has ended",
    command: `chartseal open ${noors} --as chen`,
    code: "rule-violated",
    work: () => world.read("chen", fromHex(noors, 32)),
  });
}

function sealAs(
  world: World,
  author: string,
  policies: Pick<SealRequest, "policy" | "authorPolicy">,
): Promise<unknown> {
  const people = { owner: world.file("clara"), author: world.file(author) };
  return world.seal({ ...people, ...policies, requireValid: false }, "clara-history.json");
}

export async function revocation(stage: Stage, world: World, records: Records): Promise<void> {
  const { session } = world;
  const id = records.get("clara")!.recordId;
  const recordId = fromHex(id, 32);
  const bob = world.member("bob");
  const granted = await stage.step({
    told: "bob is granted clara's history once more, and does not open it yet",
    command: `chartseal request ${id} --as bob`,
    work: async () => {
      await refreshKeys(session, bob);
      return await request(session, { member: bob.keys, recordId });
    },
  });
  await stage.step({
    told: "cedars takes cardiology away from bob",
    command: "chartseal attributes revoke bob cardiology@cedars",
    work: () =>
      revokeAttributes(session, {
        name: "bob",
        account: bob.keys.account,
        attributes: ["cardiology@cedars"],
      }),
  });
  await stage.refused({
    told: "the grant in bob's hand is worth nothing: the provider refuses at once",
    command: `chartseal transform ${toHex(granted.requestId)} --as bob`,
    code: "revoked",
    work: () => askTransform(session, { member: bob.keys, granted }),
  });
  await stage.refused({
    told: "asking anew is refused by name: what he lost, and who can give it back",
    command: `chartseal open ${id} --as bob`,
    code: "revoked",
    work: () => world.read("bob", recordId),
  });
  const digest = await stage.step({
    told: "amy, whose keys are renewed on their own, reads on",
    command: `chartseal open ${id} --as amy`,
    work: () => world.read("amy", recordId),
  });
  holds(digest === sha256Hex(recordBytes("clara-history.json")), "amy reads what was sealed");
}
