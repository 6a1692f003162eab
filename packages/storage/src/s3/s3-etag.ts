/** The ETag that S3 gives an object made of parts: the MD5 of their MD5s, and how many there are. */
import { createHash } from "node:crypto";

const plain = (etag: string): string => etag.replaceAll('"', "");

/** As a server that keeps to it gives it, quotes included; "" where a part's own ETag is no MD5. */
export function multipartEtag(parts: readonly string[]): string {
  const hash = createHash("md5");
  for (const part of parts) {
    if (!/^[0-9a-f]{32}$/.test(plain(part))) return "";
    hash.update(plain(part), "hex");
  }
  return `"${hash.digest("hex")}-${parts.length}"`;
}
