/** Where a server's program is: named in the environment by the root scripts, which bring it, or on PATH. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** `CHARTSEAL_TOOL_VERSITYGW`, `CHARTSEAL_TOOL_FTPS`, `CHARTSEAL_TOOL_COMETBFT`: scripts/tasks.mjs sets them. */
export function programOf(tool: "versitygw" | "ftps" | "cometbft"): string | undefined {
  const named = process.env[`CHARTSEAL_TOOL_${tool.toUpperCase()}`];
  if (named !== undefined) return named;
  const program = tool === "ftps" ? "vsftpd" : tool;
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.map((folder) => join(folder, program)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
