/**
 * What lies beside a home's objects and may be a copy of one: files that forensics moved to DIR/provider/quarantine, and
 * uploads of a server that was killed. A server that runs has its uploads in hand and looks at them itself.
 */
import { createReadStream, type Dirent, existsSync, readdirSync, statSync, unlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Aside, AsideCopy, AsideKind } from "@chartseal/sharing";
import { type ByteRange, isPlaceName } from "@chartseal/storage";
import { hasSystemCode, syncFolder } from "../home/files.ts";
import type { HomePaths } from "../home/paths.ts";

export function openAsides(paths: HomePaths): Map<AsideKind, Aside> {
  return new Map<AsideKind, Aside>([
    ["quarantine", { copies: () => quarantined(quarantineFolder(paths)) }],
    ["upload", { copies: () => uploads(payloadUploads(paths)) }],
  ]);
}

/** Where foreign objects are moved, a folder for each time. */
export function quarantineFolder(paths: HomePaths): string {
  return join(dirname(paths.objects), "quarantine");
}

/** Where payloads wait that come over HTTP. */
export function payloadUploads(paths: HomePaths): string {
  return join(paths.uploads, "payloads");
}

async function* quarantined(folder: string): AsyncGenerator<AsideCopy> {
  for (const path of filesBelow(folder)) {
    // TIME/NAME, or TIME/PLACE:NAME.
    const [time = "", ...parts] = relative(folder, path).split(/[/\\]/);
    const whole = parts.join("/");
    const colon = whole.indexOf(":");
    const name = isPlaceName(whole.slice(0, Math.max(0, colon))) ? whole.slice(colon + 1) : whole;
    yield copyOf(path, { kind: "quarantine", id: `${time}/${whole}`, name }, [path]);
  }
}

async function* uploads(folder: string): AsyncGenerator<AsideCopy> {
  for (const path of filesBelow(folder)) {
    const [, id] = /([0-9a-f]{64})\.bytes$/.exec(path) ?? [];
    if (id === undefined) continue;
    const files = ["json", "bytes", "offsets"].map((kind) => join(folder, `${id}.${kind}`));
    yield copyOf(path, { kind: "upload", id }, files);
  }
}

function copyOf(
  path: string,
  of: Pick<AsideCopy, "kind" | "id" | "name">,
  files: readonly string[],
): AsideCopy {
  const size = statSync(path).size;
  return {
    ...of,
    size,
    read: (range?: ByteRange) =>
      createReadStream(path, range && { start: range.from, end: range.toInclusive }),
    destroy: async () => {
      for (const file of files) {
        try {
          unlinkSync(file);
        } catch (error) {
          if (!hasSystemCode(error, "ENOENT")) throw error;
        }
      }
      syncFolder(dirname(path));
    },
  };
}

/** Plain files only: nothing that stands here is followed elsewhere. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const found: Dirent[] = readdirSync(folder, { withFileTypes: true, recursive: true });
  return found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
}
