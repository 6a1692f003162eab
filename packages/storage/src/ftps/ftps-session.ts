/**
 * One connection to an FTPS server (RFC 959, 3659, 4217): explicit TLS before anything is said, the server's certificate
 * and name checked on the control connection and on each data connection, data always protected. Every wait has an end.
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { Client, type FileInfo, FTPError, type FTPResponse } from "basic-ftp";
import { StorageError } from "../storage-error.ts";
import { isRefusedFile } from "./ftps-errors.ts";
import { Inflow } from "./inflow.ts";

export interface FtpsAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** An existing folder of the server, from which all paths go. */
  readonly folder: string;
  /** Certificates in PEM that are trusted instead of the public ones. */
  readonly ca?: string;
  /** How long the server may be silent while something is waited for. */
  readonly timeoutMs: number;
}

/** What an empty file waits for the handshake's last message to be on its way. */
const handshakeMs = 50;
/** Bytes that are written at a time, each of which must get away within the time limit. */
const pieceSize = 1 << 16;

export interface Retrieval {
  readonly from: number;
  readonly length: number;
  /** Of the file, as the server said just now. */
  readonly size: number;
}

/** The file is not the one whose size was asked for just now. */
export class ReplacedMeanwhile extends Error {}

export class FtpsSession {
  readonly #client: Client;
  readonly #timeoutMs: number;

  private constructor(client: Client, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws where the server is not reached, is not who it should be, or refuses the account or the folder */
  static async open(access: FtpsAccess): Promise<FtpsSession> {
    const client = new Client(access.timeoutMs);
    let timer: NodeJS.Timeout | undefined;
    // A client that is closed within a TLS handshake settles nothing by itself.
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error("the server does not finish its greeting")),
        2 * access.timeoutMs,
      );
    });
    try {
      await Promise.race([greet(client, access), late]);
      return new FtpsSession(client, access.timeoutMs);
    } catch (error) {
      client.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get isClosed(): boolean {
    return this.#client.closed;
  }

  close(): void {
    this.#client.close();
  }

  /** While it is idle, a connection keeps no process alive. */
  set isIdle(idle: boolean) {
    if (idle) this.#client.ftp.socket.unref();
    else this.#client.ftp.socket.ref();
  }

  /** Of a file; undefined where there is none. */
  async size(path: string): Promise<number | undefined> {
    const text = await this.#ask(`SIZE ${path}`);
    if (text === undefined) return undefined;
    const size = Number(/^213 ([0-9]{1,16})\s*$/.exec(text)?.[1]);
    if (!Number.isSafeInteger(size))
      throw new StorageError("store-unreachable", "the FTPS server tells no size");
    return size;
  }

  /** When a file was last written, in the server's words and by its clock; undefined where it does not say. */
  async modified(path: string): Promise<string | undefined> {
    try {
      return await this.#ask(`MDTM ${path}`);
    } catch (error) {
      if (error instanceof FTPError) return undefined;
      throw error;
    }
  }

  /** True where there is such a folder. */
  async hasFolder(path: string): Promise<boolean> {
    if ((await this.#ask(`CWD ${path}`)) === undefined) return false;
    for (const _ of path.split("/")) await this.#client.send("CDUP");
    return true;
  }

  /** Also where it is there already. */
  async makeFolder(path: string): Promise<void> {
    await this.#ask(`MKD ${path}`);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#client.send(`RNFR ${from}`);
    await this.#client.send(`RNTO ${to}`);
  }

  /** False where there was no such file. */
  async remove(path: string): Promise<boolean> {
    return (await this.#ask(`DELE ${path}`)) !== undefined;
  }

  /** What a folder holds, in no order; nothing where there is no such folder. */
  async list(path: string): Promise<readonly FileInfo[]> {
    try {
      return await this.#client.list(path);
    } catch (error) {
      if (isRefusedFile(error)) return [];
      throw error;
    }
  }

  /** Writes a new file, or on at the end of one. Only the file's size then tells that all of it arrived. */
  async store(path: string, bytes: Uint8Array, { append }: { readonly append: boolean }): Promise<void> {
    const { ftp } = this.#client;
    await this.#client.prepareTransfer(ftp);
    let sent: Promise<void> | undefined;
    await ftp.handle(`${append ? "APPE" : "STOR"} ${path}`, (answer, task) => {
      if (answer instanceof Error) task.reject(answer);
      else if (isBegun(answer) && sent === undefined) {
        ftp.socket.setTimeout(0);
        sent = this.#send(ftp.dataSocket as Socket, bytes);
        sent.then(
          () => ftp.socket.setTimeout(this.#timeoutMs),
          (error: Error) => {
            ftp.closeWithError(error);
            task.reject(error);
          },
        );
      } else if (isDone(answer)) task.resolve(answer);
    });
    await sent;
    ftp.dataSocket = undefined;
  }

  async #send(data: Socket, bytes: Uint8Array): Promise<void> {
    if (!isSecured(data)) await this.#within((settle) => data.once("secureConnect", () => settle()));
    // An end without bytes overtakes the last message of the handshake within this process, and breaks it.
    if (bytes.length === 0) await sleep(handshakeMs);
    for (let from = 0; from < bytes.length; from += pieceSize) {
      const piece = bytes.subarray(from, from + pieceSize);
      await this.#within((settle) => data.write(piece, settle));
    }
    data.end();
  }

  #within(begin: (settle: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the server takes no bytes")), this.#timeoutMs);
      begin((error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /**
   * `length` bytes of a file from `from`; fewer where the connection ends early, which is the caller's to see.
   * @throws ReplacedMeanwhile before the first byte, where the server shows that the file is another by now
   */
  async *retrieve(path: string, { from, length, size }: Retrieval): AsyncGenerator<Uint8Array> {
    const { ftp } = this.#client;
    await this.#client.prepareTransfer(ftp);
    const data = ftp.dataSocket as Socket;
    const inflow = new Inflow(data);
    let isLeft = false;
    let isAnswered = false;
    const begun = Promise.withResolvers<string>();
    const done = ftp.handle(from > 0 ? `REST ${from}` : `RETR ${path}`, (answer, task) => {
      if (answer instanceof Error) {
        begun.reject(answer);
        inflow.fail(answer);
        // A server whose reader has left says that it could not send everything.
        if (isLeft && answer instanceof FTPError) task.resolve(answer);
        else task.reject(answer);
      } else if (answer.code === 350) ftp.send(`RETR ${path}`);
      else if (isBegun(answer)) {
        ftp.socket.setTimeout(0);
        begun.resolve(answer.message);
      } else if (isDone(answer)) {
        isAnswered = true;
        begun.resolve("");
        task.resolve(answer);
      }
    }) as Promise<FTPResponse>;
    done.catch(() => {});
    try {
      const told = Number(/([0-9]+) bytes/.exec(await begun.promise)?.[1] ?? size);
      if (told !== size && told !== size - from) throw new ReplacedMeanwhile();
      let left = length;
      while (left > 0) {
        const chunk = await inflow.next(this.#timeoutMs);
        if (chunk === undefined) break;
        const part = chunk.subarray(0, left);
        left -= part.length;
        yield part;
      }
      if (left === 0 && from + length === size) await this.#expectEnd(inflow);
    } finally {
      isLeft = true;
      data.destroy();
      if (!isAnswered) ftp.socket.setTimeout(this.#timeoutMs);
      // Where the answer fails to come, the connection is closed by its own time limit: what was read is right.
      await done.catch((error: unknown) => {
        if (!(error instanceof FTPError)) this.close();
      });
      if (!this.isClosed) ftp.dataSocket = undefined;
    }
  }

  /** At the end of a file nothing more may come: else it is another file than the one whose size was told. */
  async #expectEnd(inflow: Inflow): Promise<void> {
    const more = await inflow.next(this.#timeoutMs).catch(() => undefined);
    if (more !== undefined) throw new ReplacedMeanwhile();
  }

  /** The text of a good answer; undefined where the server says that there is no such thing. */
  async #ask(command: string): Promise<string | undefined> {
    try {
      return (await this.#client.send(command)).message;
    } catch (error) {
      if (isRefusedFile(error)) return undefined;
      throw error;
    }
  }
}

function isSecured(data: Socket): boolean {
  return data instanceof TLSSocket && data.getCipher() !== undefined;
}

function isBegun({ code }: FTPResponse): boolean {
  return code === 125 || code === 150;
}

function isDone({ code }: FTPResponse): boolean {
  return code >= 200 && code < 300;
}

async function greet(client: Client, { host, port, user, password, folder, ca }: FtpsAccess): Promise<void> {
  await client.connect(host, port);
  await client.useTLS({ host, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) });
  await client.login(user, password);
  const features = await client.features();
  // RFC 4217: data connections are protected, or there is no session.
  for (const command of ["TYPE I", "PBSZ 0", "PROT P", `CWD ${folder}`]) await client.send(command);
  if (features.has("MLST")) {
    await client.sendIgnoringError("OPTS MLST type;size;modify;");
    client.availableListCommands = ["MLSD"];
  }
}
