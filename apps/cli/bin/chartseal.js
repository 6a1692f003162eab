#!/usr/bin/env node
// The command's entry: plain JavaScript that any Node can parse. It checks the runtime first, imports nothing newer
// until then, and hands over to the build.
import module from "node:module";
import { program } from "./bundle.js";

const wanted = [22, 18];
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
  const message = `Node.js ${process.versions.node} runs this, ${wanted.join(".")} or newer is needed; put node_modules/.bin first on PATH`;
  process.stderr.write(`chartseal: runtime-too-old: ${message}\n`);
  if (process.argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify({ error: { code: "runtime-too-old", message } })}\n`);
  }
  process.exitCode = 5;
} else {
  // Compiled code is kept in the system's temporary folder, never below a home: starting takes a quarter less time.
  module.enableCompileCache?.();
  // Whoever asks for traces gets them in the sources' own lines; nobody else waits for the maps to be read.
  if (process.env.CHARTSEAL_DEBUG === "1") process.setSourceMapsEnabled(true);
  import(program()).then(
    ({ main }) => main(process.argv.slice(2)),
    (error) => {
      const message = "the build is missing or broken; run npm run build";
      process.stderr.write(`chartseal: defect: ${message}\n`);
      if (process.argv.includes("--json")) {
        process.stdout.write(`${JSON.stringify({ error: { code: "defect", message } })}\n`);
      }
      if (process.env.CHARTSEAL_DEBUG === "1") process.stderr.write(`${error.stack}\n`);
      process.exitCode = 1;
    },
  );
}
