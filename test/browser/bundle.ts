/** Builds the page and its worker with vite, as an application's author would, from the library's public entry. */
import { fileURLToPath } from "node:url";
import { build } from "vite";

const names = { entryFileNames: "[name].js", chunkFileNames: "[name].js" };
const conditions = ["chartseal-source", "browser", "import", "module", "default"];

/** The pages that tests open. */
const pages = {
  library: new URL("./page.ts", import.meta.url),
  passkey: new URL("./passkey-page.ts", import.meta.url),
  receipt: new URL("./receipt-page.ts", import.meta.url),
};

/** Built files by name: the page as `page.js`, `worker.js` where it has one, and what the bundler adds. */
export async function bundle(which: keyof typeof pages = "library"): Promise<ReadonlyMap<string, string>> {
  const page = fileURLToPath(pages[which]);
  const output = await build({
    root: fileURLToPath(new URL(".", import.meta.url)),
    configFile: false,
    envFile: false,
    logLevel: "error",
    resolve: { conditions },
    build: {
      write: false,
      target: "es2024",
      modulePreload: false,
      rolldownOptions: { input: { page }, output: names },
    },
    worker: { format: "es", rolldownOptions: { output: names } },
  });
  const files = new Map<string, string>();
  for (const result of Array.isArray(output) ? output : [output]) {
    if (!("output" in result)) throw new Error("vite watches and does not build");
    for (const file of result.output) {
      files.set(file.fileName, file.type === "chunk" ? file.code : Buffer.from(file.source).toString("utf8"));
    }
  }
  return files;
}
