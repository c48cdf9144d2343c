/**
 * Makes an entry of each request when it is over.
 * Invariant: there are never more entries than allowed, and nothing of a request is held that is over and not among them.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import type { ObservedHead } from "../core/observer.ts";
import { HttpExchange, type RequestBody } from "../http1/exchange.ts";
import type { Watcher } from "../observe/observing.ts";
import type { Sighting } from "../observe/sighting.ts";
import { AgentRequest } from "../surfaces/agent/request.ts";
import type { HarEntry, HarField } from "./format.ts";
import type { Secrets } from "./secrets.ts";
import { harTimings, totalOf } from "./timings.ts";

/** A head as it was received or sent: names and values in turn. */
interface Head {
  readonly statusText: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

const noHead: Head = { statusText: "", httpVersion: "", rawHeaders: [] };

/** Records the requests of one client. */
export class HarWatcher implements Watcher {
  /** How many entries are there no more. */
  leftOutCount = 0;
  readonly #clock: Clock;
  readonly #secrets: Secrets;
  readonly #maxEntries: number;
  readonly #heads = new WeakMap<Sighting, Head>();
  /** A ring once it is full: the oldest stands at `#oldest`. */
  readonly #entries: HarEntry[] = [];
  #oldest = 0;

  constructor(clock: Clock, secrets: Secrets, maxEntries: number) {
    this.#clock = clock;
    this.#secrets = secrets;
    this.#maxEntries = maxEntries;
  }

  get entries(): readonly HarEntry[] {
    return this.#entries;
  }

  responded(seen: Sighting, head: ObservedHead | null): void {
    if (head === null) return;
    const { statusText, rawHeaders } = head;
    this.#heads.set(seen, { statusText, rawHeaders, httpVersion: "HTTP/1.1" });
  }

  resent(seen: Sighting): void {
    this.#heads.delete(seen);
  }

  ended(seen: Sighting, now: Msecs): void {
    this.#add(this.#entryOf(seen, now));
  }

  failed(seen: Sighting, error: unknown, now: Msecs): void {
    const words =
      error === null
        ? "the response was given up before its end"
        : error instanceof Error
          ? `${error.name}: ${error.message}`
          : String(error);
    this.#add({ ...this.#entryOf(seen, now), _error: words.slice(0, 2_048) });
  }

  #add(entry: HarEntry): void {
    if (this.#entries.length < this.#maxEntries) {
      this.#entries.push(entry);
      return;
    }
    this.#entries[this.#oldest] = entry;
    this.#oldest = (this.#oldest + 1) % this.#maxEntries;
    this.leftOutCount++;
  }

  #entryOf(seen: Sighting, now: Msecs): HarEntry {
    const { request, lease, createdAt, grantedAt, sentAt, firstByteAt, requestCount } = seen;
    const transport = lease?.transport ?? null;
    const dialTimings = requestCount === 1 ? (transport?.dialTimings ?? null) : null;
    const timings = harTimings({
      createdAt,
      grantedAt,
      sentAt,
      firstByteAt,
      endedAt: now,
      isSentUnseen: request instanceof AgentRequest,
      dial:
        dialTimings === null || lease === null
          ? null
          : { ...dialTimings, openedAt: lease.openedAt },
    });
    const { target } = seen;
    // Otherwise it is that of a proxy, or of CONNECT or OPTIONS (RFC 9112, section 3.2).
    const url = target.startsWith("/") ? `${seen.origin}${target}` : urlOf(seen.origin, target);
    const { fields, headersSize, bodySize } = sentOf(seen);
    const head = this.#heads.get(seen) ?? receivedOf(seen);
    const status = seen.statusCode ?? request.statusCode ?? 0;
    const received = request.receivedBytes ?? -1;
    const address = transport?.remoteAddress;
    return {
      startedDateTime: new Date(Date.now() - (this.#clock() - createdAt)).toISOString(),
      time: totalOf(timings),
      request: {
        method: seen.method,
        url: this.#secrets.url(url),
        httpVersion: "HTTP/1.1",
        cookies: [],
        headers: this.#fields(fields),
        queryString: this.#secrets.parameters(url),
        headersSize,
        bodySize,
      },
      response: {
        status,
        statusText: head.statusText,
        httpVersion: head.httpVersion,
        cookies: [],
        headers: this.#fields(head.rawHeaders),
        content: {
          size: Math.max(received, 0),
          mimeType: fieldOf(head.rawHeaders, "content-type").slice(0, 256),
        },
        redirectURL: this.#secrets.url(fieldOf(head.rawHeaders, "location")),
        headersSize: -1,
        bodySize: received,
      },
      cache: {},
      timings,
      ...(address === undefined ? {} : { serverIPAddress: address }),
      ...(lease === null ? {} : { connection: String(lease.id), _reused: requestCount > 1 }),
      _requestId: seen.id,
      _service: seen.service,
      _lane: seen.lane,
      _resends: seen.resends,
    };
  }

  #fields(raw: readonly string[]): HarField[] {
    const fields: HarField[] = [];
    for (let index = 0; index < raw.length; index += 2) {
      fields.push(this.#secrets.field(raw[index] as string, raw[index + 1] as string));
    }
    return fields;
  }
}

/** The head of a request, with names and values in turn. */
function sentOf({ request }: Sighting): {
  fields: string[];
  headersSize: number;
  bodySize: number;
} {
  if (request instanceof HttpExchange) {
    const [, ...lines] = request.head.slice(0, -4).split("\r\n");
    const fields = lines.flatMap((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    return { fields, headersSize: request.head.length, bodySize: sizeOf(request.body) };
  }
  if (!(request instanceof AgentRequest)) return { fields: [], headersSize: -1, bodySize: -1 };
  const fields = Object.entries(request.req.getHeaders()).flatMap(([name, value]) =>
    [value ?? ""].flat().flatMap((each) => [name, String(each)]),
  );
  return { fields, headersSize: -1, bodySize: -1 };
}

/** The head of a response that Node has read; an empty one where there is none. */
function receivedOf({ request }: Sighting): Head {
  const res = request instanceof AgentRequest ? request.req.res : null;
  if (res === null) return noHead;
  const { statusMessage = "", rawHeaders, httpVersion } = res;
  return { statusText: statusMessage, rawHeaders, httpVersion: `HTTP/${httpVersion}` };
}

function urlOf(origin: string, target: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(target) ? target : `${origin}/${target}`;
}

function sizeOf(body: RequestBody): number {
  switch (body.kind) {
    case "none":
      return 0;
    case "text":
      return body.byteLength;
    case "bytes":
      return body.bytes.length;
    case "stream":
      return body.byteLength ?? -1;
    default:
      return body satisfies never;
  }
}

function fieldOf(raw: readonly string[], name: string): string {
  for (let index = 0; index < raw.length; index += 2) {
    if ((raw[index] as string).toLowerCase() === name) return raw[index + 1] as string;
  }
  return "";
}
