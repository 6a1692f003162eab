/**
 * fetch for what an identity provider answers: bounded in size and time, and never redirected, so that a provider that
 * is broken or not what it was harms nobody but its own logins.
 */

/** Largest answer: a discovery document, keys, tokens, claims. */
export const answerBytesMax = 1024 * 1024;
export const answerTimeoutMs = 10_000;

export async function limitedFetch(url: string, options: object): Promise<Response> {
  const init = options as RequestInit;
  const limit = AbortSignal.timeout(answerTimeoutMs);
  const signal = init.signal == null ? limit : AbortSignal.any([init.signal, limit]);
  const response = await fetch(url, { ...init, signal, redirect: "manual" });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > answerBytesMax) throw new TypeError("the answer is too large");
    parts.push(part);
  }
  const { status, statusText, headers } = response;
  const bodiless = status < 200 || status === 204 || status === 205 || status === 304;
  return new Response(bodiless ? null : Buffer.concat(parts), { status, statusText, headers });
}
