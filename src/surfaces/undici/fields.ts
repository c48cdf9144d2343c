/**
 * Header fields as undici takes them: in its forms, with its meaning of those that belong to the connection.
 * What may stand in a name and a value is checked where all request heads are written.
 */
import { type HeadFacts, writeField } from "../../http1/request-head.ts";
import { DispatchError, invalidArgument } from "./errors.ts";

/**
 * The lines for `headers`, and in `facts` what they say of the message.
 *
 * @throws DispatchError, InvalidRequestError when something is not allowed.
 */
export function writeDispatchFields(headers: unknown, facts: HeadFacts): string {
  if (typeof headers !== "object" || headers === null) {
    throw invalidArgument("headers must be an object or an array");
  }
  let lines = "";
  if (Array.isArray(headers)) {
    if (headers.length % 2 !== 0) throw invalidArgument("headers array must be even");
    for (let index = 0; index < headers.length; index += 2) {
      lines += writeOne(headers[index], headers[index + 1], facts);
    }
  } else if (Symbol.iterator in headers) {
    for (const pair of headers as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw invalidArgument("headers must be in key-value pair format");
      }
      lines += writeOne(pair[0], pair[1], facts);
    }
  } else {
    for (const name of Object.keys(headers)) {
      lines += writeOne(name, (headers as Record<string, unknown>)[name], facts);
    }
  }
  return lines;
}

function writeOne(givenName: unknown, given: unknown, facts: HeadFacts): string {
  if (given === undefined) return "";
  const name = givenName instanceof Buffer ? givenName.toString("latin1") : givenName;
  const value = typeof given === "string" ? given : linesOf(name, given);
  return typeof name === "string" && isOfConnection(name, value, facts)
    ? ""
    : writeField(name, value, facts);
}

/** A string, or strings that are lines of their own. */
function linesOf(name: unknown, given: unknown): string | string[] {
  if (Array.isArray(given)) return given.map((each) => textOf(name, each));
  return textOf(name, given);
}

function textOf(name: unknown, value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null) return "";
  if (value instanceof Buffer) return value.toString("latin1");
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
    return String(value);
  }
  throw invalidArgument(`invalid ${String(name)} header`);
}

/** True when the field is dealt with: the pool looks after the connection, and only a wish to close it is heard. */
function isOfConnection(name: string, value: string | string[], facts: HeadFacts): boolean {
  // The length tells other names apart for nothing.
  switch (name.length) {
    case 6:
      if (name.toLowerCase() !== "expect") return false;
      throw new DispatchError("NotSupportedError", "expect header not supported");
    case 7:
      if (name.toLowerCase() === "upgrade") throw invalidArgument("invalid upgrade header");
      return false;
    case 10: {
      const lower = name.toLowerCase();
      if (lower === "keep-alive") throw invalidArgument("invalid keep-alive header");
      if (lower !== "connection") return false;
      if (typeof value !== "string") throw invalidArgument("invalid connection header");
      for (const option of value.split(",")) {
        const wish = option.trim().toLowerCase();
        if (!connectionOption.test(wish)) throw invalidArgument("invalid connection header");
        facts.close ||= wish === "close";
      }
      return true;
    }
    case 17:
      if (name.toLowerCase() !== "transfer-encoding") return false;
      throw invalidArgument("invalid transfer-encoding header");
    default:
      return false;
  }
}

const connectionOption = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
