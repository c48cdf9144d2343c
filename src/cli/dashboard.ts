/**
 * Asks the dashboard of a running program: by which address, with how much patience, and what to say where there is none.
 */

import { Client } from "../client/client.ts";
import type { ResponseHeaders } from "../client/response.ts";
import { version } from "../version.ts";
import { Failure } from "./errors.ts";

const answerMsecs = 5_000;
/** Feeds speak twice a second, and traces every two seconds. */
const silenceMsecs = 15_000;

/** What `parseAddress` takes, in words. */
export const addressAllowed =
  "the address of a dashboard, as in http://127.0.0.1:4700/, 127.0.0.1:4700 or 4700";

/** Null when it is none. */
export function parseAddress(text: string): URL | null {
  const whole = /^\d{1,5}$/.test(text) ? `http://127.0.0.1:${text}/` : text;
  const address = /^https?:\/\//.test(whole) ? whole : `http://${whole}/`;
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  const isPlain =
    url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!isPlain) return null;
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** A client that gives up on who does not answer, or is silent. It must be destroyed. */
export function clientFor(): Client {
  return new Client({
    connectTimeoutMsecs: answerMsecs,
    headersTimeoutMsecs: answerMsecs,
    bodyTimeoutMsecs: silenceMsecs,
  });
}

/** The answer to a request for `part` of the dashboard at `url`. Rejects with a Failure when nobody answers. */
export async function ask(client: Client, part: URL, url: URL, signal: AbortSignal) {
  const headers = { "user-agent": `keepline/${version}` };
  return await client.request(part, { headers, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new Failure(
      `nobody answers at ${url.href}: ${messageOf(error)} (a program serves a dashboard by serveDashboard(), or by KEEPLINE_DASHBOARD with keepline/register)`,
    );
  });
}

/** Whether a response is of this media type. */
export function isOfType(headers: ResponseHeaders, type: string): boolean {
  return String(headers["content-type"] ?? "").startsWith(type);
}

/** What to say of a server that has answered so. */
export function noDashboard({ href }: URL, statusCode: number): string {
  return `${href} is no dashboard of keepline: it answered ${statusCode}`;
}

/** What to say of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
