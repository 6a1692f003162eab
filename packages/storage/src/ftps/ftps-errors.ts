/** What an FTPS server answers, as the failures of a store. Messages give the reply's code and never its text or a secret. */
import { FTPError } from "basic-ftp";
import { StorageError } from "../storage-error.ts";

/** Replies by which a server refuses for good: the account, and space. */
const refusals: Readonly<Record<number, string>> = {
  430: "the FTPS server refuses the account or its password",
  452: "the FTPS server has no space left",
  530: "the FTPS server refuses the account or its password",
  552: "the FTPS server has no space left for this account",
};

function isCertificate(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
  return /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS|HOSTNAME/.test(code);
}

/** True where the server says that there is no such file, or that it may not be touched. */
export function isRefusedFile(error: unknown): boolean {
  return error instanceof FTPError && (error.code === 550 || error.code === 553);
}

/** True where asking once more, with a new connection, may help: a cut, silence, the server's own passing trouble. */
export function isPassing(error: unknown): boolean {
  if (error instanceof StorageError || isCertificate(error)) return false;
  if (error instanceof FTPError) return error.code < 500 && !(error.code in refusals);
  return true;
}

/**
 * True where the connection may be used again after this failure: the server answered, and the answer was no. Replies
 * from 420 to 429 are of connections (RFC 959): theirs may be half open still.
 */
export function leavesConnection(error: unknown): boolean {
  if (error instanceof FTPError) return error.code < 420 || error.code > 429;
  return error instanceof StorageError;
}

/** Any failure as a StorageError. */
export function storageErrorOf(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const said = (): string => {
    if (isCertificate(error)) return "the FTPS server's certificate is not one that is trusted for its name";
    if (error instanceof FTPError) return refusals[error.code] ?? `the FTPS server answers ${error.code}`;
    return "the FTPS server does not answer, or the connection was cut";
  };
  return new StorageError("store-unreachable", said(), { cause: error });
}
