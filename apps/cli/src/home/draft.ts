/** A folder that appears whole or not at all: it is made beside its place and moved there at the end. */
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { onInterruption } from "../interruption.ts";
import { makeFolder } from "./files.ts";
import { homeExists } from "./home.ts";

/** @throws ChartsealError `home-exists`, before anything is made */
export function checkNewHome(folder: string): void {
  if (homeExists(folder)) {
    throw new ChartsealError("home-exists", `there is a consortium in ${folder} already`);
  }
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory() || readdirSync(folder).length > 0) {
    throw new ChartsealError("home-exists", `${folder} is there and not an empty folder`, {
      hint: "Give an empty or new folder.",
    });
  }
}

/** @throws ChartsealError `home-exists`, `input-invalid` where no folder can be made; whatever `make` throws, and then nothing stays */
export async function drafted<T>(folder: string, make: (draft: string) => Promise<T>): Promise<T> {
  checkNewHome(folder);
  const draft = join(dirname(folder), `.${basename(folder)}.${process.pid}.init`);
  const remove = (): void => rmSync(draft, { recursive: true, force: true });
  const ended = onInterruption(remove);
  try {
    remove();
    makeFolder(draft);
  } catch (cause) {
    ended();
    throw new ChartsealError("input-invalid", `no folder can be made in ${dirname(folder)}`, { cause });
  }
  try {
    const made = await make(draft);
    if (existsSync(folder)) rmdirSync(folder);
    renameSync(draft, folder);
    return made;
  } catch (error) {
    remove();
    throw error;
  } finally {
    ended();
  }
}
