/**
 * What of a request is not written down: values of header fields and of parameters in URLs that may be secrets; and how long
 * the others may be.
 */
import type { HarField } from "./format.ts";

/** Header fields and parameters of URLs whose values are always left out. */
export const secretNames: readonly string[] = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "access_token",
  "refresh_token",
  "id_token",
  "client_secret",
  "api_key",
  "apikey",
  "password",
  "signature",
  "sig",
  "token",
  "x-amz-signature",
  "x-amz-security-token",
];

/** Fields whose value is a URL, perhaps with parameters. */
const urlFields = new Set(["location", "content-location", "referer"]);

/** Longer values are cut. */
const longestValue = 2_048;
const longestUrl = 8_192;

/** Leaves out what has one of the names given. */
export class Secrets {
  readonly #names: ReadonlySet<string>;

  /** `more`: names beside the usual ones, in any case. */
  constructor(more: readonly string[]) {
    this.#names = new Set([...secretNames, ...more].map((name) => name.toLowerCase()));
  }

  /** A header field. */
  field(name: string, value: string): HarField {
    const lower = name.toLowerCase();
    if (this.#names.has(lower)) return { name, value: "", comment: "left out" };
    return { name, value: cut(urlFields.has(lower) ? this.url(value) : value, longestValue) };
  }

  /** `url` without the values of secret parameters, of credentials and of a fragment. */
  url(url: string): string {
    const [whole = ""] = url.split("#", 1);
    const bare = whole.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?@]*@/i, "$1");
    const start = bare.indexOf("?");
    if (start === -1) return cut(bare, longestUrl);
    const kept = bare
      .slice(start + 1)
      .split("&")
      .map((pair) => (this.#isSecretPair(pair) ? `${nameOf(pair)}=` : pair));
    return cut(`${bare.slice(0, start)}?${kept.join("&")}`, longestUrl);
  }

  /** The parameters of `url`. */
  parameters(url: string): HarField[] {
    const start = url.indexOf("?");
    if (start === -1) return [];
    const [query = ""] = url.slice(start + 1).split("#", 1);
    return query
      .split("&")
      .filter((pair) => pair !== "")
      .map((pair) => {
        const name = cut(decoded(nameOf(pair)), longestValue);
        if (this.#isSecretPair(pair)) return { name, value: "", comment: "left out" };
        return { name, value: cut(decoded(pair.slice(nameOf(pair).length + 1)), longestValue) };
      });
  }

  #isSecretPair(pair: string): boolean {
    return this.#names.has(decoded(nameOf(pair)).toLowerCase());
  }
}

function nameOf(pair: string): string {
  return pair.split("=", 1)[0] ?? "";
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}… (${text.length} characters)`;
}
