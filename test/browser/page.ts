/** The page: starts the worker, and says so where even that fails. */

interface WebWorker {
  onerror: ((event: { readonly message?: string }) => void) | null;
}
declare const Worker: new (address: URL, options: { readonly type: "module" }) => WebWorker;

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
worker.onerror = ({ message }) => {
  const error = `the worker failed: ${message ?? "it did not load"}`;
  void fetch("/answer", { method: "POST", body: JSON.stringify({ error }) });
};
