/**
 * Writes request heads (RFC 9112, section 3), and refuses what would say something else on the wire than
 * the caller meant: injected line ends, framing fields that contradict the body, fields that belong to
 * the connection and so to the pool.
 */
import { InvalidRequestError } from "../core/errors.ts";
import { nearest, show } from "../core/rules.ts";

/** Header fields as callers may give them. Undefined values are left out; an array is several lines. */
export type HeaderFields =
  | Readonly<Record<string, HeaderValue | undefined>>
  | Iterable<readonly [name: string, value: HeaderValue]>;

export type HeaderValue = string | number | readonly string[];

/** What of a request decides its framing, and what the caller's fields said about it. */
export interface HeadFacts {
  /** The caller asked for `Connection: close`. */
  close: boolean;
  /** The caller asked for `Expect: 100-continue`. */
  expectContinue: boolean;
  /** Content-Length that the caller gave; null when none. */
  contentLength: number | null;
  hasContentType: boolean;
  hasHost: boolean;
  hasAuthorization: boolean;
  hasIdempotencyKey: boolean;
}

/** What a field name needs beside being written. */
type FieldRule =
  | "plain"
  | "host"
  | "connection"
  | "content-length"
  | "content-type"
  | "expect"
  | "authorization"
  | "idempotency-key"
  | "refused";

const special: Readonly<Record<string, FieldRule>> = {
  host: "host",
  connection: "connection",
  "content-length": "content-length",
  "content-type": "content-type",
  expect: "expect",
  authorization: "authorization",
  "idempotency-key": "idempotency-key",
  "transfer-encoding": "refused",
  "keep-alive": "refused",
  "proxy-connection": "refused",
  upgrade: "refused",
  trailer: "refused",
};

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const outsideFieldValue = /[^\t\x20-\x7e\x80-\xff]/;

/** Names seen, with their rule: programs use few, and a look-up is cheaper than a check. */
const knownNames = new Map<string, FieldRule>();
const mostKnownNames = 1_000;

/** A fresh record for `writeFields`. */
export function headFacts(): HeadFacts {
  return {
    close: false,
    expectContinue: false,
    contentLength: null,
    hasContentType: false,
    hasHost: false,
    hasAuthorization: false,
    hasIdempotencyKey: false,
  };
}

/**
 * The lines for `headers`, and in `facts` what they say of the message.
 *
 * @throws InvalidRequestError when a name or value is not allowed.
 */
export function writeFields(headers: HeaderFields, facts: HeadFacts): string {
  let lines = "";
  if (isIterable(headers)) {
    for (const pair of headers) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new InvalidRequestError("headers must be an object or pairs of name and value");
      }
      lines += writeField(pair[0], pair[1], facts);
    }
    return lines;
  }
  if (typeof headers !== "object" || headers === null) {
    throw new InvalidRequestError(
      `headers must be an object or pairs of name and value, not ${show(headers)}`,
    );
  }
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined) lines += writeField(name, value, facts);
  }
  return lines;
}

/**
 * The lines for one field, and in `facts` what it says of the message.
 *
 * @throws InvalidRequestError when the name or the value is not allowed.
 */
export function writeField(name: unknown, value: unknown, facts: HeadFacts): string {
  if (typeof name !== "string") {
    throw new InvalidRequestError(`a header name must be a string, not ${show(name)}`);
  }
  const rule = knownNames.get(name) ?? learnName(name);
  if (Array.isArray(value)) {
    if (rule !== "plain" && value.length > 1) {
      throw new InvalidRequestError(`header ${name} must have one value, not ${value.length}`);
    }
    let lines = "";
    for (const each of value) lines += writeLine(name, rule, each, facts);
    return lines;
  }
  return writeLine(name, rule, value, facts);
}

function writeLine(name: string, rule: FieldRule, value: unknown, facts: HeadFacts): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") {
    throw new InvalidRequestError(
      `header ${name} must be a string or a number, not ${show(value)}`,
    );
  }
  if (outsideFieldValue.test(text)) {
    // The value itself is not shown: it may be a secret, and errors are logged.
    const at = text.search(outsideFieldValue);
    const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
    throw new InvalidRequestError(
      `header ${name} has U+${code} at index ${at}, which no field value may have (RFC 9110, section 5.5)`,
    );
  }
  switch (rule) {
    case "plain":
      break;
    case "host":
      once(name, facts.hasHost);
      facts.hasHost = true;
      break;
    case "authorization":
      once(name, facts.hasAuthorization);
      facts.hasAuthorization = true;
      break;
    case "idempotency-key":
      once(name, facts.hasIdempotencyKey);
      facts.hasIdempotencyKey = true;
      break;
    case "content-type":
      once(name, facts.hasContentType);
      facts.hasContentType = true;
      break;
    case "content-length":
      once(name, facts.contentLength !== null);
      if (!/^\d{1,15}$/.test(text)) {
        throw new InvalidRequestError(
          `header content-length must be a whole number, not ${show(text)}`,
        );
      }
      // Written by whoever knows the body, after a comparison with it.
      facts.contentLength = Number(text);
      return "";
    case "connection": {
      const wish = text.trim().toLowerCase();
      if (wish !== "close" && wish !== "keep-alive") {
        throw new InvalidRequestError(
          `header connection must be close or keep-alive, not ${show(text)}`,
        );
      }
      facts.close ||= wish === "close";
      return "";
    }
    case "expect":
      if (text.trim().toLowerCase() !== "100-continue") {
        throw new InvalidRequestError(`header expect must be 100-continue, not ${show(text)}`);
      }
      facts.expectContinue = true;
      return "";
    case "refused":
      throw new InvalidRequestError(
        `header ${name} belongs to the connection, which the pool looks after: leave it out`,
      );
    default:
      rule satisfies never;
  }
  return `${name}: ${text}\r\n`;
}

function once(name: string, isThere: boolean): void {
  if (isThere) throw new InvalidRequestError(`header ${name} may be given once`);
}

function learnName(name: string): FieldRule {
  if (!token.test(name)) {
    throw new InvalidRequestError(
      `${show(name)} is not a header name: letters, digits and !#$%&'*+-.^_\`|~ (RFC 9110, section 5.6.2)`,
    );
  }
  const lower = name.toLowerCase();
  const rule = Object.hasOwn(special, lower) ? (special[lower] as FieldRule) : "plain";
  if (knownNames.size >= mostKnownNames) knownNames.clear();
  knownNames.set(name, rule);
  return rule;
}

const usualMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]);

/**
 * The method in upper case.
 *
 * @throws InvalidRequestError when it is not a token, or is CONNECT.
 */
export function checkMethod(method: unknown): string {
  if (usualMethods.has(method as string)) return method as string;
  if (typeof method !== "string" || !token.test(method)) {
    const near = typeof method === "string" ? nearest([...usualMethods], method) : null;
    const hint = near === null ? "" : `; did you mean ${near}?`;
    throw new InvalidRequestError(`method must be a name such as GET, not ${show(method)}${hint}`);
  }
  const upper = method.toUpperCase();
  if (upper === "CONNECT") {
    throw new InvalidRequestError(
      "method CONNECT makes a tunnel of its connection: it cannot be pooled",
    );
  }
  return upper;
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
