/**
 * What a URL means for a request: which origin, and what stands in the request line. Programs ask for
 * the same URLs again and again, and parsing one costs as much as a tenth of a request.
 */

import { InvalidRequestError } from "../core/errors.ts";
import { show } from "../core/rules.ts";
import type { HttpPool } from "../http1/connection-user.ts";
import type { Address } from "../net/dial.ts";
import type { PreparedRequest } from "./compose.ts";

/** Values for `query`: arrays repeat the name, undefined ones are left out. */
export type Query =
  | URLSearchParams
  | Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined>>;

type QueryValue = string | number | boolean;

/** A parsed URL. */
export interface Target {
  /** `protocol://host:port`, without a default port. */
  readonly origin: string;
  /** What the Host field says. */
  readonly host: string;
  /** Path and query: the request target in origin-form (RFC 9112, section 3.2.1). */
  readonly path: string;
  /** `Basic …` when the URL has a user name; null otherwise. */
  readonly authorization: string | null;
  /** The request for it of which nothing is said; null before the first. */
  plain: PreparedRequest | null;
  /** The pool last used for it; null before the first request. */
  pool: HttpPool | null;
}

/** Enough for a program that goes round many origins; some 6 MB when all of them are used. */
const mostTargets = 16_384;

/** Targets of one client by the URL they were parsed from. */
export class Targets {
  readonly #byUrl = new Map<string, Target>();

  /**
   * Parses `url`, or remembers it.
   *
   * @throws InvalidRequestError when it is not an absolute http or https URL.
   */
  find(url: string | URL, query: Query | undefined): Target {
    if (query !== undefined) return parse(url, query);
    if (typeof url !== "string") return parse(url, undefined);
    const known = this.#byUrl.get(url);
    if (known !== undefined) return known;
    const target = parse(url, undefined);
    // Forgetting all of them is as good as forgetting the right ones when there are so many.
    if (this.#byUrl.size >= mostTargets) this.#byUrl.clear();
    this.#byUrl.set(url, target);
    return target;
  }
}

/** Where to dial for an origin as `Target` has it. */
export function addressOf(origin: string): Address {
  const { protocol, hostname, port } = new URL(origin);
  const isTls = protocol === "https:";
  return {
    isTls,
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? (isTls ? 443 : 80) : Number(port),
  };
}

function parse(url: string | URL, query: Query | undefined): Target {
  const parsed = parseUrl(url);
  if (query !== undefined) appendQuery(parsed, query);
  const { username, password } = parsed;
  return {
    origin: parsed.origin,
    host: parsed.host,
    path: parsed.pathname + parsed.search,
    authorization: username === "" && password === "" ? null : basic(username, password),
    plain: null,
    pool: null,
  };
}

function parseUrl(url: string | URL): URL {
  if (typeof url !== "string" && !(url instanceof URL)) {
    throw new InvalidRequestError(`url must be a string or a URL, not ${show(url)}`);
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    const message = `url must be absolute, such as https://api.example.com/path, not ${show(withoutCredentials(String(url)))}`;
    // Node's own error repeats the URL whole, so it is not the cause.
    throw new InvalidRequestError(message);
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new InvalidRequestError(
      `url must begin with http:// or https://, not ${show(parsed.protocol)}`,
    );
  }
  return parsed;
}

/** A user name and password have no place in a message. */
function withoutCredentials(url: string): string {
  const end = url.lastIndexOf("@");
  return end === -1 ? url : `…${url.slice(end)}`;
}

function appendQuery(url: URL, query: Query): void {
  if (query instanceof URLSearchParams) {
    for (const [name, value] of query) url.searchParams.append(name, value);
    return;
  }
  if (typeof query !== "object" || query === null || Array.isArray(query)) {
    throw new InvalidRequestError(`query must be an object or URLSearchParams, not ${show(query)}`);
  }
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each === undefined) continue;
      if (typeof each !== "string" && typeof each !== "number" && typeof each !== "boolean") {
        throw new InvalidRequestError(
          `query ${name} must be a string, number, boolean, or an array of them, not ${show(each)}`,
        );
      }
      url.searchParams.append(name, String(each));
    }
  }
}

/** User name and password of a URL are percent-encoded UTF-8 (RFC 7617, section 2.1 for the field). */
function basic(username: string, password: string): string {
  const credentials = `${decode(username)}:${decode(password)}`;
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
