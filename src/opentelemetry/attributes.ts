/**
 * Attributes by the semantic conventions of OpenTelemetry for HTTP.
 */
import type { Attributes } from "@opentelemetry/api";
import { KeeplineError } from "../core/errors.ts";

/** Others are `_OTHER`, so that a program that invents methods makes no series of its own for each. */
const knownMethods = new Set(
  "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE QUERY".split(" "),
);

/** Of many origins each is taken apart once. */
const known = new Map<string, Attributes>();
const mostKnown = 1_000;

/** `server.address`, `server.port` and `url.scheme` of an origin. */
export function serverOf(origin: string): Attributes {
  const before = known.get(origin);
  if (before !== undefined) return before;
  const { protocol, hostname, port } = new URL(origin);
  const attributes = {
    "server.address": hostname.replace(/^\[(.*)\]$/, "$1"),
    "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
    "url.scheme": protocol.slice(0, -1),
  };
  if (known.size >= mostKnown) known.clear();
  known.set(origin, attributes);
  return attributes;
}

/** `http.request.method`. */
export function methodOf(method: string): string {
  return knownMethods.has(method) ? method : "_OTHER";
}

/** `error.type`: the code of an error of keepline, else its name. */
export function errorTypeOf(error: unknown): string {
  if (error instanceof KeeplineError) return error.code;
  return error instanceof Error ? error.name : "_OTHER";
}
