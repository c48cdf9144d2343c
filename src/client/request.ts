/**
 * Turns what a caller asked for into a request that can be sent, or refuses it before anything is written.
 */
import type { Msecs } from "../core/clock.ts";
import { InvalidRequestError } from "../core/errors.ts";
import { coreRules } from "../core/options.ts";
import type { ResendMode } from "../core/resend.ts";
import { checkOption, type Fault, type Given, type Rules } from "../core/rules.ts";
import { checkMethod, type HeaderFields, headFacts, writeFields } from "../http1/request-head.ts";
import { composeRequest, type PreparedRequest } from "./compose.ts";
import { type RequestTimeouts, resendRule, timeoutRules } from "./options.ts";
import { type BodyInput, type EncodedBody, encodeBody, encodeJson } from "./request-body.ts";
import type { Query, Target } from "./target.ts";

export type { PreparedRequest } from "./compose.ts";

/** What `client.request(url, options)` takes: all optional. */
export interface RequestOptions extends Given<RequestTimeouts> {
  /** Method name; `GET` when there is none. */
  readonly method?: string | undefined;
  /** Header fields: an object, pairs, or `Headers`. Host, Connection and framing are looked after. */
  readonly headers?: HeaderFields | undefined;
  /** What to send after the head. */
  readonly body?: BodyInput | null | undefined;
  /** A value to send as JSON, in place of `body`; sets Content-Type unless `headers` does. */
  readonly json?: unknown;
  /** Appended to the URL's own query. */
  readonly query?: Query | undefined;
  /** Aborts the request in whatever phase it is; its reason is what the promise rejects with. */
  readonly signal?: AbortSignal | undefined;
  /** This request's own `resend`. */
  readonly resend?: ResendMode | undefined;
  /** The lane of its service that it goes by; by default what the service's `laneFor` says, or `default`. */
  readonly lane?: string | undefined;
  /** This request's own `queueTimeoutMsecs`. */
  readonly queueTimeoutMsecs?: Msecs | undefined;
}

/** Checked where they are used, with messages of their own. */
const checkedElsewhere = {
  default: undefined,
  check: (): Fault | null => null,
  unit: null,
} as const;

/** The table of request options. */
export const requestRules = {
  method: { ...checkedElsewhere, doc: "method name; `GET` when there is none" },
  headers: { ...checkedElsewhere, doc: "an object, pairs of name and value, or `Headers`" },
  body: { ...checkedElsewhere, doc: "what to send after the head" },
  json: { ...checkedElsewhere, doc: "a value to send as JSON" },
  query: { ...checkedElsewhere, doc: "appended to the URL's own query" },
  signal: {
    default: undefined,
    check: (value: unknown): Fault | null =>
      value instanceof AbortSignal ? null : { nature: "TypeError", allowed: "an AbortSignal" },
    unit: null,
    doc: "aborts the request in whatever phase it is",
  },
  resend: { ...resendRule, default: undefined },
  lane: { ...checkedElsewhere, doc: "lane of its service; else what `laneFor` says, or `default`" },
  queueTimeoutMsecs: { ...coreRules.queueTimeoutMsecs, default: undefined },
  headersTimeoutMsecs: { ...timeoutRules.headersTimeoutMsecs, default: undefined },
  bodyTimeoutMsecs: { ...timeoutRules.bodyTimeoutMsecs, default: undefined },
  requestTimeoutMsecs: { ...timeoutRules.requestTimeoutMsecs, default: undefined },
} as const satisfies Rules<RequestOptions>;

/** The options of a request that gave none. */
export const noOptions: RequestOptions = Object.freeze({});

/**
 * Checks the options of a request, but not yet its headers and body.
 *
 * @throws InvalidOptionError
 */
export function checkRequestOptions(options: RequestOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new InvalidRequestError("the options of a request must be an object");
  }
  for (const key in options) {
    checkOption(requestRules, key, options[key as keyof RequestOptions], "client.request()");
  }
}

/**
 * Head and body for `options`.
 *
 * @throws InvalidRequestError
 */
export function prepare(
  target: Target,
  options: RequestOptions,
  keepAlive: boolean,
): PreparedRequest {
  if (!isPlain(options)) return compose(target, options, keepAlive);
  // Made once for all such requests, of which many may wait.
  if (target.plain === null || target.plain.closesConnection === keepAlive) {
    target.plain = compose(target, noOptions, keepAlive);
  }
  return target.plain;
}

/** True for a GET without fields of its own and without a body. */
function isPlain({ method, headers, json, body }: RequestOptions): boolean {
  return (
    (method === undefined || method === "GET") &&
    headers === undefined &&
    json === undefined &&
    (body ?? null) === null
  );
}

function compose(target: Target, options: RequestOptions, keepAlive: boolean): PreparedRequest {
  const method = options.method === undefined ? "GET" : checkMethod(options.method);
  const facts = headFacts();
  const lines = options.headers === undefined ? "" : writeFields(options.headers, facts);
  const hasBody = options.json !== undefined || (options.body ?? null) !== null;
  if (hasBody && method === "TRACE") {
    throw new InvalidRequestError("a TRACE request has no body (RFC 9110, section 9.3.8)");
  }
  const { path, host, authorization } = target;
  return composeRequest(
    { method, path, host, authorization, upgrade: null, keepAlive, lines },
    facts,
    bodyOf(options),
  );
}

function bodyOf(options: RequestOptions): EncodedBody {
  if (options.json === undefined) return encodeBody(options.body);
  if (options.body !== undefined && options.body !== null) {
    throw new InvalidRequestError("give either body or json, not both");
  }
  return encodeJson(options.json);
}
