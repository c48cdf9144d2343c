/**
 * Turns the options of `dispatch` into a request that can be sent, or refuses it before anything is written. Argument
 * errors have undici's words where programs know them.
 */
import { stringify } from "node:querystring";
import { composeRequest, type PreparedRequest } from "../../client/compose.ts";
import type { Target, Targets } from "../../client/target.ts";
import type { Msecs } from "../../core/clock.ts";
import { headFacts } from "../../http1/request-head.ts";
import { encodeDispatchBody } from "./body.ts";
import { invalidArgument } from "./errors.ts";
import { writeDispatchFields } from "./fields.ts";
import type { DispatchHandler, DispatchOptions } from "./handlers.ts";

/** A request in the form in which it is sent, with what undici's options say beside. */
export interface DispatchRequest extends PreparedRequest {
  readonly path: string;
  readonly asksForTunnel: boolean;
  /** Null takes the client's; `Infinity` means none. */
  readonly headersTimeoutMsecs: Msecs | null;
  readonly bodyTimeoutMsecs: Msecs | null;
}

/**
 * The same in an object that is fast to read. undici makes its options by spreading the program's and adding to them, and of such
 * an object Node 20 takes 0.1 to 0.2 µs for each property that is looked for; of a copy, nothing to speak of.
 */
export function readable(options: DispatchOptions): DispatchOptions {
  // What a class has, or inherits, would not be copied.
  return Object.getPrototypeOf(options) === Object.prototype ? { ...options } : options;
}

/** @throws DispatchError, InvalidRequestError */
export function targetOf(options: DispatchOptions, targets: Targets): Target {
  const { origin } = options;
  const text = typeof origin === "string" ? origin : origin instanceof URL ? origin.href : "";
  if (text === "") throw invalidArgument("opts.origin must be a non-empty string or URL.");
  const target = targets.find(text, undefined);
  if (target.path !== "/") throw invalidArgument("invalid url");
  return target;
}

/** Enough for a program that goes round many URLs. */
const mostPlain = 16_384;

/** Requests of which no more is said than where they go, made once for each: programs send the same ones again and again. */
export class PlainRequests {
  /** By path: what a program gives is often a string just made, and two short ones are found sooner than one put together of them. */
  readonly #byTarget = new Map<Target, Map<string, DispatchRequest>>();
  #size = 0;

  /** The request for `options`. @throws DispatchError, InvalidRequestError */
  prepare(target: Target, options: DispatchOptions, keepAlive: boolean): DispatchRequest {
    if (!isPlain(options)) return prepareDispatch(target, options, keepAlive);
    const known = this.#byTarget.get(target)?.get(options.path);
    if (known !== undefined && known.closesConnection !== keepAlive) return known;
    const made = prepareDispatch(target, options, keepAlive);
    this.#remember(target, options.path, made);
    return made;
  }

  #remember(target: Target, path: string, made: DispatchRequest): void {
    // Forgetting all of them is as good as forgetting the right ones when there are so many.
    if (++this.#size > mostPlain) {
      this.#byTarget.clear();
      this.#size = 1;
    }
    const byPath = this.#byTarget.get(target);
    if (byPath === undefined) this.#byTarget.set(target, new Map([[path, made]]));
    else byPath.set(path, made);
  }
}

/** True for a GET with a path, and nothing else that `prepareDispatch` looks at. */
function isPlain(options: DispatchOptions): boolean {
  return (
    options.method === "GET" &&
    typeof options.path === "string" &&
    (options.headers ?? null) === null &&
    (options.body ?? null) === null &&
    (options.query ?? null) === null &&
    options.upgrade === undefined &&
    options.reset === undefined &&
    options.expectContinue === undefined &&
    options.maxRedirections === undefined &&
    options.idempotent === undefined &&
    options.headersTimeout === undefined &&
    options.bodyTimeout === undefined
  );
}

function prepareDispatch(
  target: Target,
  options: DispatchOptions,
  keepAlive: boolean,
): DispatchRequest {
  const { method } = options;
  const path = pathOf(options);
  checkMethod(method);
  checkFlags(options);
  const upgrade = upgradeOf(options);
  const isConnect = method === "CONNECT";
  const facts = headFacts();
  const headersTimeoutMsecs = timeoutOf(options.headersTimeout, "invalid headersTimeout");
  const bodyTimeoutMsecs = timeoutOf(options.bodyTimeout, "invalid bodyTimeout");
  const lines =
    options.headers === undefined || options.headers === null
      ? ""
      : writeDispatchFields(options.headers, facts);
  const encoded = encodeDispatchBody(options.body);
  // As undici has it: a length of a body that is not there is not sent.
  if (encoded.body.kind === "none") facts.contentLength = null;
  if (typeof options.reset === "boolean") facts.close = options.reset;
  if (options.expectContinue === true) facts.expectContinue = true;
  const request = composeRequest(
    {
      method,
      path,
      host: target.host,
      authorization: null,
      upgrade,
      keepAlive: keepAlive && !isConnect,
      lines,
    },
    facts,
    encoded,
  );
  return {
    method,
    head: request.head,
    body: request.body,
    expectsContinue: request.expectsContinue,
    // An upgrade that is refused leaves a connection as good as any.
    closesConnection: request.closesConnection && upgrade === null,
    isIdempotent: options.idempotent ?? request.isIdempotent,
    path,
    asksForTunnel: upgrade !== null || isConnect,
    headersTimeoutMsecs,
    bodyTimeoutMsecs,
  };
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const outsidePath = /[^\u0021-\u00ff]/;
const outsideFieldValue = /[^\t\x20-\x7e\x80-\xff]/;

function pathOf({ path, method, query }: DispatchOptions): string {
  if (typeof path !== "string") throw invalidArgument("path must be a string");
  if (path[0] !== "/" && method !== "CONNECT" && !/^https?:\/\//.test(path)) {
    throw invalidArgument("path must be an absolute URL or start with a slash");
  }
  if (outsidePath.test(path)) throw invalidArgument("invalid request path");
  if (query === undefined || query === null) return path;
  if (path.includes("?") || path.includes("#")) {
    throw invalidArgument('Query params cannot be passed when url already contains "?" or "#".');
  }
  const text = stringify(query as Record<string, string>);
  return text === "" ? path : `${path}?${text}`;
}

/** As it is given: methods are case-sensitive (RFC 9110, section 9.1), and fetch leaves `patch` as it is. */
function checkMethod(method: unknown): void {
  if (method === "GET" || method === "POST") return;
  if (typeof method !== "string") throw invalidArgument("method must be a string");
  if (!token.test(method)) throw invalidArgument("invalid request method");
}

function checkFlags({ reset, expectContinue, maxRedirections }: DispatchOptions): void {
  if (typeof (reset ?? false) !== "boolean") throw invalidArgument("invalid reset");
  if (typeof (expectContinue ?? false) !== "boolean") {
    throw invalidArgument("invalid expectContinue");
  }
  if ((maxRedirections ?? 0) !== 0) {
    throw invalidArgument("maxRedirections is not supported, use the redirect interceptor");
  }
}

function upgradeOf({ upgrade }: DispatchOptions): string | null {
  if (!upgrade) return null;
  if (typeof upgrade !== "string") throw invalidArgument("upgrade must be a string");
  if (outsideFieldValue.test(upgrade)) throw invalidArgument("invalid upgrade header");
  return upgrade;
}

function timeoutOf(given: unknown, message: string): Msecs | null {
  if (given === undefined || given === null) return null;
  if (typeof given !== "number" || !Number.isFinite(given) || given < 0) {
    throw invalidArgument(message);
  }
  return given === 0 ? Number.POSITIVE_INFINITY : given;
}

/** @throws DispatchError when a callback that is needed for the request is missing. */
export function checkHandler(handler: DispatchHandler, asksForTunnel: boolean): void {
  // Each by its name: to look one up by a variable was a hundredth of a request.
  if (typeof handler.onRequestStart === "function") {
    if (handler.onBodySent !== undefined) need(handler.onBodySent, "onBodySent");
    if (handler.onRequestSent !== undefined) need(handler.onRequestSent, "onRequestSent");
    return;
  }
  need(handler.onConnect, "onConnect");
  need(handler.onError, "onError");
  if (handler.onBodySent !== undefined) need(handler.onBodySent, "onBodySent");
  if (asksForTunnel) need(handler.onUpgrade, "onUpgrade");
  else {
    need(handler.onHeaders, "onHeaders");
    need(handler.onData, "onData");
    need(handler.onComplete, "onComplete");
  }
}

function need(callback: unknown, name: keyof DispatchHandler): void {
  if (typeof callback !== "function") throw invalidArgument(`invalid ${name} method`);
}
