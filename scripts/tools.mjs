// Tools that npm cannot bring: found on the machine, else got by Debian's package manager as root or by `go install` of a
// pinned version, else a reason why not, by which their tests are skipped (test/tools.ts). `node scripts/tools.mjs`
// prints what is there; with names it finds or installs those.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Where `go install` puts what it builds: below node_modules, which git ignores and a clean install empties. */
const goBin = join(root, "node_modules", ".chartseal-tools");
const lock = join(root, "node_modules", ".chartseal-tools.lock");
const installMsMax = 600_000;

/** Programs in the order they are looked for, and what brings the first. */
const tools = {
  chromium: {
    programs: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    debian: "chromium",
  },
  cometbft: {
    programs: ["cometbft"],
    go: "github.com/cometbft/cometbft/cmd/cometbft@v0.38.25",
  },
  compose: {
    programs: ["docker-compose"],
    debian: "docker-compose",
  },
  versitygw: {
    programs: ["versitygw"],
    go: "github.com/versity/versitygw/cmd/versitygw@v1.7.0",
  },
  ftps: {
    programs: ["vsftpd", "/usr/sbin/vsftpd"],
    debian: "vsftpd",
  },
};

export const toolNames = Object.keys(tools);

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function onPath(programs) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), goBin];
  for (const program of programs) {
    const candidates = program.startsWith("/") ? [program] : folders.map((folder) => join(folder, program));
    const found = candidates.find(isProgram);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The last line of what a failed command said, for the reason; undefined where it worked. */
function failure(command, args, options = {}) {
  const result = spawnSync(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    timeout: installMsMax,
    ...options,
  });
  if (result.status === 0) return undefined;
  const said = (result.stderr || result.stdout || result.error?.message || "it failed").trim();
  return `${command} ${args.slice(0, 2).join(" ")}: ${said.split("\n").at(-1)}`;
}

function installDebian(name) {
  if (process.platform !== "linux" || !existsSync("/usr/bin/apt-get")) return "no Debian";
  if (process.getuid() !== 0) return `not root; as root: apt-get install -y ${name}`;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = () => failure("apt-get", ["install", "-y", "--no-install-recommends", name], { env });
  // A list of packages that is old or missing is the usual cause: once more with a fresh one.
  return install() && (failure("apt-get", ["update"], { env }) ?? install());
}

function installGo(module) {
  if (onPath(["go"]) === undefined) return `no go; with it: go install ${module}`;
  return failure("go", ["install", module], { env: { ...process.env, GOBIN: goBin } });
}

/** One installer at a time, though test files run in several processes; `mkdir` is atomic. */
function alone(work) {
  const until = Date.now() + installMsMax;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST" || Date.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
  }
  try {
    return work();
  } finally {
    rmSync(lock, { recursive: true });
  }
}

export function findTool(name) {
  if (!Object.hasOwn(tools, name)) throw new Error(`no tool ${name}; one of ${toolNames.join(", ")}`);
  const { programs, debian, go } = tools[name];
  const found = onPath(programs);
  if (found !== undefined) return { path: found };
  return alone(() => {
    const waited = onPath(programs);
    if (waited !== undefined) return { path: waited };
    process.stderr.write(`chartseal: installing ${name} for the tests that need it\n`);
    const reason = debian === undefined ? installGo(go) : installDebian(debian);
    const path = onPath(programs);
    if (path !== undefined) return { path };
    return {
      reason: `${name} is not on this machine and was not installed: ${reason ?? "it is still not there"}`,
    };
  });
}

/** One line a tool: where it is. With names, those are installed if they are missing. */
function main(names) {
  const unknown = names.filter((name) => !Object.hasOwn(tools, name));
  if (unknown.length > 0) {
    process.stderr.write(`chartseal: no tool ${unknown.join(", ")}; one of ${toolNames.join(", ")}\n`);
    return 2;
  }
  let status = 0;
  for (const name of names.length > 0 ? names : toolNames) {
    const tool = names.length > 0 ? findTool(name) : { path: onPath(tools[name].programs) ?? "not here" };
    process.stdout.write(`${name}: ${tool.path ?? tool.reason}\n`);
    if (tool.path === undefined) status = 5;
  }
  return status;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
