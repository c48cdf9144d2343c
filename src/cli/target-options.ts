/**
 * Options of every command that talks to a server of the user's: its URL, its certificates, and what is sent.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { headFacts, writeFields } from "../http1/request-head.ts";
import type { TlsOptions } from "../net/connect-options.ts";
import { flag, type Option } from "./options.ts";

/** What `parseUrl` takes. Output is made to be shown around, and it names the URL. */
export const allowedUrl =
  "an absolute http or https URL with no password, such as https://api.example.com/health";

/** The URL; null when it is none that a command can use. */
export function parseUrl(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isAllowed = /^https?:$/.test(url?.protocol ?? "") && url?.password === "";
  return isAllowed ? url : null;
}

const caOption: Option<string> = {
  value: "FILE",
  doc: "trust these certificate authorities (PEM) of an https URL",
  allowed: "a readable file with PEM certificates",
  parse: (text) => {
    try {
      const pem = readFileSync(text, "utf8");
      return new X509Certificate(pem).subject === undefined ? null : pem;
    } catch {
      return null;
    }
  },
};

/** Whom to trust. */
export const tlsOptions = {
  ca: caOption,
  insecure: flag("verify no certificate of an https URL"),
};

/** TLS options for what was given of `tlsOptions`. */
export function tlsOf(given: {
  readonly ca: string | undefined;
  readonly insecure: true | undefined;
}): TlsOptions {
  const { ca, insecure } = given;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(insecure === undefined ? {} : { rejectUnauthorized: false }),
  };
}

/** A request header field, as often as there are some. */
export const headerOption: Option<readonly (readonly [name: string, value: string])[]> = {
  value: "FIELD",
  short: "H",
  doc: "send this header field; as often as there are some",
  allowed: 'a header field that a client may set, as in "accept: text/html"',
  parse: (text) => {
    const colon = text.indexOf(":");
    const field = [text.slice(0, colon).trim(), text.slice(colon + 1).trim()] as const;
    try {
      if (colon > 0) writeFields([field], headFacts());
      return colon > 0 ? [field] : null;
    } catch {
      return null;
    }
  },
  merge: (before, next) => [...before, ...next],
};
