/**
 * A real FTPS server, vsftpd with explicit TLS over a folder, with a certificate of its own for 127.0.0.1. Its one guest
 * has a password. Started by root it serves him as a user of the machine that owns nothing, shut in his folder; started by
 * another it is that user, and the guest's paths are those of the machine.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";
import { freePort, listening } from "./ports.ts";

export interface FtpsServer {
  readonly host: string;
  readonly port: number;
  /** Where it takes data connections. */
  readonly passivePorts: readonly number[];
  readonly user: string;
  readonly password: string;
  /** The folder on the server that may be written to. */
  readonly folder: string;
  /** The server's certificate, PEM. */
  readonly ca: string;
  /** Where that folder is on this machine. */
  readonly path: string;
  /** Ends the process as a power cut would; what is stored stays. */
  kill(): Promise<void>;
  /** After `kill`: the same server with the same files. */
  restart(): Promise<void>;
  /** Ends it and removes everything. */
  stop(): Promise<void>;
}

/** Users that own nothing, in the order they are looked for. The server wants its guest to have a home that is there. */
const guests = ["ftp", "nobody", "daemon"];
const passivePorts = 40;

interface Guest {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

function findGuest(): Guest {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const guest of guests) {
    const [name, , uid, gid, , home] = lines.find((line) => line.startsWith(`${guest}:`))?.split(":") ?? [];
    if (name !== undefined && home !== undefined && existsSync(home)) {
      return { name, uid: Number(uid), gid: Number(gid) };
    }
  }
  throw new Error(`none of the users ${guests.join(", ")} has a home`);
}

/** A certificate for `names`, signed by itself, and its key; as files in `folder`. */
export function selfSigned(
  folder: string,
  names: readonly string[] = ["IP:127.0.0.1", "DNS:localhost"],
): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", "/CN=chartseal lab", "-addext", `subjectAltName=${names.join(",")}`],
      ...["-keyout", key, "-out", certificate],
    ],
    { stdio: "ignore" },
  );
  return { certificate, key };
}

/** Starts `program`, a vsftpd, on free ports of loopback; needs openssl. @throws Error where it does not come up */
export async function startVsftpd(
  program: string,
  options: { readonly folder?: string; readonly certificateNames?: readonly string[] } = {},
): Promise<FtpsServer> {
  const base = options.folder ?? mkdtempSync(join(tmpdir(), "chartseal-ftps-"));
  // The guest's way to the files leads through this folder.
  chmodSync(base, 0o755);
  const root = join(base, "data");
  const path = join(root, "store");
  mkdirSync(path, { recursive: true });
  const guest = findGuest();
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    chmodSync(root, 0o555);
    chownSync(path, guest.uid, guest.gid);
  }
  const { certificate, key } = selfSigned(base, options.certificateNames);
  const password = randomBytes(16).toString("hex");
  const [passwords, empty] = [join(base, "passwords"), join(base, "empty")];
  writeFileSync(passwords, `${password}\n`, { mode: 0o600 });
  mkdirSync(empty, { recursive: true });
  const port = await freePort();
  const passive = Math.min(await freePort(), 65_535 - passivePorts);
  const config = join(base, "vsftpd.conf");
  writeFileSync(
    config,
    configuration({ port, passive, guest: guest.name, isRoot, root, passwords, empty, certificate, key }),
    {
      mode: 0o600,
    },
  );
  let child: Child | undefined;
  const start = async (): Promise<void> => {
    const started = new Child(program, [config], { cwd: base, log: join(base, "server.log") });
    child = started;
    await listening(port, () => started.hasEnded);
  };
  await start();
  return {
    host: "127.0.0.1",
    port,
    passivePorts: Array.from({ length: passivePorts }, (_, at) => passive + at),
    user: "anonymous",
    password,
    folder: isRoot ? "/store" : path,
    ca: readFileSync(certificate, "utf8"),
    path,
    kill: async () => await child?.stop("SIGKILL"),
    restart: start,
    stop: async () => {
      await child?.stop("SIGKILL");
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** vsftpd.conf: explicit TLS or nothing, one guest with a password, everything he may do below one folder. */
function configuration(at: {
  readonly port: number;
  readonly passive: number;
  readonly guest: string;
  readonly isRoot: boolean;
  readonly root: string;
  readonly passwords: string;
  readonly empty: string;
  readonly certificate: string;
  readonly key: string;
}): string {
  const { port, passive, guest, isRoot, root, passwords, empty, certificate, key } = at;
  const settings = {
    listen: "YES",
    listen_address: "127.0.0.1",
    listen_port: port,
    background: "NO",
    anonymous_enable: "YES",
    local_enable: "NO",
    run_as_launching_user: isRoot ? "NO" : "YES",
    ftp_username: guest,
    secure_email_list_enable: "YES",
    email_password_file: passwords,
    anon_root: root,
    anon_world_readable_only: "NO",
    anon_upload_enable: "YES",
    anon_mkdir_write_enable: "YES",
    anon_other_write_enable: "YES",
    anon_umask: "077",
    write_enable: "YES",
    hide_ids: "YES",
    seccomp_sandbox: "NO",
    secure_chroot_dir: empty,
    ssl_enable: "YES",
    allow_anon_ssl: "YES",
    force_anon_logins_ssl: "YES",
    force_anon_data_ssl: "YES",
    require_ssl_reuse: "NO",
    ssl_ciphers: "HIGH",
    rsa_cert_file: certificate,
    rsa_private_key_file: key,
    pasv_min_port: passive,
    pasv_max_port: passive + passivePorts - 1,
    pasv_address: "127.0.0.1",
    xferlog_enable: "NO",
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
