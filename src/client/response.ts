/**
 * What a request resolves to. Everything that not every caller looks at is made when it is looked at.
 */
import type { Msecs } from "../core/clock.ts";
import type { ResponseHead } from "../http1/parser.ts";
import type { ResponseBody } from "./body.ts";

/** Fields by lower-case name, as Node's `http` joins them: `set-cookie` is an array, others one string. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>> & {
  readonly "set-cookie"?: readonly string[];
};

/** The connection that carried a response. */
export interface ConnectionFacts {
  /** Unique within the client. */
  readonly id: number;
  /** True when it had carried a request before. */
  readonly reused: boolean;
  /** Which request on this connection this was, from 1. */
  readonly requestCount: number;
  /** How long it had been idle when it was taken, in ms; 0 when it was handed over at once. */
  readonly idleMsecs: Msecs;
  readonly localPort: number | undefined;
  readonly remoteAddress: string | undefined;
}

/** Where the time went, in ms; null where it did not happen, or not yet. */
export interface Timings {
  /** From the call to the connection that brought the response, less the time of its dial where there was one. */
  readonly queued: Msecs;
  /** These three: of the dial that brought the connection, if this was its first request. It may have begun before the call, for another request. */
  readonly dns: Msecs | null;
  readonly connect: Msecs | null;
  readonly tls: Msecs | null;
  /** From the request sent to the first byte of the response. */
  readonly firstByte: Msecs;
  /** From the call to the end of the response body; null until it has ended. */
  readonly total: Msecs | null;
}

/** What a response asks of the request that it belongs to. */
export interface ResponseOwner {
  readonly connectionFacts: ConnectionFacts;
  readonly timings: Timings;
  readonly resends: number;
  readonly rawTrailers: readonly string[];
}

/** A response. Its head is complete; its body may still arrive. */
export class ClientResponse {
  readonly statusCode: number;
  readonly body: ResponseBody;
  readonly #head: ResponseHead;
  readonly #owner: ResponseOwner;
  #headers: ResponseHeaders | null = null;

  /** For keepline: made with each response head. */
  constructor(head: ResponseHead, body: ResponseBody, owner: ResponseOwner) {
    this.statusCode = head.statusCode;
    this.#head = head;
    this.body = body;
    this.#owner = owner;
  }

  /** The reason phrase, as received; often empty. */
  get statusText(): string {
    return this.#head.statusText;
  }

  /** Names and values in turn, as received. Frozen: other responses with the same head may share it. */
  get rawHeaders(): readonly string[] {
    return this.#head.rawHeaders;
  }

  /** Header fields by lower-case name. */
  get headers(): ResponseHeaders {
    this.#headers ??= joinFields(this.rawHeaders);
    return this.#headers;
  }

  /** Trailer fields by lower-case name: empty until the body has ended. */
  get trailers(): ResponseHeaders {
    return joinFields(this.#owner.rawTrailers);
  }

  /** The connection that carried it. */
  get connection(): ConnectionFacts {
    return this.#owner.connectionFacts;
  }

  /** How often the request was sent again because a connection failed before the response; 0 as a rule. */
  get resends(): number {
    return this.#owner.resends;
  }

  /** Where the time went. */
  get timings(): Timings {
    return this.#owner.timings;
  }
}

/** Of these a second one is dropped: joining them would change their meaning (as Node's `http` has it). */
const firstWins = new Set([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

function joinFields(raw: readonly string[]): ResponseHeaders {
  const joined: Record<string, string | string[]> = Object.create(null);
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] as string).toLowerCase();
    const value = raw[index + 1] as string;
    const known = joined[name];
    if (name === "set-cookie") {
      if (known === undefined) joined[name] = [value];
      else (known as string[]).push(value);
    } else if (known === undefined) {
      joined[name] = value;
    } else if (!firstWins.has(name)) {
      joined[name] = `${known}${name === "cookie" ? "; " : ", "}${value}`;
    }
  }
  return joined as ResponseHeaders;
}
