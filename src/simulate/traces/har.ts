/**
 * The requests of a HAR file, as browsers and proxies write it.
 */
import { TraceError } from "./error.ts";
import type { TraceRecord } from "./format.ts";

interface Entry {
  readonly startedDateTime?: unknown;
  readonly request?: { readonly method?: unknown; readonly url?: unknown };
  readonly timings?: { readonly wait?: unknown; readonly receive?: unknown };
}

/**
 * Requests to http and https origins, each with what the server took: `wait` and `receive` of its timings.
 *
 * @throws TraceError
 */
export function harRecords(text: string): TraceRecord[] {
  let value: { readonly log?: { readonly entries?: unknown } };
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TraceError(
      null,
      `the HAR file is no JSON (was it cut off?): ${(error as Error).message}`,
    );
  }
  const entries = value?.log?.entries;
  if (!Array.isArray(entries)) throw new TraceError(null, "the HAR file has no log.entries");
  return (entries as readonly Entry[]).flatMap((entry, index) => {
    const { startedDateTime, request, timings } = entry ?? {};
    const { method, url } = request ?? {};
    if (typeof startedDateTime !== "string" || typeof url !== "string" || !URL.canParse(url)) {
      throw new TraceError(
        null,
        `entry ${index + 1} of the HAR file has no startedDateTime or no request.url`,
      );
    }
    const { origin, protocol, pathname, search } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:") return []; // data:, blob: and their like
    const parts = [timings?.wait, timings?.receive].filter(
      (each) => typeof each === "number" && each >= 0,
    ) as number[];
    return {
      at: startedDateTime,
      origin,
      method: typeof method === "string" ? method : "GET",
      path: `${pathname}${search}`,
      serviceMsecs: parts.length === 0 ? undefined : parts.reduce((sum, each) => sum + each, 0),
    };
  });
}
