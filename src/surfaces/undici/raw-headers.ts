/**
 * Header fields in the forms in which undici's handlers get them: Buffers, as they came, or an object of strings.
 */
import { toBuffers } from "../../http1/field-buffers.ts";
import type { ParsedHeaders } from "./handlers.ts";

/** By lower-case name; a name that comes again makes an array. */
export function toObject(rawHeaders: readonly string[]): ParsedHeaders {
  const headers: ParsedHeaders = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = lowerCase(rawHeaders[index] as string);
    const value = rawHeaders[index + 1] as string;
    const known = headers[name];
    // It may be what every object inherits.
    if (known === undefined || !Object.hasOwn(headers, name)) put(headers, name, value);
    else if (typeof known === "string") put(headers, name, [known, value]);
    else known.push(value);
  }
  return headers;
}

/** Names repeat, and mostly are in lower case already. */
const mostKnownNames = 1_000;
const lowerCased = new Map<string, string>();

function lowerCase(name: string): string {
  const known = lowerCased.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (lowerCased.size >= mostKnownNames) lowerCased.clear();
  lowerCased.set(name, lower);
  return lower;
}

function put(headers: ParsedHeaders, name: string, value: string | string[]): void {
  if (name !== "__proto__") headers[name] = value;
  else {
    const property = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(headers, name, property);
  }
}

/** The other way: an object as names and values in turn, for a handler of the other kind. */
export function objectToBuffers(headers: ParsedHeaders): Buffer[] {
  const flat: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const each of Array.isArray(value) ? value : [value]) flat.push(name, each);
  }
  return toBuffers(flat);
}

/** The other way: Buffers as an object. */
export function buffersToObject(rawHeaders: readonly Buffer[]): ParsedHeaders {
  return toObject(rawHeaders.map((each) => each.toString("latin1")));
}
