/**
 * A member of the benchmark's consortium in a process of its own, as an institution runs it: an application beside its node,
 * and a client that hands it transactions. Told what to do by its parent, one thing after another.
 */
import { drive, type Load } from "./load.ts";
import { openPeer, type Peer, type PeerOptions, type Side } from "./peers.ts";

export type Asked =
  | { readonly what: "open"; readonly side: Side; readonly options: PeerOptions }
  | { readonly what: "connect" }
  | { readonly what: "load"; readonly load: Load }
  | { readonly what: "close" };

export type Answered = { readonly value: unknown } | { readonly error: string };

let peer: Peer | undefined;

async function answer(asked: Asked): Promise<unknown> {
  if (asked.what === "open") {
    peer = await openPeer[asked.side](asked.options);
    return peer.application;
  }
  if (peer === undefined) throw new Error("nothing is open");
  if (asked.what === "load") return await drive((transaction) => peer!.submit(transaction), asked.load);
  return asked.what === "connect" ? await peer.connect() : await peer.close();
}

function say(answered: Answered): void {
  // A parent that has gone needs no answer.
  process.send?.(answered, undefined, {}, () => {});
}

process.on("message", (asked: Asked) => {
  answer(asked).then(
    (value) => say({ value }),
    (error: unknown) =>
      say({ error: error instanceof Error ? `${error.message}; ${error.stack}` : String(error) }),
  );
});
// Whoever began it has gone.
process.on("disconnect", () => process.exit(0));
