/** The most memory that this process ever had. */
import { readFileSync } from "node:fs";

/** In KiB. Linux hands a process's maxRSS on to what it starts: VmHWM is this program's own. */
export function peakKiB(): number {
  const own = /^VmHWM:\s+(\d+) kB$/m.exec(statusText())?.[1];
  return own === undefined ? process.resourceUsage().maxRSS : Number(own);
}

function statusText(): string {
  try {
    return readFileSync("/proc/self/status", "utf8");
  } catch {
    return "";
  }
}
