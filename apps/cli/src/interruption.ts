/**
 * What must not stay behind when a signal ends a command: half a file of somebody's record in clear text, a terminal without its
 * cursor. A handler is there only while something is, so that a signal is the system's business otherwise, and `serve`'s own.
 */

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const cleanups = new Set<() => void>();

function end(signal: NodeJS.Signals): void {
  for (const cleanup of cleanups) {
    try {
      cleanup();
    } catch {
      // The next one is owed its turn all the same.
    }
  }
  cleanups.clear();
  for (const one of signals) process.off(one, end);
  // Whoever waits for the command learns what ended it.
  process.kill(process.pid, signal);
}

/** Does it when a signal ends the process, at once: it is given no time to wait for anything. @returns what ends the duty */
export function onInterruption(cleanup: () => void): () => void {
  if (cleanups.size === 0) for (const one of signals) process.on(one, end);
  cleanups.add(cleanup);
  return () => {
    if (cleanups.delete(cleanup) && cleanups.size === 0) for (const one of signals) process.off(one, end);
  };
}
