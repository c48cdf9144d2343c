/**
 * HTTP Archive 1.2, as far as keepline writes it. Sizes are in bytes and -1 where they are not known, times in ms and -1 where
 * something did not happen.
 */

/** The whole file. */
export interface Har {
  readonly log: {
    readonly version: "1.2";
    readonly creator: { readonly name: "keepline"; readonly version: string };
    readonly entries: readonly HarEntry[];
    /** Says how many entries were left out, where some were. */
    readonly comment?: string;
  };
}

/** A name with its value, which is empty with the comment `left out` where it may be a secret. */
export interface HarField {
  readonly name: string;
  readonly value: string;
  readonly comment?: string;
}

/** One request with its response. Names with `_` are keepline's own. */
export interface HarEntry {
  /** ISO 8601. */
  readonly startedDateTime: string;
  /** The sum of `timings` but `ssl`, which is a part of `connect`. */
  readonly time: number;
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly httpVersion: "HTTP/1.1";
    /** Always empty: cookies are secrets. */
    readonly cookies: readonly [];
    readonly headers: readonly HarField[];
    readonly queryString: readonly HarField[];
    readonly headersSize: number;
    readonly bodySize: number;
  };
  readonly response: {
    /** 0 where there was none. */
    readonly status: number;
    readonly statusText: string;
    readonly httpVersion: string;
    readonly cookies: readonly [];
    readonly headers: readonly HarField[];
    readonly content: { readonly size: number; readonly mimeType: string };
    readonly redirectURL: string;
    readonly headersSize: -1;
    readonly bodySize: number;
    /** The body as it was sent; heads are not counted. Left out where it is not known. */
    readonly _transferSize?: number;
  };
  readonly cache: Readonly<Record<string, never>>;
  readonly timings: HarTimings;
  readonly serverIPAddress?: string;
  /** The port of the server, as browsers write it: their tools show it behind `serverIPAddress`. */
  readonly connection?: string;
  /** The number of the connection, as in events. */
  readonly _connectionId?: string;
  /** What browsers call that which a program has asked for; without it their tools guess by the type of the body. */
  readonly _resourceType: "fetch";
  readonly _requestId: number;
  readonly _service: string;
  readonly _lane: string;
  /** Where it had a connection: whether that had carried a request before. */
  readonly _reused?: boolean;
  readonly _resends: number;
  /** What it failed with, where it did. */
  readonly _error?: string;
}

/** Where the time of a request went. */
export interface HarTimings {
  /** In the queue, less what was its dial. What came before it was sent again is in it. */
  readonly blocked: number;
  /** These three: the part of the dial that it waited for; -1 where the connection was open. `connect` has `ssl` in it. */
  readonly dns: number;
  readonly connect: number;
  readonly ssl: number;
  readonly send: number;
  readonly wait: number;
  readonly receive: number;
}
