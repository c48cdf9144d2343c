/**
 * Takes the traffic of a running program from its dashboard, as a trace.
 */
import type { Msecs } from "../../core/clock.ts";
import { ask, clientFor, isOfType, messageOf, noDashboard } from "../dashboard.ts";
import { Failure } from "../errors.ts";

/** A trace is no longer than this: the dashboard sends no more than half of it. */
const mostBytes = 128 << 20;

/** What is asked for. */
export interface Asked {
  readonly url: URL;
  /** Null: the only one that there is. */
  readonly client: string | null;
  /** Whole seconds, as ms. */
  readonly forMsecs: Msecs;
  readonly mostRequests: number;
}

/**
 * The trace of what happens at the dashboard from now on. `progress` is told how many requests were over by then.
 *
 * Rejects with a Failure when nobody answers, when it is no dashboard or has no traces, and when it ends early.
 */
export async function takeTraffic(
  { url, client: name, forMsecs, mostRequests }: Asked,
  signal: AbortSignal,
  progress: (requests: number) => void,
): Promise<Uint8Array[]> {
  const part = new URL("trace", url);
  if (name !== null) part.searchParams.set("client", name);
  part.searchParams.set("for", String(Math.ceil(forMsecs / 1_000)));
  part.searchParams.set("requests", String(mostRequests));
  const client = clientFor();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let requests = 0;
  try {
    const { statusCode, headers, body } = await ask(client, part, url, signal);
    if (statusCode !== 200 || !isOfType(headers, "application/x-ndjson")) {
      const words = (await body.text()).slice(0, 1_000).replace(/\p{Cc}+/gu, " ");
      throw new Failure(refusalOf(url, statusCode, words));
    }
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > mostBytes) throw new Failure(`${url.href} sends more than a trace has`);
      pieces.push(piece);
      requests += recordsIn(piece);
      progress(requests);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Failure) throw error;
    throw new Failure(`the dashboard at ${url.href} has ended: ${messageOf(error)}`);
  } finally {
    client.destroy();
  }
  return pieces;
}

function refusalOf(url: URL, statusCode: number, words: string): string {
  const { href } = url;
  if (statusCode === 404 && words.includes("the dashboard is at /")) {
    return `${href} is a dashboard of an older keepline, which takes no traces: use the same version, or KEEPLINE_RECORD`;
  }
  if (statusCode === 400 && words.startsWith("name a client")) {
    return `${href} shows several clients: say which by --client (${words.slice(15).trim()})`;
  }
  const isOwn =
    [400, 403, 404, 503].includes(statusCode) &&
    /^(there is no client|\d+ traces|the |it was|for must|requests must)/.test(words);
  return isOwn ? `the dashboard at ${href} refuses: ${words.trim()}` : noDashboard(url, statusCode);
}

/** Lines of `piece` that are no heads: good enough to tell how far it is. */
function recordsIn(piece: Uint8Array): number {
  let count = 0;
  const text = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  for (let at = text.indexOf('{"at":'); at !== -1; at = text.indexOf('{"at":', at + 6)) count++;
  return count;
}
