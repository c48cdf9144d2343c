/**
 * Notes what an entry needs of each request when it is over, and makes entries of that when they are asked for.
 * Invariant: there are never more notes than entries are allowed, and no note holds on to its request.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import type { ObservedHead } from "../core/observer.ts";
import { HttpExchange, type RequestBody } from "../http1/exchange.ts";
import type { Watcher } from "../observe/observing.ts";
import type { Sighting } from "../observe/sighting.ts";
import { AgentRequest } from "../surfaces/agent/request.ts";
import type { HarEntry, HarField, HarTimings } from "./format.ts";
import type { Secrets } from "./secrets.ts";
import { harTimings, totalOf } from "./timings.ts";

/** A head as it was received or sent: names and values in turn. */
interface Head {
  readonly statusText: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

const noHead: Head = { statusText: "", httpVersion: "", rawHeaders: [] };

/** What is known of a request that is over. Of its parts only what an entry needs is held: never a body. */
interface Facts {
  readonly id: number;
  /** In ms since 1970. */
  readonly startedAt: number;
  readonly timings: HarTimings;
  readonly method: string;
  readonly origin: string;
  readonly target: string;
  readonly service: string;
  readonly lane: string;
  readonly resends: number;
  readonly sent: SentHead;
  readonly head: Head;
  readonly status: number;
  readonly receivedBytes: number;
  readonly address: string | undefined;
  readonly connectionId: number | null;
  readonly isReused: boolean;
  readonly error: string | null;
}

/** Records the requests of one client. */
export class HarWatcher implements Watcher {
  /** How many entries are there no more. */
  leftOutCount = 0;
  readonly #clock: Clock;
  readonly #secrets: Secrets;
  readonly #maxEntries: number;
  readonly #heads = new WeakMap<Sighting, Head>();
  /** A ring once it is full: the oldest stands at `#oldest`. Entries are made when they are asked for, most never. */
  readonly #facts: Facts[] = [];
  #oldest = 0;

  constructor(clock: Clock, secrets: Secrets, maxEntries: number) {
    this.#clock = clock;
    this.#secrets = secrets;
    this.#maxEntries = maxEntries;
  }

  /** In the order in which the requests were over. */
  get entries(): HarEntry[] {
    return this.#facts.map((each) => this.#entryOf(each));
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
    this.#add(this.#factsOf(seen, null, now));
  }

  failed(seen: Sighting, error: unknown, now: Msecs): void {
    const words =
      error === null
        ? "the response was given up before its end"
        : error instanceof Error
          ? `${error.name}: ${error.message}`
          : String(error);
    this.#add(this.#factsOf(seen, words.slice(0, 2_048), now));
  }

  #add(facts: Facts): void {
    if (this.#facts.length < this.#maxEntries) {
      this.#facts.push(facts);
      return;
    }
    this.#facts[this.#oldest] = facts;
    this.#oldest = (this.#oldest + 1) % this.#maxEntries;
    this.leftOutCount++;
  }

  #factsOf(seen: Sighting, error: string | null, now: Msecs): Facts {
    const { request, lease, requestCount, createdAt } = seen;
    const transport = lease?.transport ?? null;
    const steps = requestCount === 1 ? (transport?.dialTimings ?? null) : null;
    return {
      id: seen.id,
      startedAt: Date.now() - (this.#clock() - createdAt),
      timings: harTimings({
        createdAt,
        grantedAt: seen.grantedAt,
        sentAt: seen.sentAt,
        firstByteAt: seen.firstByteAt,
        endedAt: now,
        isSentUnseen: request instanceof AgentRequest,
        dial: steps === null || lease === null ? null : { ...steps, openedAt: lease.openedAt },
      }),
      method: seen.method,
      origin: seen.origin,
      target: seen.target,
      service: seen.service,
      lane: seen.lane,
      resends: seen.resends,
      sent: sentOf(seen),
      head: this.#heads.get(seen) ?? receivedOf(seen),
      status: seen.statusCode ?? request.statusCode ?? 0,
      // Before the response they would be those of the request.
      receivedBytes: seen.firstByteAt === null ? -1 : (request.receivedBytes ?? -1),
      address: transport?.remoteAddress,
      connectionId: lease?.id ?? null,
      isReused: requestCount > 1,
      error,
    };
  }

  #entryOf(facts: Facts): HarEntry {
    const { target, origin, timings, head, sent, receivedBytes } = facts;
    // Otherwise it is that of a proxy, or of CONNECT or OPTIONS (RFC 9112, section 3.2).
    const url = target.startsWith("/") ? `${origin}${target}` : urlOf(origin, target);
    return {
      startedDateTime: new Date(facts.startedAt).toISOString(),
      time: totalOf(timings),
      request: {
        method: facts.method,
        url: this.#secrets.url(url),
        httpVersion: "HTTP/1.1",
        cookies: [],
        headers: this.#fields(sent.fields === null ? fieldsIn(sent.text) : sent.fields),
        queryString: this.#secrets.parameters(url),
        headersSize: sent.fields === null ? sent.text.length : -1,
        bodySize: sent.bodySize,
      },
      response: {
        status: facts.status,
        statusText: head.statusText,
        httpVersion: head.httpVersion,
        cookies: [],
        headers: this.#fields(head.rawHeaders),
        content: {
          size: Math.max(receivedBytes, 0),
          mimeType: fieldOf(head.rawHeaders, "content-type").slice(0, 256),
        },
        redirectURL: this.#secrets.url(fieldOf(head.rawHeaders, "location")),
        headersSize: -1,
        bodySize: receivedBytes,
        ...(receivedBytes < 0 ? {} : { _transferSize: receivedBytes }),
      },
      cache: {},
      timings,
      ...(facts.address === undefined
        ? {}
        : { serverIPAddress: facts.address, connection: portOf(origin) }),
      ...(facts.connectionId === null
        ? {}
        : { _connectionId: String(facts.connectionId), _reused: facts.isReused }),
      _resourceType: "fetch",
      _requestId: facts.id,
      _service: facts.service,
      _lane: facts.lane,
      _resends: facts.resends,
      ...(facts.error === null ? {} : { _error: facts.error }),
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

/** What was sent: the whole head as text, or the fields where somebody else has written it. */
type SentHead = { readonly bodySize: number } & (
  | { readonly text: string; readonly fields: null }
  | { readonly text: null; readonly fields: readonly string[] }
);

function sentOf({ request }: Sighting): SentHead {
  if (request instanceof HttpExchange) {
    return { text: request.head, fields: null, bodySize: sizeOf(request.body) };
  }
  if (!(request instanceof AgentRequest)) return { text: null, fields: [], bodySize: -1 };
  const fields = Object.entries(request.req.getHeaders()).flatMap(([name, value]) =>
    [value ?? ""].flat().flatMap((each) => [name, String(each)]),
  );
  return { text: null, fields, bodySize: -1 };
}

/** Names and values in turn, in the head of a request. */
function fieldsIn(head: string): string[] {
  const [, ...lines] = head.slice(0, -4).split("\r\n");
  return lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
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

function portOf(origin: string): string {
  const { port, protocol } = new URL(origin);
  return port !== "" ? port : protocol === "https:" ? "443" : "80";
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
