/** deploy/: the image and the compose file of four institutions. Docker itself runs in no test: what a client says of them does. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@chartseal/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "./tidy/tree.ts";
import { describeTool } from "./tools.ts";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const dockerfile = read("deploy/Dockerfile");
const compose = read("deploy/compose.yaml");
const names = ["institution-1", "institution-2", "institution-3", "institution-4"];

/** The lines of an image's instructions, continued ones joined, without remarks. */
const instructions = dockerfile
  .split("\n")
  .filter((line) => !line.startsWith("#"))
  .join("\n")
  .replaceAll(/\\\n/g, "")
  .split("\n")
  .filter((line) => line.trim() !== "");
const of = (name: string): string[] => instructions.filter((line) => line.startsWith(`${name} `));

/** A service's own lines in the compose file. */
function serviceOf(name: string): string {
  const [, after] = compose.split(`\n  ${name}:\n`);
  return after!.split(/\n(?: {2})?\S/)[0]!;
}

describe("the image", () => {
  test("is of versions that are named, and its last stage runs as a user without rights", () => {
    expect(of("FROM").map((line) => line.split(" ")[1])).toEqual([
      "golang:1.26-bookworm",
      "node:24-bookworm-slim",
      "node:24-bookworm-slim",
    ]);
    const last = instructions.slice(instructions.lastIndexOf(of("FROM").at(-1)!));
    expect(last).toContain("USER node");
    expect(last.indexOf("USER node")).toBeLessThan(last.findIndex((line) => line.startsWith("ENTRYPOINT ")));
  });

  test("keeps no note of TypeScript's build, by whose time the command would not take its bundle", () => {
    const built = of("RUN").findIndex((line) => line.includes("node scripts/tasks.mjs build"));
    const parts = of("RUN")
      [built]!.split("&&")
      .map((part) => part.trim());
    expect(
      parts.findIndex((part) => /^find \. -name tsconfig\.tsbuildinfo .*-delete$/.test(part)),
    ).toBeGreaterThan(parts.indexOf("node scripts/tasks.mjs build"));
  });

  test("is built from sources alone: nothing else passes .dockerignore, and nothing secret is set", () => {
    const [first, ...rest] = read(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(first).toBe("*");
    const letIn = rest.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
    const workspaces: string[] = JSON.parse(read("package.json")).workspaces;
    const folders = workspaces.map((one) => one.replace("/*", ""));
    const roots = ["package.json", "package-lock.json", "tsconfig*.json", "scripts"];
    expect(letIn.toSorted()).toEqual([...roots, ...folders].toSorted());
    for (const line of [...of("ENV"), ...of("ARG")]) expect(line).not.toMatch(/PASSPHRASE|SECRET|TOKEN|KEY/i);
    expect(of("COPY").filter((line) => !line.includes("--from="))).toEqual(["COPY . ."]);
  });
});

describe("the health check", () => {
  const command: string[] = JSON.parse(/^HEALTHCHECK .* CMD (\[.*\])$/m.exec(instructions.join("\n"))![1]!);
  let status = 200;
  const server = createServer((request, response) => {
    response.writeHead(request.url === "/health" ? status : 404).end("{}");
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  /** The image's own command, at the port of the server here. */
  function checked(port: number): Promise<number | null> {
    const [, ...args] = command.map((one) => one.replace("127.0.0.1:8080", `127.0.0.1:${port}`));
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    return new Promise((resolve) => child.once("close", resolve));
  }

  test("passes where every role is well, and not where one is not or nobody answers", async () => {
    const { port } = server.address() as AddressInfo;
    expect(await checked(port)).toBe(0);
    status = 503;
    expect(await checked(port)).toBe(1);
    await new Promise((resolve) => server.close(resolve));
    expect(await checked(port)).toBe(1);
  });

  test("is the compose file's too", () => {
    expect(compose).toContain(`- "${command.at(-1)}"`);
  });
});

describe("the compose file", () => {
  test("gives every institution its home, its passphrase as a file, and a port on loopback", () => {
    for (const [at, name] of names.entries()) {
      const number = at + 1;
      const own = serviceOf(name);
      expect(own).toContain("<<: *institution");
      expect(own).toContain(`hostname: ${name}`);
      expect(own).toContain(`ports: ["127.0.0.1:808${number}:8080"]`);
      expect(own).toContain(`- home-${number}:/data`);
      expect(own).toContain(`- ./${name}.json:/etc/chartseal.json:ro`);
      expect(own).toContain(`secrets: [{ source: passphrase-${number}, target: passphrase }]`);
      expect(compose).toContain(`the homes}/${name}" }`);
    }
    expect(compose.match(/^ {2}[a-z]+-\d:\n {4}<<: \*institution/gm)).toHaveLength(names.length);
  });

  test("puts nothing secret into an environment, and its containers can do no more than they must", () => {
    expect(compose).not.toMatch(/^\s*(environment|env_file):/m);
    expect(compose).not.toMatch(/PASSPHRASE/);
    for (const line of ["read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]'])
      expect(compose).toContain(line);
    expect(compose).not.toMatch(/privileged|network_mode|0\.0\.0\.0/);
  });

  test.each(names)("has %s's server know the names that it is reached by, and no other's", (name) => {
    const { authorities } = parseConfig(JSON.parse(read(`deploy/${name}.json`)));
    const port = `808${name.at(-1)}`;
    expect(authorities).toEqual([`${name}:8080`, `127.0.0.1:${port}`, `localhost:${port}`]);
  });
});

describeTool("compose", "a compose client", (program) => {
  const folders = { CHARTSEAL_NETWORK: "/srv/metro", CHARTSEAL_SECRETS: "/srv/secrets" };
  const asked = (file: string, more: Readonly<Record<string, string>>, ...args: string[]) => {
    const { PATH = "" } = process.env;
    return spawnSync(program, ["-f", file, "config", ...args], {
      encoding: "utf8",
      env: { PATH, HOME: tmpdir(), ...more },
    });
  };
  const file = join(root, "deploy", "compose.yaml");

  test("takes the file, with four institutions and a volume for each", () => {
    const services = asked(file, folders, "--services");
    expect(services.stderr).toBe("");
    expect(services.stdout.trim().split("\n").toSorted()).toEqual(names);
    const volumes = asked(file, folders, "--volumes").stdout;
    expect(volumes.trim().split("\n").toSorted()).toEqual(["home-1", "home-2", "home-3", "home-4"]);
    const whole = asked(file, folders).stdout;
    for (const name of names) {
      expect(whole).toContain(`device: /srv/metro/${name}\n`);
      expect(whole).toContain(`file: /srv/secrets/${name}\n`);
    }
  });

  test("refuses it without the folders of homes and passphrases, and with a word that it does not know", () => {
    for (const name of Object.keys(folders)) {
      const without = Object.fromEntries(Object.entries(folders).filter(([one]) => one !== name));
      const refused = asked(file, without);
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toContain("the folder of the");
    }
    const folder = mkdtempSync(join(tmpdir(), "chartseal-compose-"));
    try {
      const other = join(folder, "compose.yaml");
      writeFileSync(other, compose.replace("read_only:", "readonly:"));
      expect(asked(other, folders).status).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
